package output

import (
	"context"
	"fmt"

	"github.com/itchyny/gojq"
)

// A machine runs an expression on one value after another. To start an expression
// anew costs as much as to run a short one, in memory above all: gojq makes its
// stacks and lets them grow. So a machine lets it run on, as
//
//	events | if paused then . else EXPR end
//
// where events is the stream of values that the machine feeds it. When the
// expression has nothing more to say of a value it asks for the next one, and gets
// a pause instead, which comes out at once. What the expression sees and yields is
// the same as in a run of its own.
//
// A machine is for one goroutine.
type machine struct {
	f    *Filter
	ctx  context.Context
	dog  *Watchdog
	code *gojq.Code // nil when each value is to have a run of its own
	iter gojq.Iter  // nil when the next value needs a new run
	runs int        // of values by iter

	value  any
	fresh  bool // value has not been asked for
	paused bool // instead of a value, a pause went in
	busy   bool // there may be more to come of the value
}

// maxRuns is how many values one run sees. The stacks of a run grow with what a
// value makes of them, and hold on to what they held until it is overwritten: what
// was large must not stay for good.
const maxRuns = 1024

// The names of the two functions, which no expression can use: it has been
// compiled without them before.
const (
	eventsFunc = "_events"
	pausedFunc = "_paused"
)

// machine makes a machine for f. ctx ends what it runs, as with run.
func (f *Filter) machine(ctx context.Context) *machine {
	m := &machine{f: f, ctx: ctx, dog: watchdogOf(ctx)}
	call := func(name string) *gojq.Query {
		return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name}}}
	}
	query := &gojq.Query{
		Left: call(eventsFunc),
		Op:   gojq.OpPipe,
		Right: &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIf, If: &gojq.If{
			Cond: call(pausedFunc),
			Then: &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIdentity}},
			Else: f.query,
		}}},
	}
	code, err := f.within(query,
		gojq.WithIterFunction(eventsFunc, 0, 0, func(any, []any) gojq.Iter { return (*feed)(m) }),
		gojq.WithFunction(pausedFunc, 0, 0, func(any, []any) any { return m.paused }))
	if err == nil {
		m.code = code
	}
	return m
}

// A feed is a machine as its expression sees it.
type feed machine

// Next implements gojq.Iter.
func (m *feed) Next() (any, bool) {
	if m.paused = !m.fresh; m.paused {
		return nil, true
	}
	m.fresh = false
	return m.value, true
}

// run gives the machine the next value. What the last one would still have yielded
// is lost.
func (m *machine) run(v any) {
	m.runs++
	switch {
	case m.code == nil:
		m.iter = m.f.code.RunWithContext(m.ctx, v, m.f.values...)
	case m.iter == nil || m.busy || m.runs > maxRuns:
		m.iter = m.code.RunWithContext(m.ctx, nil, m.f.values...)
		m.runs = 1
	}
	m.value, m.fresh, m.paused, m.busy = v, true, false, true
}

// forget lets go of the last value and of all that was made of it.
func (m *machine) forget() { m.iter, m.value = nil, nil }

// next is results.next for the value that run was given.
func (m *machine) next() (v any, ok bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, ok, err = nil, false, fmt.Errorf("internal error of the expression: %v", p)
		}
		if err != nil {
			m.iter = nil
		}
		if !ok {
			m.busy = false
		}
	}()
	if m.iter == nil { // asked again after an error
		return nil, false, nil
	}
	m.dog.enter(m.f)
	defer m.dog.leave()
	v, ok = m.iter.Next()
	if !ok || m.paused {
		return nil, false, nil
	}
	if err, failed := v.(error); failed {
		return nil, false, runError(m.ctx, err)
	}
	return v, true, nil
}
