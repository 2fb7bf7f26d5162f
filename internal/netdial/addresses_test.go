package netdial

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitColons(t *testing.T) {
	for text, want := range map[string][]string{
		"a:1:b:2":             {"a", "1", "b", "2"},
		":::":                 {"", "", "", ""},
		"[::1]:1:[2001::2]:2": {"::1", "1", "2001::2", "2"},
		"a:1:b":               {"a", "1", "b"},
		"a:1:b:2:3":           {"a", "1", "b", "2:3"},
	} {
		if diff := cmp.Diff(want, splitColons(text, 4)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}
