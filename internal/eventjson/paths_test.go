package eventjson

import (
	"fmt"
	"strings"
	"testing"
)

func TestPaths(t *testing.T) {
	var p Paths
	a := p.Add(Root, "a")
	ab := p.Add(a, "b")
	p.Add(ab, "c")
	if again := p.Add(a, "b"); again != ab || p.Len() != 4 {
		t.Errorf("%d, want %d; %d paths", again, ab, p.Len())
	}
	p.Add(Root, "ä\n")
	for _, tt := range []struct{ text, want string }{ // a, a.b, a.b.c, ä
		{`{"a":1}`, "1 - - -"},
		{`{}`, "- - - -"},
		{` { } `, "- - - -"},
		{`{"a":{"b":{"c":[1]}}}`, `{"b":{"c":[1]}} {"c":[1]} [1] -`},
		{"{ \"x\" : {} ,\n\"a\"\t: { \"b\" : \"x\" } }", `{ "b" : "x" } "x" - -`},
		{`{"a":{"b":1},"a":2}`, "2 - - -"},
		{`{"a":{"b":{"c":1}},"a":{"b":{}}}`, `{"b":{}} {} - -`},
		{`{"\u0061":{"\u0062":null},"b":{"c":1}}`, `{"\u0062":null} null - -`},
		{`{"\u00e4\n":true,"ä":false}`, "- - - true"},
		{`{"a":[{"b":1}]}`, `[{"b":1}] - - -`},
		{`[]`, "no"}, {`1`, "no"}, {``, "no"}, {`{`, "no"}, {`{"a"`, "no"}, {`{"a":`, "no"}, {`{"a":1`, "no"}, {`{"a":1,}`, "no"}, {`{"a":{"b":}}`, "no"}, {`{"a":1}x`, "no"},
		{`{"a":tru}`, "no"}, {`{"x":tru}`, "no"}, {`{,}`, "no"}, {`{"a" 1}`, "no"}, {`{"a":1 "b":2}`, "no"}, {`{a:1}`, "no"}, {"{\"a\xff\":1}", "no"},
	} {
		ok, breaks := p.Find([]byte(tt.text))
		got := "no"
		if ok {
			var parts []string
			for path := 1; path < p.Len(); path++ {
				part := "-"
				if s := p.Span(path); s.Kind != 0 {
					part = tt.text[s.Start:s.End]
					if s.Kind != KindOf([]byte(part)) {
						t.Errorf("%s: kind %d", part, s.Kind)
					}
				}
				parts = append(parts, part)
			}
			got = strings.Join(parts, " ")
			if breaks != strings.Contains(tt.text, "\n") {
				t.Errorf("%q: line breaks: %v", tt.text, breaks)
			}
		}
		if got != tt.want {
			t.Errorf("%q: %s, want %s", tt.text, got, tt.want)
		}
	}
}

// As deep as everything else may be, and no deeper.
func TestPathsDepth(t *testing.T) {
	for _, depth := range []int{MaxDepth, MaxDepth + 1} {
		text := []byte(strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth))
		valid, _ := Valid(text)
		var p Paths
		p.Add(p.Add(Root, "a"), "a")
		if ok, _ := p.Find(text); ok != valid || valid != (depth == MaxDepth) {
			t.Errorf("%d levels: %v, %v", depth, ok, valid)
		}
	}
}

func TestElements(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		ok         bool
	}{
		{`[]`, "", true}, {` [ ] `, "", true}, {`[1]`, "1;", true}, {"[ 1 ,\n[2, 3] , {} ]", "1;[2, 3];{};", true},
		{`{}`, "", false}, {``, "", false}, {`[`, "", false}, {`[1`, "1;", false}, {`[1,]`, "1;", false}, {`[1 2]`, "1;", false}, {`[1] x`, "1;", false},
	} {
		var got strings.Builder
		ok := Elements([]byte(tt.text), func(v []byte) bool { fmt.Fprintf(&got, "%s;", v); return true })
		if got.String() != tt.want || ok != tt.ok {
			t.Errorf("%q: %s %v", tt.text, got.String(), ok)
		}
	}
	n := 0
	if ok := Elements([]byte(`[1,2,3`), func([]byte) bool { n++; return n < 2 }); !ok || n != 2 {
		t.Errorf("goes on after the end: %v, %d", ok, n)
	}
}
