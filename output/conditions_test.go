package output

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
)

func TestConditions(t *testing.T) {
	events := []string{`{"n":1}`, `{"n":2}`, `{"n":3}`, `{"n":4}`, `"five"`}
	count := func(n uint64) func(*Options) {
		return func(o *Options) { o.Conditions = append(o.Conditions, Count(n)) }
	}
	shape := func(expr string) func(*Options) {
		return func(o *Options) { o.Filter = mustCompile(t, expr, jq.Vars{}) }
	}
	on := func(make func(*jq.Filter) Condition, flag, expr string) func(*Options) {
		f, err := jq.Compile(flag, expr, jq.Vars{})
		if err != nil {
			t.Fatal(err)
		}
		return func(o *Options) { o.Conditions = append(o.Conditions, make(f)) }
	}
	until := func(expr string) func(*Options) { return on(Until, "--until", expr) }
	failIf := func(expr string) func(*Options) { return on(FailIf, "--fail-if", expr) }
	expect := func(exprs ...string) func(*Options) {
		var fs []*jq.Filter
		for _, expr := range exprs {
			fs = append(fs, mustCompile(t, expr, jq.Vars{}))
		}
		return func(o *Options) { o.Conditions = append(o.Conditions, Expect(fs...)) }
	}
	fail := func(o *Options) { o.JQErrorFail = true }
	type opts = []func(*Options)
	tests := []struct {
		name      string
		opts      opts
		condition string // "" when the stream has not ended; "error" for a FilterError
		printed   string
		unmet     string
		warnings  int
	}{
		{"none", nil, "", "1 2 3 4 five", "", 0},
		{"count", opts{count(2)}, "count", "1 2", "", 0},
		{"count of all", opts{count(5)}, "count", "1 2 3 4 five", "", 0},
		{"count not reached", opts{count(6)}, "", "1 2 3 4 five", "--count: 5 of 6 events", 0},
		{"count after the filter", opts{count(2), shape(`select(.n? % 2 == 0)`)}, "count", "2 4", "", 0},
		{"count counts events, not lines", opts{count(2), shape(`.n, -.n`)}, "count", "1 -1 2 -2", "", 0},
		{"count with a filter that drops all", opts{count(1), shape(`empty`)}, "", "", "--count: 0 of 1 event", 0},
		{"an event that failed half-way counts", opts{count(1), shape(`.n, error`)}, "count", "1", "", 1},
		{"until", opts{until(`.n == 3`)}, "until", "1 2 3", "", 0},
		{"until looks before the filter", opts{until(`.n == 3`), shape(`.n * 10`)}, "until", "10 20 30", "", 0},
		{"until, and the filter drops the event", opts{until(`.n == 3`), shape(`select(.n < 3)`)}, "until", "1 2", "", 0},
		{"until null and false do not match", opts{until(`null, false`)}, "", "1 2 3 4 five", "--until 'null, false': no match in 5 events", 0},
		{"until on text", opts{until(`. == "five"`)}, "until", "1 2 3 4 five", "", 0},
		{"until fails", opts{until(`.n == 9`)}, "", "1 2 3 4 five", "--until '.n == 9': no match in 5 events, nearest .n: 4", 1},
		{"until fails, as an error", opts{until(`.n == 9`), fail}, "error", "1 2 3 4", "--until '.n == 9': no match in 5 events, nearest .n: 4", 0},
		{"until before count", opts{until(`.n == 2`), count(3)}, "until", "1 2", "--count: 2 of 3 events", 0},
		{"count before until", opts{until(`.n == 3`), count(2)}, "count", "1 2", "--until '.n == 3': no match in 2 events, nearest .n: 2", 0},
		{"both by one event", opts{until(`.n == 2`), count(2)}, "until", "1 2", "", 0},
		{"until although the filter fails", opts{until(`.n == 2`), shape(`if .n == 2 then error else . end`)}, "until", "1", "", 1},
		{"the filter fails, as an error, before until", opts{until(`.n == 2`), shape(`if .n == 2 then error else . end`), fail}, "error", "1", "", 0},
		{"halt", opts{shape(`if .n == 3 then "bye", halt else .n end`)}, "halt", "1 2 bye", "", 0},
		{"halt in until", opts{until(`if .n == 3 then halt else false end`)}, "halt", "1 2", "--until 'if .n == 3 then halt else false end': no match in 3 events", 0},
		{"fail-if", opts{failIf(`.n == 3`)}, "fail-if", "1 2 3", "", 0},
		{"fail-if is not awaited", opts{failIf(`.n == 9`)}, "", "1 2 3 4 five", "", 1},
		{"fail-if before until by one event", opts{failIf(`.n == 2`), until(`.n == 2`), count(2)}, "fail-if", "1 2", "", 0},
		{"until first", opts{failIf(`.n == 3`), until(`.n == 2`)}, "until", "1 2", "", 0},
		{"fail-if, and the filter drops the event", opts{failIf(`.n == 3`), shape(`select(.n < 3)`)}, "fail-if", "1 2", "", 0},
		{"fail-if although the filter halts", opts{failIf(`.n == 1`), shape(`halt`)}, "fail-if", "", "", 0},
		{"several until", opts{until(`.n == 3`), until(`.n == 2`)}, "until", "1 2", "--until '.n == 3': no match in 2 events, nearest .n: 2", 0},
		{"expect", opts{expect(`.n == 2`)}, "expect", "1 2", "", 0},
		{"expect in any order", opts{expect(`.n == 3`, `.n == 1`, `.n == 2`)}, "expect", "1 2 3", "", 0},
		{"one event meets several", opts{expect(`.n == 2`, `.n > 1`)}, "expect", "1 2", "", 0},
		{"expect is not asked again", opts{expect(`.n == 1`, `.n == 4`)}, "expect", "1 2 3 4", "", 0},
		{"expect looks before the filter", opts{expect(`.n == 2`), shape(`empty`)}, "expect", "", "", 0},
		{"some unmet", opts{expect(`.n == 2`, `.n == 7`, `. == "six"`)}, "", "1 2 3 4 five", "--expect '.n == 7': no match in 5 events, nearest .n: 4; --expect '. == \"six\"': no match in 5 events, last .: \"five\"", 1},
		{"count before expect", opts{expect(`.n == 2`, `.n == 4`), count(3)}, "count", "1 2 3", "--expect '.n == 4': no match in 3 events, nearest .n: 3", 0},
		{"expect before count by one event", opts{expect(`.n == 2`), count(2)}, "expect", "1 2", "", 0},
		{"halt_error is an error", opts{shape(`if .n? == 3 then halt_error else .n? end`)}, "", "1 2 4", "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var o Options
			for _, set := range tt.opts {
				set(&o)
			}
			r := newRig(o)
			err := r.texts(events...)
			condition := ""
			if ended, ok := errors.AsType[Ended](err); ok {
				condition = ended.Condition
			} else if failed, ok := errors.AsType[*Failed](err); ok {
				condition = failed.Condition
			} else if _, ok := errors.AsType[*FilterError](err); ok {
				condition = "error"
			} else if err != nil {
				t.Fatal(err)
			}
			if condition != tt.condition {
				t.Errorf("ended by %v, want %q", err, tt.condition)
			}
			if err == nil {
				if err := r.Flush(); err != nil {
					t.Fatal(err)
				}
			} else if again := r.texts(events...); again != err {
				t.Errorf("afterwards: %v", again)
			}
			got := strings.Join(strings.Fields(strings.NewReplacer(`{"n":`, "", "}", "", `"`, "").Replace(r.out.String())), " ")
			if got != tt.printed {
				t.Errorf("printed %s, want %s", got, tt.printed)
			}
			var unmet []string
			for _, o := range r.Unmet() {
				unmet = append(unmet, o.Missing())
			}
			if got := strings.Join(unmet, "; "); got != tt.unmet {
				t.Errorf("unmet %q, want %q", got, tt.unmet)
			}
			if len(r.warnings) != tt.warnings {
				t.Errorf("warnings %q, want %d", r.warnings, tt.warnings)
			}
		})
	}
}

func TestContextEndsFilter(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("time is up")
	r := newRig(Options{Context: ctx, Filter: mustCompile(t, `if . == 2 then last(repeat(1)) else . end`, jq.Vars{
		Stderr: io.Discard,
	}), JQErrorFail: true})
	if err := r.texts("1"); err != nil {
		t.Fatal(err)
	}
	cancel(cause)
	if err := r.texts("2"); err != cause {
		t.Errorf("ended by %v", err)
	}
	if r.out.String() != "1\n" || r.warnings != nil {
		t.Errorf("printed %q, warnings %q", r.out.String(), r.warnings)
	}
}

// When the types of the operands decided a comparison, the user is told.
func TestComparisonsDecidedByTypes(t *testing.T) {
	for _, tt := range []struct{ expr, event, want string }{
		{".p > 100000", `{"p":"5"}`, "> compared a string with a number"},
		{"100000 < .p", `{"p":[]}`, "< compared a number with an array"},
		{"select(.p <= 3) and .q == 1", `{"q":1}`, "<= compared null with a number"},
		{`.p < "x"`, `{"p":3}`, "< compared a number with a string"},
		{".p > .q", `{"p":"x","q":1}`, "> compared a string with a number"},
		{".q == 1 or .p > 5", `{"p":"x","q":2}`, "> compared a string with a number"},
		{".p | . > 5", `{"p":"x"}`, "> compared a string with a number"},
		{"[.p] | .[0] >= 5", `{"p":"x"}`, ">= compared a string with a number"},
		{"(.p | ascii_downcase) > 5", `{"p":"x"}`, "> compared a string with a number"},
		{"if .p > 5 then true else false end", `{"p":"x"}`, "> compared a string with a number"},
		{"any(.p; . > 5)", `{"p":"x"}`, "> compared a string with a number"},
		{".p < 5 | not", `{"p":"x"}`, "< compared a string with a number"},
		{`"\(.p > 5)" == "true"`, `{"p":"x"}`, "> compared a string with a number"},
		{".p > 100000", `{"p":100001}`, ""},
		{".q == 1 or .p > 5", `{"p":"x","q":1}`, ""},
		{`.p != 3`, `{"p":"3"}`, ""},
		{".", `{"p":"3"}`, ""},
	} {
		for name, condition := range map[string]func(*jq.Filter) Condition{
			"until": Until, "fail-if": FailIf, "expect": func(f *jq.Filter) Condition { return Expect(f) },
		} {
			f, err := jq.CompileCondition("--"+name, tt.expr, jq.Vars{})
			if err != nil {
				t.Fatal(err)
			}
			r := newRig(Options{Conditions: []Condition{condition(f)}})
			if err := r.texts(tt.event); err == nil {
				t.Errorf("%s %s: %s did not match", name, tt.expr, tt.event)
			}
			got := strings.Join(r.warnings, "; ")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) || strings.Count(got, "matched, but") > 1 {
				t.Errorf("%s %s: said %q, want %q", name, tt.expr, got, tt.want)
			}
		}
	}
}

// An expression that can be interrupted ends with the cause.
func TestWatchdogInterrupts(t *testing.T) {
	d := jq.NewWatchdog(20 * time.Millisecond)
	ctx, cancel := context.WithCancelCause(d.Context(t.Context()))
	defer cancel(nil)
	go d.Watch(ctx, func(e *jq.TimeoutError) { cancel(e) })
	f, err := jq.Compile("--jq", "range(1e15) | select(. < 0)", jq.Vars{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := New(&out, Options{Filter: f, Context: ctx})
	err = w.Event(&proto.Event{Message: proto.Message{Data: []byte("{}")}, Seq: 3})
	e, ok := errors.AsType[*jq.TimeoutError](err)
	if !ok || e.Event != 3 || e.Flag != "--jq" || !strings.Contains(err.Error(), "range(1e15)") {
		t.Errorf("Event: %v", err)
	}
}
