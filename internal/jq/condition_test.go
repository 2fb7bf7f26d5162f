package jq

import (
	"errors"
	"strings"
	"testing"
)

// A condition that cannot fail, or cannot come true, tests nothing and is refused,
// with a mark under the place.
func TestConditionsThatTestNothing(t *testing.T) {
	want, err := Arg("want", "x")
	if err != nil {
		t.Fatal(err)
	}
	vars := Vars{Named: []Var{want}}
	for _, tt := range []struct {
		expr, msg, mark string // mark is the text at the offset
	}{
		{".temp = 99", "compare with ==", "= 99"},
		{"  (.temp=99)", "compare with ==", "=99)"},
		{`.a == "=" and (.temp = 99)`, "compare with ==", "= 99)"},
		{".temp |= 99", "an assignment (|=)", "|= 99"},
		{".temp += 1", "an assignment (+=)", "+= 1"},
		{".temp //= 1", "an assignment (//=)", "//= 1"},
		{".x | (.y = 1) | not", "compare with ==", "= 1)"},
		{"select(.temp = 99)", "compare with ==", "= 99)"},
		{".a | select(.temp = 99)", "compare with ==", "= 99)"},
		{"true", "a constant", "true"},
		{" 1 < 2", "a constant", "1 < 2"},
		{`"x"`, "a constant", `"x"`},
		{"$want", "a constant", "$want"},
		{`$want == "x"`, "a constant", "$want"},
		{"[null]", "a constant", "[null]"},
		{"{}", "a constant", "{}"},
		{`{"a":1, b: [$want]}`, "a constant", "{"},
		{"true | not | not", "a constant", "true"},
		{"if .temp = 99 then true else false end", "compare with ==", "= 99 then"},
		{"if .x then .y else .temp = 99 end", "compare with ==", "= 99 end"},
		{"any(.temp = 99; .)", "compare with ==", "= 99; .)"},
		{"(.temp = 99) != null", "compare with ==", "= 99)"},
		{".temp = 99 // false", "compare with ==", "= 99 //"},
		{"def f: .temp = 5; f", "compare with ==", "= 5; f"},
	} {
		_, err := CompileCondition("--expect", tt.expr, vars)
		e, ok := errors.AsType[*Error](err)
		if !ok || !strings.Contains(e.Msg, tt.msg) || e.Offset < 0 || !strings.HasPrefix(tt.expr[e.Offset:], tt.mark) {
			t.Errorf("%s: %+v, want %q at %q", tt.expr, err, tt.msg, tt.mark)
		}
	}
	for _, expr := range []string{
		".temp == 99", ".temp >= 99", ".temp != 99", "(.temp = 99) | .temp > 3", "[.[] |= 1] | length > 2", ".", "empty",
		`.a == "b = c"`, "true and .x", "any", `test("a=b")`, "now > 3", "$want == .x", "(.a = 1).b", "not", `"\(.x)" == "1"`,
		"{a}", "{a: .a} == {a: 1}", "reduce .[] as $x ({}; .[$x] = 1) | length > 2", "def f: .x = 1; .y", "map(.x = 1) | length > 2",
	} {
		if _, err := CompileCondition("--expect", expr, vars); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
	}
}
