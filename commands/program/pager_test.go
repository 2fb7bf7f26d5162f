//go:build unix

package program

import (
	"bytes"
	"strings"
	"testing"
)

func TestPager(t *testing.T) {
	text := strings.Repeat("line\n", 30)
	for _, tt := range []struct {
		name  string
		env   map[string]string
		rows  int
		paged bool
	}{
		{"no terminal", map[string]string{"PAGER": "sed s/line/paged/"}, 0, false},
		{"fits", map[string]string{"PAGER": "sed s/line/paged/"}, 50, false},
		{"no pager", nil, 24, false},
		{"pager", map[string]string{"PAGER": "sed s/line/paged/"}, 24, true},
		{"our own", map[string]string{"PAGER": "false", "HARK_PAGER": "sed s/line/paged/"}, 24, true},
		{"switched off", map[string]string{"PAGER": "sed s/line/paged/", "HARK_PAGER": ""}, 24, false},
		{"quit early", map[string]string{"PAGER": "read -r line; exit 3"}, 24, true},
		{"broken", map[string]string{"PAGER": "no-such-pager 2>/dev/null"}, 24, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			p := &Program{Env: Env{
				Stdout: &out, Stderr: new(bytes.Buffer),
				LookupEnv: func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok },
				Environ:   func() []string { return []string{"PATH=/usr/bin:/bin"} },
			}}
			if err := p.Page(text, tt.rows); err != nil {
				t.Fatal(err)
			}
			want := text
			if tt.name == "quit early" {
				want = ""
			} else if tt.paged {
				want = strings.ReplaceAll(text, "line", "paged")
			}
			if out.String() != want {
				t.Errorf("got %.40q, want %.40q", out.String(), want)
			}
		})
	}
}
