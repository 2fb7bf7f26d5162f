package jq

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"testing"

	"github.com/hark-cli/hark/internal/eventjson"
)

// results of an expression on one value after another, by a Pipeline or by runs of
// their own; each stops after limit values.
func outcomesOf(f *Filter, together bool, limit int, inputs []string) []string {
	var out []string
	var d eventjson.Decoder
	m := f.Pipeline(context.Background())
	for i, text := range inputs {
		m.runs += i % 3 * maxRuns / 2 // a new run now and then
		v, err := d.Decode([]byte(text))
		if err != nil {
			continue
		}
		next := m.Next
		if together {
			m.Run(v)
		} else {
			next = f.run(context.Background(), v).next
		}
		for range limit {
			v, ok, err := next()
			if err != nil {
				out = append(out, "error: "+err.Error())
			}
			if err != nil || !ok {
				break
			}
			b, err := eventjson.AppendValue(nil, v)
			out = append(out, fmt.Sprint(string(b), err))
		}
		out = append(out, "--")
	}
	return out
}

// An expression says the same of a value whatever ran before it.
func TestPipeline(t *testing.T) {
	inputs := []string{`1`, `{"a":[1,2,{"b":null}],"b":"x"}`, `[3,1,2]`, `"text"`, `null`, `{"a":{"b":[true,false]}}`, `[[1],[2,[3]]]`, `-0.5`}
	for _, expr := range []string{
		`.`, `empty`, `., .`, `.a`, `.a?`, `.[]?`, `..`, `[..|numbers]`, `.a, .b`, `error`, `error(.)`, `try error catch .`,
		`select(.a)`, `{a: .a?, b: .b?}`, `first(.[]?)`, `last(.[]?)`, `limit(2; ..)`, `label $out | .[]? | ., break $out`,
		`reduce .[]? as $x (0; . + 1)`, `foreach .[]? as $x (0; . + 1; [$x, .])`, `def f: if . == null then 1 else [.] end; f`,
		`. as $x | [$x, $x]`, `. as {a: $a} ?// [$a] | $a`, `path(..)`, `paths`, `to_entries?`, `.a |= 1`, `del(.a)?`, `.a // "none"`,
		`if .a? then .a else .[0]? end`, `range(3)`, `input_filename?`, `[limit(3; repeat(1))]`, `isempty(.[]?)`, `any`, `$__prog_args?`,
		`getpath(["a","b"])?`, `tostream`, `ltrimstr("te")`, `@json`, `"\(.)"`, `map(.)?`, `1, error("x"), 2`, `(1,2) as $x | (.,$x)`,
		`try (1, error("x"), 2) catch ., 3`, `.a.b.c?, 1`, `halt`, `"x" | halt_error`, `$ENV | type`, `sort?`, `while(false; .)`, `recurse(.[]?; . != null)`,
		`def fac: if . <= 1 then 1 else . * (. - 1 | fac) end; [5, 10 | fac]`, `splits("e")?`, `[splits("e")?]`, `limit(0; 1)`, `until(true; .)`, `. == null`,
	} {
		f, err := Compile("--jq", expr, Vars{})
		if err != nil {
			continue
		}
		for _, limit := range []int{1, 2, 100} {
			got, want := outcomesOf(f, true, limit, inputs), outcomesOf(f, false, limit, inputs)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %d values of each:\ngot  %q\nwant %q", expr, limit, got, want)
			}
		}
	}
	if _, err := Compile("--jq", eventsFunc, Vars{}); err == nil {
		t.Errorf("an expression can call %s: %v", eventsFunc, err)
	}
}

// What a rare giant has left on the stacks does not stay.
func TestPipelineForgets(t *testing.T) {
	m := mustCompile(t, `[..] | length`, Vars{}).Pipeline(t.Context())
	pass := func(v any) {
		m.Run(v)
		for ok := true; ok; {
			var err error
			if _, ok, err = m.Next(); err != nil {
				t.Fatal(err)
			}
		}
	}
	pass(1)
	before := heapInUse()
	pass([]any{[]any{[]any{[]any{make([]any, 1<<17)}}}}) // several MiB with what is made of it
	for range maxRuns {
		pass(1)
	}
	if grown := heapInUse() - before; grown > 1<<20 {
		t.Errorf("%d bytes more", grown)
	}
	runtime.KeepAlive(m)
}

// What runs on must not remember more and more.
func TestPipelineDoesNotGrow(t *testing.T) {
	for _, expr := range []string{`limit(3; repeat(.a))`, `reduce range(.b) as $x (0; . + $x)`, `def f: if . > 20 then . else . + 1 | f end; .a | f`, `.a // .b`, `[..]`, `try (.a | keys) catch .`,
		`select(.a > 1)`, `.a, .b`, `{a, b}`, `first(.a, .b)`, `def f(x): x + 1; f(.a)`, `[.[]] | add`, `path(.a)`, `label $x | .a, break $x`, `try error catch .`} {
		f := mustCompile(t, expr, Vars{})
		m := f.Pipeline(t.Context())
		v := map[string]any{"a": 1, "b": 2}
		pass := func() {
			m.Run(v)
			for {
				if _, ok, err := m.Next(); err != nil {
					t.Fatal(expr, err)
				} else if !ok {
					return
				}
			}
		}
		for range 1000 {
			pass()
		}
		before := heapInUse()
		for i := range 5000 {
			m.runs = i & 1 // so that it is one run
			pass()
		}
		if grown := heapInUse() - before; grown > 64<<10 {
			t.Errorf("%s holds %d bytes more after 5000 values", expr, grown)
		}
		runtime.KeepAlive(m)
	}
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
