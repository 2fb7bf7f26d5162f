package jq

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
)

func mustProgram(t testing.TB, expr string, o Options) *Program {
	t.Helper()
	p, err := CompileProgram("send", expr, o)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return p
}

// text is values as JSON, one a line.
func text(t testing.TB, values []any) string {
	t.Helper()
	var out []byte
	var err error
	for _, v := range values {
		if out, err = eventjson.AppendValue(out, v); err != nil {
			t.Fatal(err)
		}
		out = append(out, '\n')
	}
	return string(out)
}

func TestProgram(t *testing.T) {
	count := 0
	o := Options{
		Vars:    []string{"param", "state"},
		Funcs:   map[string]func() any{"next": func() any { count++; return count }},
		Timeout: time.Minute, MaxOutputs: 10, MaxValue: 1 << 20,
	}
	param := map[string]any{"token": "t", "events": []any{"a", "b"}}
	state := map[string]any{"ping": 7}
	for expr, want := range map[string]string{
		`$param.token`: `"t"`,
		`{type: "auth", access_token: $param.token}`: `{"access_token":"t","type":"auth"}`,
		`($param.events // [null]) | to_entries[] | {id: (.key + 1), type: "s"} + if .value then {event: .value} else {} end`: `{"event":"a","id":1,"type":"s"}` + "\n" + `{"event":"b","id":2,"type":"s"}`,
		`{ping: (($state.ping // 1000) + 1)}`: `{"ping":8}`,
		`$next, $next`:                        "1\n2",
		`{$next}`:                             `{"next":1}`,
		`{$state}`:                            `{"state":{"ping":7}}`,
		`def f: . + 1; 1 | f`:                 "2",
		`"a\($param.token)b" , @base64 "x\("y")"`:                 `"atb"` + "\n" + `"xeQ=="`,
		`.a.env, (.b? | .c)`:                                      "null\nnull",
		`[.[]?] | length`:                                         "0",
		`"env is not \("input") halt" # env`:                      `"env is not input halt"`,
		`{env: 1, "input": 2} | .env, .input`:                     "1\n2",
		`1 as $x | [$x, $x + 1] as [$a, $b] | $a * $b`:            "2",
		`reduce range(5) as $i ([]; . + [$i]) | join(",")`:        `"0,1,2,3,4"`,
		`{a: [1, 2, 3]} | .a[1] |= empty | .a[5] = 9 | .b.c += 1`: `{"a":[1,3,null,null,null,9],"b":{"c":1}}`,
		`[limit(3; repeat("x"))] | add`:                           `"xxx"`,
		`[1, [2]] | tojson | fromjson | flatten`:                  `[1,2]`,
		`add(1, 2, 3), add(empty)`:                                "6\nnull",
		`"abc" | gsub("b"; "x"), [match("."; "g").offset]`:        `"axc"` + "\n" + `[0,1,2]`,
		`.`: `null`,
	} {
		count = 0
		got, err := mustProgram(t, expr, o).Run(t.Context(), nil, param, state)
		if err != nil || text(t, got) != want+"\n" {
			t.Errorf("%s: %s, %v, want %s", expr, text(t, got), err, want)
		}
	}
}

func TestProgramRefuses(t *testing.T) {
	o := Options{Vars: []string{"a"}, Funcs: map[string]func() any{"now_ms": func() any { return 1 }}, MaxValue: 1000}
	for _, tt := range []struct{ expr, msg, mark string }{
		{`.env | env.HOME`, "env cannot be used", "env.HOME"},
		{`{a: $ENV}`, "$ENV cannot be used", "$ENV"},
		{`{$ENV}`, "$ENV cannot be used", "$ENV"},
		{`"x\(input)"`, "input cannot be used", "input"},
		{`[inputs]`, "inputs cannot be used", "inputs"},
		{`import "m" as m; .`, "modules cannot be used", "import"},
		{`include "m"; .`, "modules cannot be used", "include"},
		{`if .halt then halt else . end`, "halt cannot be used", "halt else"},
		{`.a | halt_error`, "halt_error cannot be used", "halt_error"},
		{`.a | halt_error(1)`, "halt_error cannot be used", "halt_error"},
		{`debug`, "debug cannot be used", "debug"},
		{`debug("m")`, "debug cannot be used", "debug"},
		{`stderr`, "stderr cannot be used", "stderr"},
		{`input_filename`, "input_filename cannot be used", "input_filename"},
		{`$__prog_args`, "$__prog_args cannot be used", "$__prog_args"},
		{`def f: env; f`, "env cannot be used", "env"},
		{`. as {a: $x, ("b" | env): $y} | $x`, "env cannot be used", "env"},
		{`_add(1; 2)`, "function not defined: _add", "_add"},
		{`_check`, "function not defined: _check", "_check"},
		{`_checked_modify(.a; 1)`, "function not defined", "_checked"},
		{`def _x: 1; .`, "cannot begin with _", "_x"},
		{`def join(s): 1; join(",")`, "join cannot be defined again", "join(s)"},
		{`def f(tojson): tojson; f(1)`, "tojson cannot be defined again", "tojson)"},
		{`1 as $now_ms | $now_ms`, "$now_ms cannot be bound again", "$now_ms |"},
		{`def f($now_ms): $now_ms; f(1)`, "$now_ms cannot be bound again", "$now_ms)"},
		{`.a | foo`, "function not defined", "foo"},
		{`$b`, "variable not defined", "$b"},
		{`.a |`, "unexpected end", ""},
	} {
		_, err := CompileProgram("send", tt.expr, o)
		e, ok := errors.AsType[*Error](err)
		if !ok || !strings.Contains(e.Msg, tt.msg) || e.Offset < 0 || !strings.HasPrefix(tt.expr[e.Offset:], tt.mark) {
			t.Errorf("%s: %#v, want %q at %q", tt.expr, err, tt.msg, tt.mark)
		}
	}
}

// Whatever an expression does, it ends, and takes little memory until then.
func TestProgramLimits(t *testing.T) {
	big := strings.Repeat("x", 1<<17)
	for _, tt := range []struct{ limit, expr string }{
		{"size", `"a" * 1e9`},
		{"size", `1e9 * "a"`},
		{"size", `"a" * infinite`},
		{"size", `.[50000000] = 1`},
		{"size", `.[50000000] |= 1`},
		{"size", `.[50000000] += 1`},
		{"size", `.a[0][50000000] //= 1`},
		{"size", `setpath([50000000]; 1)`},
		{"size", `[range(1000) | []] | .[][20000] = 1`},
		{"size", `[range(1000)] | .[] |= $big + "x"`},
		{"size", `reduce range(100) as $i ("ab"; . + .)`},
		{"size", `reduce range(100) as $i ("ab"; "\(.)\(.)")`},
		{"size", `reduce range(100) as $i ("ab"; @base64 "\(.)\(.)")`},
		{"size", `reduce range(100) as $i ([1]; . + .)`},
		{"size", `reduce range(100) as $i ([1]; [., .])`},
		{"size", `reduce range(100) as $i ({}; {a: ., b: .})`},
		{"size", `reduce range(100) as $i ({}; .a = [., .])`},
		{"size", `reduce range(1000000) as $i (null; [.])`},
		{"size", `reduce range(1000000) as $i (null; {a: .})`},
		{"size", `reduce range(1000) as $i (3; . * .)`},
		{"size", `reduce range(100) as $i ("a"; . * 3)`},
		{"size", `reduce range(100) as $i ("\""; tojson)`},
		{"size", `reduce range(100) as $i ("\""; @json)`},
		{"size", `[range(1e9)]`},
		{"size", `[repeat(1)]`},
		{"size", `[limit(1e9; repeat([]))]`},
		{"size", `[range(1000) | "x"] | join($big)`},
		{"size", `[[range(10000)], (range(10000) | [])] | transpose`},
		{"size", `$big | explode`},
		{"size", `add(range(1000) | $big)`},
		{"size", `[1] | map(range(1e6) | $big)`},
		{"size", `$big | [match(""; "g")]`},
		{"size", `$big | gsub(""; "y")`},
		{"size", `try ("a" * 1e9) catch 1`},
		{"size", `("a" * 1e9)? // 1`},
		{"size", `[.[]?, "a" * 1e9] | first`},
		{"size", `[$big | .[:1000], .], $big`}, // together
		{"size", `range(10) | $big`},
		{"outputs", `range(1e9)`},
		{"time", `[range(1e5)] | . - map(. + 1)`},
		{"time", `repeat(empty)`},
		{"time", `last(repeat(1))`},
		{"memory", `def f: f | f; f`},
		{"memory", `[1] | map(repeat("x" + $big[:100000]))`},
		{"memory", `[1] | map(repeat(1))`},
	} {
		o := Options{Vars: []string{"big"}, Timeout: time.Minute, MaxOutputs: 1000, MaxValue: 1 << 18}
		switch tt.limit {
		case "time":
			o.Timeout = 100 * time.Millisecond
		case "memory":
			o.Timeout = 5 * time.Minute // it is not what ends them, on a busy machine either
		}
		before := heapInUse()
		p := mustProgram(t, tt.expr, o)
		out, err := p.Run(t.Context(), nil, big)
		grown := (int64(heapObjects()) - before) >> 20 // the last garbage included
		if e, ok := errors.AsType[*LimitError](err); !ok || out != nil || e.Limit != tt.limit {
			t.Errorf("%s: %.100v, %v, want the limit of %s", tt.expr, out, err, tt.limit)
		}
		if grown > 400 {
			t.Errorf("%s takes %d MiB", tt.expr, grown)
		}
	}
}

// Within the limits, the rewritten expression says what the expression says.
func TestProgramIsTheExpression(t *testing.T) {
	inputs := []string{`1`, `{"a":[1,2,{"b":null}],"b":"x"}`, `[3,1,2]`, `"text"`, `null`, `{"a":{"b":[true,false]}}`, `[[1],[2,[3]]]`, `-0.5`}
	for _, expr := range []string{
		`.`, `empty`, `., .`, `.a?`, `.[]?`, `[..]`, `[..|numbers]`, `error`, `try error catch .`, `.a + 1`, `. + .`, `. * 2`, `. - .`, `. / "t"`, `. % 2`,
		`(1,2) + (10,20)`, `(1,2) * (10,20)`, `. as [$a, {b: $b}] ?// $a | [$a, $b]`, `.a = 1`, `.a |= 1`, `.a |= empty`, `.[1:] = [9]`, `.[1:] |= map(. + 1)`,
		`.[] += 1`, `.. |= .`, `.a += (1, 2)`, `.a //= 5`, `.[-1] = 7`, `.[-9] = 7`, `.[1.7] = 3`, `(.a, .b) = (1, 2)`, `(.a, .b) |= (1, 2)`, `.[]? |= empty`,
		`(.a | select(. != null)) |= tojson`, `.a[1:2] += ["x"]`, `setpath(["a", 0]; (1, 2))`, `setpath((["a"], [0]); 1)`, `setpath("a"; 1)`, `setpath([[1]]; 2)`,
		`try (.a = error("x")) catch .`, `{a: 1, "b": (2, 3), (tostring): 4, "x\(1, 2)": 5}`, `{"a\(1)"}`, `{a, b}?`, `[.[]? | {x: .}]`, `[1, 2, [3]]`, `"\(.) \(1 + 1)"`,
		`@json "x\(.)y", @html "<\(.)>"`, `@base64`, `@csv`, `tojson, tostring`, `[.[]? | tostring] | join("-", "+")`, `join(",")`, `join(1)`, `add`, `add(.[]?)`, `map(1)`,
		`map_values(empty)`, `to_entries`, `with_entries(.value |= [.])`, `from_entries`, `walk(if type == "number" then . + 1 else . end)`, `transpose`, `explode`, `implode`,
		`contains("t")`, `contains([1])`, `inside([3, 1, 2, 4])`, `indices(1)`, `indices("t")`, `index("t"), rindex("t")`, `match("t")`, `[match("t"; "g").offset]`, `gsub("t"; "T", "U")`,
		`sub("(?<x>e)"; "<\(.x)>")`, `[scan("."; "g")]`, `[splits("e")]`, `split("e")`, `split("e"; null)`, `capture("(?<a>.)")`, `test("t")`, `path(..)`, `[paths]`, `del(.a, .[0])?`,
		`path(.a | select(. + 1 > 0))`, `path(.a[1:])`, `path(if .a + 1 then .b else .c end)`, `path([.])`, `path({a: 1})`, `path(. + 1)`, `to_entries[0].key`, `pick(.a)`, `tostream`, `[tostream] | fromstream(.[])`,
		`reduce .[]? as $x (0; . + 1)`, `foreach .[]? as $x (0; . + 1; [$x, .])`, `label $out | .[]? | ., break $out`, `def f(g): g + 1; f(., 2)`, `[limit(3; repeat(1))]`, `combinations`, `[combinations(2)]`,
		`INDEX(.a?)`, `-1, -(. + 1)`, `1 - 1e1000`, `12345678901234567890 + 1, 12345678901234567890 * 12345678901234567890`, `"x" * 0, "x" * -1, "x" * nan`, `{} * {a: {b: 1}} * {a: {c: 2}}`,
		`. == {} // 5`, `(.a, .b)?`, `.["a"]?`, `."a\("")"?`, `.[("a", "b")]?`, `ltrimstr("te")`, `min_by(.a)?, sort_by(.)?, group_by(.)?`, `.. == 1`, `[range(0; 10; 3)]`, `[.[]?] | first, last, nth(1)`, `fromjson`, `flatten`,
		`ascii_downcase`, `splits("t")`, `getpath(["a", 0])`, `error({a: 1})`, `try error({a: 1}) catch .a`, `keys`, `[.[] as [$a] | $a]`, `. as {$a, b: [$c]} | [$a, $c]`, `todate`, `strftime("%Y")`, `.a.b.c = (.b, 2)`, `.a |= (.b = 1)`, `. += .`,
	} {
		f, err := Compile("send", expr, Vars{})
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		limited := mustProgram(t, expr, Options{MaxValue: 1 << 20, MaxOutputs: 1000, Timeout: time.Minute})
		free := mustProgram(t, expr, Options{})
		for _, in := range inputs {
			var d eventjson.Decoder
			v, err := d.Decode([]byte(in))
			if err != nil {
				t.Fatal(err)
			}
			want := resultsOf(t, f, v)
			for _, p := range []*Program{free, limited} {
				out, err := p.Run(t.Context(), v)
				got := text(t, out)
				if err != nil {
					got = aFailure // jq's words for a failure of an assignment differ
				}
				if got != want {
					t.Errorf("%s of %s:\ngot  %s\nwant %s", expr, in, got, want)
				}
			}
		}
	}
}

const aFailure = "failed"

// resultsOf is all that f yields for v, or aFailure.
func resultsOf(t *testing.T, f *Filter, v any) string {
	var values []any
	r := f.run(t.Context(), v)
	for {
		v, ok, err := r.next()
		if err != nil {
			return aFailure
		}
		if !ok {
			return text(t, values)
		}
		values = append(values, v)
	}
}

func TestProgramEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("time is up"))
	_, err := mustProgram(t, `repeat(1)`, Options{}).Run(ctx, nil)
	if i, ok := errors.AsType[Interrupted](err); !ok || i.Cause.Error() != "time is up" {
		t.Errorf("%v", err)
	}
}

func TestProgramMentions(t *testing.T) {
	for _, tt := range []struct {
		expr      string
		key, uses bool
	}{
		{`$p.token`, true, true}, {`{a: $p["token"]}`, true, true}, {`$p.other`, false, true}, {`$p`, true, true}, {`{$p}`, true, true}, {`$p | .other`, true, true},
		{`$p[.x]`, true, true}, {`$p."to\("ken")"`, true, true}, {`"x\($p.token)"`, true, true}, {`"x\($p.other)"`, false, true}, {`.token`, false, false}, {`def f: $p.token; 1`, true, true},
		{`. as {a: $x, ($p.token): $y} | $x`, true, true}, {`$p[]`, true, true}, {`$p?`, true, true}, {`$p.other.token`, false, true}, {`.[$p.token]`, true, true}, {`"$p.token"`, false, false},
	} {
		p := mustProgram(t, tt.expr, Options{Vars: []string{"p"}})
		if got := p.Mentions("p", "token"); got != tt.key {
			t.Errorf("%s mentions $p.token: %v", tt.expr, got)
		}
		if got := p.Uses("p"); got != tt.uses {
			t.Errorf("%s uses $p: %v", tt.expr, got)
		}
	}
}

func TestClone(t *testing.T) {
	v := map[string]any{"a": []any{1, map[string]any{"b": "c"}}}
	w := Clone(v).(map[string]any)
	v["a"].([]any)[1].(map[string]any)["b"] = "d"
	if got := text(t, []any{w}); got != `{"a":[1,{"b":"c"}]}`+"\n" {
		t.Error(got)
	}
}
