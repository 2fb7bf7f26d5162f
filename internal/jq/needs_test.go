package jq

import (
	"fmt"
	"strings"
	"testing"

	"github.com/itchyny/gojq"

	"github.com/hark-cli/hark/internal/eventjson"
)

// describe writes a selection as "{data{value},id}", and everything as "*".
func describe(s *eventjson.Selection, names []string) string {
	if s == nil {
		return "*"
	}
	// A Selection does not tell its members: an object that has all of them, in
	// two levels, shows which ones it lets through.
	var d eventjson.Decoder
	var b strings.Builder
	b.WriteByte('{')
	for i, outer := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:{", outer)
		for j, inner := range names {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "%q:1", inner)
		}
		b.WriteByte('}')
	}
	b.WriteByte('}')
	v, err := d.DecodeSelected([]byte(b.String()), s)
	if err != nil {
		return err.Error()
	}
	var parts []string
	for _, outer := range names {
		m, ok := v.(map[string]any)[outer].(map[string]any)
		switch {
		case !ok:
		case len(m) == len(names):
			parts = append(parts, outer)
		default:
			var in []string
			for _, inner := range names {
				if _, ok := m[inner]; ok {
					in = append(in, inner)
				}
			}
			parts = append(parts, outer+"{"+strings.Join(in, ",")+"}")
		}
	}
	return strings.Join(parts, ",")
}

func TestNeeds(t *testing.T) {
	tests := []struct{ expr, want string }{
		{`.`, ""},
		{`.a`, "a"},
		{`.a.b`, "a{b}"},
		{`.a["b"]`, "a{b}"},
		{`.["a"].b?`, "a{b}"},
		{`.a | .b`, "a{b}"},
		{`.a, .b`, "a,b"},
		{`.a.b, .a`, "a"},
		{`.a, .a.b`, "a"},
		{`select(.a.b > 21)`, "a{b}"},
		{`select(.a)`, "a{}"},
		{`select(.a and (.b.c | not))`, "a{},b{c}"},
		{`select(.a.b == "x" or .c == null) | {a: .b, c: .d.a}`, "a{b},b,c,d{a}"},
		{`{a, "b", v: .c.d}`, "a,b,c{d}"},
		{`{(.a): .b}`, "a,b"},
		{`{"x\(.a)": .b}`, "a,b"},
		{`{"x\(.a)"}`, "*"},
		{`{$x, a: $x}`, ""},
		{`[.a, .b.c]`, "a,b{c}"},
		{`"\(.a) and \(.b.c)"`, "a,b{c}"},
		{`if .a.b then .c else .d end`, "a{b},c,d"},
		{`if .a then .b elif .c then . end`, "a{},b,c{}"},
		{`.a // .b.c`, "a,b{c}"},
		{`-.a`, "a"},
		{`.a + .b * 2`, "a,b"},
		{`.a | length`, "a"},
		{`.a | test("x")`, "a"},
		{`select(.a | startswith("x"))`, "a"},
		{`try .a catch .b`, "a"},
		{`.a[0].b`, "a"},
		{`.a[.b]`, "a,b"},
		{`.a[]`, "a"},
		{`empty`, ""},
		{`1`, ""},
		{`[.]`, "*"},
		{`{a: .}`, "*"},
		{`. == 1`, "*"},
		{`length`, "*"},
		{`..`, "*"},
		{`.a = 1`, "*"},
		{`.a as $x | $x`, "*"},
		{`def f: .a; f`, "*"},
		{`del(.a)`, "*"},
		{`with_entries(.)`, "*"},
		{`reduce .a[] as $x (0; . + $x)`, "*"},
		{`@text`, "*"},
		{`debug`, "*"},
		{`.a | error`, "a"},
	}
	names := []string{"a", "b", "c", "d"}
	for _, tt := range tests {
		q, err := gojq.Parse(tt.expr)
		if err != nil {
			t.Fatal(tt.expr, err)
		}
		if got := describe(needs(q), names); got != tt.want {
			t.Errorf("%s needs %s, want %s", tt.expr, got, tt.want)
		}
	}
}
