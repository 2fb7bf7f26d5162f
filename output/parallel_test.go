package output

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
)

// inParallel is newRig with a filter that is taken for a slow one.
func inParallel(opts Options) *rig {
	opts.Parallel = 4
	r := newRig(opts)
	r.parallel.cost = time.Hour
	return r
}

// runs returns all that a user sees of a stream.
func (r *rig) run(messages []string, flushed []bool) string {
	var err error
	for i, m := range messages {
		if err = r.send(m, i%97 == 96); err == nil && flushed[i] {
			err = r.Flush()
		}
		if err != nil {
			break
		}
	}
	if ferr := r.Flush(); err == nil {
		err = ferr
	}
	var outcomes []Outcome
	for _, o := range r.Outcomes() {
		o.After = 0
		outcomes = append(outcomes, o)
	}
	return fmt.Sprintf("%s\nwarnings: %q\nerror: %v\n%+v\n%+v", r.out.String(), r.warnings, err, outcomes, r.Counts())
}

// What is printed, warned of and counted is the same with several goroutines, and so is
// the end.
func TestParallel(t *testing.T) {
	exprs, data := needCases()
	exprs = append(exprs, `if .n == 50 then halt else . end`, `if .n == 50 then error else .n end`, `select(.n) | [range(.n)] | add`, `range(.n // 0; 100)`,
		`if .n == 50 then [range(100000)] else .n end`, `[.n] | implode`, `.a | tostring`, `now | 1`, `if .n == 50 then debug else . end`, `"gICA" | @base64d`)
	random := rand.New(rand.NewPCG(1, 2))
	messages := make([]string, 240)
	for i := range messages {
		messages[i] = data[random.IntN(len(data))]
		if i%8 != 0 {
			messages[i] = fmt.Sprintf(`{"n":%d,"a":"%s"}`, i, strings.Repeat("x", random.IntN(300)))
		}
		if i == 130 {
			messages[i] = `{"a":"` + strings.Repeat("large ", 20_000) + `"}`
		}
	}
	used := 0
	compile := func(flag, expr string) *jq.Filter { return mustCompile(t, expr, jq.Vars{}) }
	for _, expr := range exprs {
		if _, err := jq.Compile("--jq", expr, jq.Vars{}); err != nil {
			continue
		}
		for _, kind := range random.Perm(5)[:2] {
			until, failed := random.IntN(len(messages)), random.IntN(len(messages))
			options := func() Options {
				o := Options{Filter: compile("--jq", expr), Run: "run", Start: time.Unix(1, 0)}
				switch kind {
				case 1:
					o.Raw, o.Null = true, true
				case 2:
					o.JQErrorFail = true
				case 3:
					o.Conditions = []Condition{FailIf(compile("--fail-if", fmt.Sprintf(`.n? == %d`, failed))), Until(compile("--until", fmt.Sprintf(`.n? == %d and (.a | ascii_downcase | length) >= 0`, until))), Count(150)}
				case 4:
					o.Format, o.Limit = FormatCloudEvents, 16<<20
					o.Style.Pretty = true
				}
				return o
			}
			flushed := make([]bool, len(messages))
			for i := range flushed {
				flushed[i] = random.IntN(100) == 0
			}
			r := inParallel(options())
			if r.parallel.batches > 0 {
				used++
			}
			want := newRig(options()).run(messages, flushed)
			if got := r.run(messages, flushed); got != want {
				t.Errorf("%s, kind %d:\n%s\nwant\n%s", expr, kind, cut(got), cut(want))
			}
		}
	}
	if used < len(exprs)/2 {
		t.Errorf("%d of %d were evaluated by several goroutines", used, 2*len(exprs))
	}
}

func cut(s string) string {
	if len(s) > 3000 {
		return s[:1500] + " … " + s[len(s)-1500:]
	}
	return s
}

// numbered returns n events.
func numbered(n int) []string {
	messages := make([]string, n)
	for i := range messages {
		messages[i] = fmt.Sprintf(`{"n":%d}`, i)
	}
	return messages
}

// Full batches are evaluated before their turn, with outputs in the order of the events.
func TestParallelIsUsed(t *testing.T) {
	r := inParallel(Options{Filter: mustCompile(t, `[range(.n)] | add // 0`, jq.Vars{})})
	var want strings.Builder
	for i := range 500 {
		fmt.Fprintln(&want, i*(i-1)/2)
	}
	if err := r.texts(numbered(500)...); err != nil {
		t.Fatal(err)
	}
	if waits := len(r.parallel.queue); waits == 0 || waits > 4 {
		t.Errorf("%d batches are on their way", waits)
	}
	if got := r.printed(t); got != want.String() {
		t.Errorf("%s", got)
	}
	if n := len(r.parallel.free); n == 0 || n > 6 || r.parallel.poor > 0 {
		t.Errorf("%d batches, %d of little use", n, r.parallel.poor)
	}
}

// An expression that does not end is that of its event, and what precedes it is printed.
func TestParallelTimeout(t *testing.T) {
	d := jq.NewWatchdog(50 * time.Millisecond)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var expired *jq.TimeoutError
	go d.Watch(ctx, func(e *jq.TimeoutError) { cancel(e) })
	r := inParallel(Options{Filter: mustCompile(t, `if .n == 40 then last(range(1e12)) else .n end`, jq.Vars{}), Context: d.Context(ctx)})
	err := r.texts(numbered(1000)...)
	if err == nil {
		err = r.Flush()
	}
	if !errors.As(err, &expired) || expired.Event != 41 {
		t.Errorf("error %v", err)
	}
	if got := strings.Fields(r.out.String()); len(got) != 40 || got[39] != "39" {
		t.Errorf("%q", got)
	}
}

// A filter that fails for most events is left to one goroutine after a while.
func TestParallelGivesUp(t *testing.T) {
	r := inParallel(Options{Filter: mustCompile(t, `error`, jq.Vars{})})
	if err := r.texts(numbered(1000)...); err != nil {
		t.Fatal(err)
	}
	if r.parallel.batches != 0 || len(r.parallel.queue) > 0 {
		t.Error("it goes on")
	}
	if r.printed(t); len(r.warnings) != 1000 || !strings.Contains(r.warnings[999], "event 1000:") {
		t.Errorf("%d warnings, the last is %q", len(r.warnings), r.warnings[len(r.warnings)-1])
	}
}

// Whether goroutines help depends on the time that an evaluation takes.
func TestParallelCost(t *testing.T) {
	var p parallel
	for range 100 {
		p.took(time.Microsecond)
	}
	p.took(time.Second) // something came in between
	if p.cost >= worthwhile {
		t.Errorf("%v after one outlier", p.cost)
	}
	for range 100 {
		p.took(time.Millisecond)
	}
	if p.cost < worthwhile {
		t.Errorf("%v", p.cost)
	}
}

// Filters that print, and those that need no values, are evaluated in their turn.
func TestParallelFilters(t *testing.T) {
	for expr, want := range map[string]bool{
		`.a | ascii_downcase`: true, `.a | debug`: false, `.a | debug("x")`: false, `[.a | stderr]`: false, `def f: debug; f | ascii_downcase`: false, `.a`: false, `select(.a > 1)`: false,
	} {
		if got := inParallel(Options{Filter: mustCompile(t, expr, jq.Vars{})}).parallel.batches > 0; got != want {
			t.Errorf("%s: %v", expr, got)
		}
	}
	if w := New(io.Discard, Options{Parallel: 4}); w.parallel.batches > 0 {
		t.Error("without a filter")
	}
}

func BenchmarkParallel(b *testing.B) {
	for _, expr := range []string{`.data.value | floor`, `[range(20)] | add`, `[range(300)] | add`} {
		for _, n := range []int{0, 2} {
			b.Run(fmt.Sprintf("%s/%d", expr, n), func(b *testing.B) {
				filter, _ := jq.Compile("--jq", expr, jq.Vars{})
				w := New(io.Discard, Options{Filter: filter, Parallel: n})
				ev := &proto.Event{Message: proto.Message{Data: []byte(`{"id":"x","data":{"value":21.5,"note":"` + strings.Repeat("x", 200) + `"}}`)}}
				for b.Loop() {
					ev.Seq++
					if err := w.Event(ev); err != nil {
						b.Fatal(err)
					}
				}
				_ = w.Flush()
			})
		}
	}
}
