package jq

import (
	"context"
	"fmt"
	"testing"

	"github.com/hark-cli/hark/internal/eventjson"
)

// natively is what a Set says of an event, or of its text when it says nothing: a line
// for each value.
func natively(f *Filter, data []byte) (out string, matches, ok bool) {
	var s Set
	n := s.Add(f)
	if n == nil {
		return "", false, false
	}
	if ok, _ := s.Load(data); !ok {
		return "", false, false
	}
	matches, _ = n.Matches()
	outs, ok := n.Outputs()
	for _, o := range outs {
		if o.Whole {
			out += "whole\n"
		} else {
			out += string(o.JSON) + "\n"
		}
	}
	return out, matches, ok
}

// byGojq is what gojq says.
func byGojq(f *Filter, data []byte) (out string, matches bool, err error) {
	var d eventjson.Decoder
	v, err := d.Decode(data)
	if err != nil {
		return "", false, err
	}
	r := f.run(context.Background(), v)
	for {
		w, ok, err := r.next()
		if err != nil {
			return out, matches, err
		}
		if !ok {
			break
		}
		if m, ok := w.(map[string]any); ok && fmt.Sprintf("%p", m) == fmt.Sprintf("%p", v) {
			out += "whole\n"
		} else {
			b, err := eventjson.AppendValue(nil, w)
			if err != nil {
				return out, matches, err
			}
			out += string(b) + "\n"
		}
	}
	matches, err = f.Matches(context.Background(), v)
	return out, matches, err
}

// compareNatively fails the test when a Set says something else than gojq.
func compareNatively(t *testing.T, f *Filter, data []byte) (taken bool) {
	t.Helper()
	got, matches, ok := natively(f, data)
	if !ok {
		return false
	}
	want, wantMatches, err := byGojq(f, data)
	if err != nil || got != want || matches != wantMatches {
		t.Errorf("%s of %q:\ngot  %q, %v\nwant %q, %v, %v", f, data, got, matches, want, wantMatches, err)
	}
	return true
}

func TestNative(t *testing.T) {
	events := []string{
		`{"a":{"b":22,"c":{"d":[1,{"e":2}]}},"b":"a","c":[1,2,3]}`, `{"a":[1,2,{"b":1}],"b":0}`, `{"a":"text","b":{"a":1,"b":2}}`,
		`{"a":null,"b":false}`, `{}`, `{"a":1,"a":{"b":2}}`, `{"a":{"b":2},"a":1}`, `{"a":{"b":2},"a":{}}`, `{"\u0061":{"b":[]},"x":{"y":1}}`,
		"{ \"a\" :\n{ \"b\" : 1 } , \"b\" : 2 }\r\n", `{"a":{"b":{"c":{"d":1}}}}`, `{"a":{"b":1e400,"c":-0,"d":0.10},"b":12345678901234567890}`,
		`{"b":{"a":"\ud800"},"a":{"b":"\u00e9\u007f\"x\\"}}`, `{"a":true,"b":{"b":{"b":null}}}`, `{"c":[{"a":{"b":1}}],"a":[{"b":1}],"b":["a"]}`,
		`{"a":-5,"b":-5.50}`, `{"a":1E2,"b":100}`, `{"a":100000000000000001,"b":1e17}`, `{"a":"漢字","b":"\u6f22\u5b57"}`, `{"a":{"z":1,"y":[ 2 , 3 ],"z":4},"b":[ ]}`,
	}
	for _, expr := range []string{
		`.`, `.a`, `.a.b`, `.a["b"].c`, `.a?`, `.a.b?`, `.a.b.c?`, `.a.b??`, `.a, .`, `.a | .b | .c`, `.a[0]`, `.a[5]`, `.a[0].b?`, `select(.a.b > 21)`, `select(.a)`, `select(.a | not)`,
		`select(.a and .b)`, `select(.a == .b)`, `select(.)`, `select(.a).b`, `.a | select(.b?)`, `{a, b: .a.b?}`, `{"a", "b"}`, `{"x y": .a, "x y": .b}`, `{b: .a, a: .b}`, `[.a, .b]`, `[.a, select(.b), 1]`, `[]`, `{}`, `[.a | (.b?, 1)]`,
		`if .a then . else .b end`, `if .a.b? then 1 elif .b then .a end`, `.a // .b`, `.a // empty`, `(.a // .b).b?`, `.a // (.b | length)`, `.a | length`, `.a | type`, `.a | type == "object"`, `.a | (.b? | type), length?`, `. | length`, `{a: 1, b: [2]} | length`,
		`.a | test("x")?`, `.a | test("X"; "i")?`, `.a | startswith("te")?`, `.a | endswith("t")?`, `.a | contains("ex")?`, `.a | (test("漢")?)`, `.a > .b`, `.a < 1`, `.a >= 100`, `.a == 1e2`, `.b != null`, `"a" < .b`, `.a == "text"`, `.a <= [1]`, `.a == {}`,
		`.a == .a`, `[.a] == [.a]`, `.a == -0`, `(.b > .a.d)?`, `(.a.b > .b)?`, `.b == 12345678901234567890`, `.a | . == "漢字"`, `.a and .b or (.c | not)`, `(.a, .b) | length?`, `(.a, .b)`, `try .a.b`, `try .a.b.c`, `empty`, `1, "x", null, true, [1.50], -3, 1e3`, `.a as $x | $x`, `{a: {b: [.a, {c: .b}]}}`, `.a | {b}?`, `{a} | .a`, `{a} | type`, `(.a | length)?`, `.a.b.c // 5`, `[.[] | 1]`,
	} {
		f, err := Compile("--jq", expr, Vars{})
		if err != nil {
			t.Fatal(expr, err)
		}
		taken := 0
		for _, event := range events {
			if compareNatively(t, f, []byte(event)) {
				taken++
			}
		}
		t.Logf("%s: %d of %d", expr, taken, len(events))
	}
}

// An expression that gojq does not compile as jq does is left to gojq.
func TestNativeLeavesMiscompiled(t *testing.T) {
	for _, expr := range []string{`{"a": (if .a then 1 else 2 end | 3)}`, `{"a": ((.a and .b) | "x")}`, `[(if .a then 1 end), .b | ([1] | .)]`, `.a or .b | {}`, `{"a": ({b} // 1 | -0)}`, `.a // .b | 3`, `{"a": ((.a, .b) | 3)}`, `.a? | 3`, `if ([.] or .) | . | false | . then 1 else 2 end`, `(.a or .b) | ((. | .) | 3)`} {
		f, err := Compile("--jq", expr, Vars{})
		if err != nil {
			t.Fatal(expr, err)
		}
		if new(Set).Add(f) != nil {
			t.Errorf("%s is evaluated natively", expr)
		}
	}
}
