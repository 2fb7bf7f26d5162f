package deliver

import (
	"slices"
	"strings"
	"testing"
)

func TestParseBroker(t *testing.T) {
	for _, tt := range []struct {
		rest  string
		hosts []string
		fails string
	}{
		{"//h/t", []string{"h:9092"}, ""},
		{"//h:1,[::1],[::1]:2/t.{.a | {b: .c}.b}", []string{"h:1", "[::1]:9092", "[::1]:2"}, ""},
		{"//h/{.a | test(\"@\")}", []string{"h:9092"}, ""},
		{"//user:pa/ss@h/t", nil, "credentials"}, {"//user@h/t", nil, "credentials"}, {"//user:pa/s/s@h", nil, "credentials"},
		{"h/t", nil, "expected kafka://HOST"}, {"//h", nil, "expected"}, {"///t", nil, "expected"}, {"//h/", nil, "expected"}, {"//h,,i/t", nil, "a server is not valid"},
		{"//h:x/t", nil, "a server is not valid"}, {"//h/{.a", nil, "not closed"}, {"//a b/t", nil, "a server is not valid"},
	} {
		p, err := parseKafka("kafka", tt.rest)
		if !slices.Equal(p.hosts, tt.hosts) || (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
			t.Errorf("%s: %q, %v", tt.rest, p.hosts, err)
		}
		if err != nil && (strings.Contains(err.Error(), "pa") && strings.Contains(err.Error(), "ss@")) {
			t.Errorf("%s: %v", tt.rest, err)
		}
	}
	for subject, ok := range map[string]bool{"a.b": true, "a..b": false, "a.*": false, "a.{.b}": true, "$SYS": false} {
		if _, err := parseNATS("nats", "//h/"+subject); (err == nil) != ok {
			t.Errorf("%s: %v", subject, err)
		}
	}
}
