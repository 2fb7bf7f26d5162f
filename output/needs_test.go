package output

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
)

// printed is what a Writer prints for data and warns of.
func printed(f *jq.Filter, all bool, data []byte) string {
	var out bytes.Buffer
	w := New(&out, Options{Filter: f, Warn: func(s string) { fmt.Fprintln(&out, "warning:", s) }})
	if all {
		w.selection = nil
	}
	ev := &proto.Event{Message: proto.Message{Data: data}, Seq: 1}
	err := w.Event(ev)
	if ferr := w.Flush(); err == nil {
		err = ferr
	}
	return fmt.Sprint(out.String(), err)
}

// needCases are expressions and events to try them on.
func needCases() (exprs, data []string) {
	exprs = []string{
		`.`, `.a`, `.a.b`, `.a["b"].c`, `.a?`, `.a.b?`, `.a, .`, `.a | .b | .c`, `..`, `.a[0]`, `.a[]`, `.a[1:]`, `.a[.b]`,
		`select(.a.b > 21)`, `select(.a)`, `select(.a | not)`, `select(.a and .b)`, `select(.a == .b)`, `select(.)`,
		`{a, b: .a.b}`, `{(.a): 1}`, `{"a", "b"}`, `{"x\(.a)": .b}`, `[.a, .b.c]`, `"\(.a)"`, `.a + .b`, `-.a`, `.a * 2`,
		`if .a then . else .b end`, `if .a.b then 1 elif .b then .a end`, `.a // .b`, `.a // empty`, `try error(.a) catch .`,
		`.a | length`, `.a | keys`, `.a | test("x")`, `.a | error`, `error`, `.a |= 1`, `.a as $x | [$x, .b]`, `to_entries`,
		`del(.b)`, `del(.missing)`, `path(.a)`, `first(.a, .b)`, `. == {"a":1}`, `[.]`, `{x: .}`, `.a | .. | numbers`, `@json`, `.a | @text`,
		`.a.b.c.d`, `(.a | .b), (.b | .a)`, `select(.a.b).a.c`, `.a | select(.b) | .c`, `.a | {b, c}`, `label $x | .a, break $x`, `env | .a`,
		`."\u0061"`, `."a"?`, `.["a"]?.b`, `.["a","b"]`, `."a\(1)"`, `.a[.b]?`, `.a[.b:]?`, `{@base64 "a": .b}`, `{a, (.b): 1}`, `{"a\(.b)"}`, `{$__loc__}`,
		`$__loc__`, `getpath(["a","b"])`, `paths`, `keys`, `length`, `.a | length`, `tojson`, `.a | tojson`, `[.a, .b] | add`, `$ENV.a`, `env.a`, `.[]`, `.[0]`,
		`def f: .a; f`, `def select(f): .; select(.a)`, `def not: .b; .a | not`, `. as {a: $x} | $x`, `. as [$x] | $x`, `reduce .a[]? as $x (0; . + 1)`,
		`.a = 1`, `.a.b += 1`, `.a //= .b`, `delpaths([["a"]])`, `with_entries(.value |= 1)`, `map_values(.)`, `any(.a; .b)`, `if . then .a else .b end`,
		`if .a == .b then .a.c elif .b then {b} else "\(.)" end`, `.a and .b or .a.b`, `(.a, .b) | .a?`, `(.a // .b).b?`, `try .a.b.c catch .`, `try (.a | .b | .c) catch "\(.)"`,
		`try error({x: .}) catch .x`, `try error catch .`, `.a | try error("\(.)") catch .`, `.a[.b.c]?`, `{a: .a | .b?}`, `[.a | select(.b)]`, `.a | select(.b == 1), .`,
		`select(.a | type == "object")`, `.a | if .b then .c end`, `{x: (.a | if .b then 1 end)}`, `.a | if .b then 1 elif .c then 2 end`, `.a | type`, `.a.b | not`, `[., .a]`, `.a | .`, `. | . | .a`, `., .a`, `.a, ., .b`, `(., .a) | .b?`, `isvalid(.a.b)`, `.a | has("b")`,
		`.a | halt_error`, `$__prog_args`, `input_line_number`, `ltrimstr(.a)`, `"x" | ltrimstr(.a | tojson)`, `splits(.a)?`, `[limit(1; .a, .b)]`, `first(.a)`, `until(true; .a)`,
	}
	data = []string{
		`{"a":{"b":22,"c":{"d":[1,{"e":2}]}},"b":"a","c":[1,2,3]}`, `{"a":[1,2,{"b":1}],"b":0}`, `{"a":"text","b":{"a":1,"b":2}}`,
		`{"a":null,"b":false}`, `{}`, `[{"a":1}]`, `"text"`, `12`, `null`, `no json`, `{"a":1,"a":{"b":2}}`, `{"\u0061":{"b":[]},"x":{"y":1}}`,
		"{ \"a\" :\n{ \"b\" : 1 } , \"b\" : 2 }", `{"a":{"b":1`, `{"a":{"b":01}}`,
		`{"a":{"b":{"c":{"d":1}}}}`, `{"a":{"b":1e400,"c":-0,"d":0.10},"b":12345678901234567890}`, `{"b":{"a":"\ud800"},"a":{"b":"\u00e9"}}`, `{"a":true,"b":{"b":{"b":null}}}`,
		`{"c":[{"a":{"b":1}}],"a":[{"b":1}],"b":["a"]}`, `{"a":"a","b":"x\\"}`, `{"c":tru,"a":1}`, `{"a":1}{"a":2}`, "{\"\xff\":1,\"a\":2}", `{"a":{"b":2,"b":[3]},"a":{"a":4}}`,
	}
	return exprs, data
}

// compareNeeds checks that an expression says the same of an event, errors
// included, whether the decoder makes all of it or only what is needed.
func compareNeeds(t *testing.T, expr string, data []byte) {
	filter, err := jq.Compile("--jq", expr, jq.Vars{})
	if err != nil || filter.Needs() == nil {
		return
	}
	if got, want := printed(filter, false, data), printed(filter, true, data); got != want {
		t.Errorf("%s of %s: %s, want %s", expr, data, got, want)
	}
}

func TestNeedsAreEnough(t *testing.T) {
	exprs, data := needCases()
	for _, expr := range exprs {
		for _, d := range data {
			compareNeeds(t, expr, []byte(d))
		}
	}
}

func FuzzNeeds(f *testing.F) {
	exprs, data := needCases()
	for i := range exprs {
		for _, d := range data {
			f.Add(exprs[i], []byte(d))
		}
	}
	f.Fuzz(func(t *testing.T, expr string, data []byte) {
		if len(expr) > 200 || strings.ContainsAny(expr, "&") {
			return
		}
		for _, endless := range []string{"repeat", "range", "while", "until", "recurse", "limit", "def", "now", "input", "gsub", "debug", "*", "implode", "foreach", "reduce", "combinations", "ltrimstr", "splits", "tojson", "getpath", "setpath", "rand", "tostream", "halt", "time"} {
			if strings.Contains(expr, endless) && !strings.Contains(expr, "* 2") {
				return
			}
		}
		compareNeeds(t, expr, data)
	})
}
