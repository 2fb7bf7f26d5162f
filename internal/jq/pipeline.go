package jq

import (
	"context"
	"fmt"

	"github.com/itchyny/gojq"
)

// A Pipeline runs an expression on one value after another. To start an expression
// anew costs as much as to run a short one, in memory above all: gojq makes its
// stacks and lets them grow. So a Pipeline lets it run on, as
//
//	events | if paused then . else EXPR end
//
// where events is the stream of values that the Pipeline feeds it. When the
// expression has nothing more to say of a value it asks for the next one, and gets
// a pause instead, which comes out at once. What the expression sees and yields is
// the same as in a run of its own.
//
// A Pipeline is for one goroutine.
type Pipeline struct {
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

// Pipeline returns a Pipeline for f. When ctx ends, so does what it runs, at the next
// step of the expression: a native function that takes long, such as gsub on a long
// text, is not interrupted.
func (f *Filter) Pipeline(ctx context.Context) *Pipeline {
	p := &Pipeline{f: f, ctx: ctx, dog: WatchdogOf(ctx)}
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
		gojq.WithIterFunction(eventsFunc, 0, 0, func(any, []any) gojq.Iter { return (*input)(p) }),
		gojq.WithFunction(pausedFunc, 0, 0, func(any, []any) any { return p.paused }))
	if err == nil {
		p.code = code
	}
	return p
}

// An input is a Pipeline as its expression sees it.
type input Pipeline

// Next implements gojq.Iter.
func (p *input) Next() (any, bool) {
	if p.paused = !p.fresh; p.paused {
		return nil, true
	}
	p.fresh = false
	return p.value, true
}

// Run gives the Pipeline the next value, which must be of the types of
// eventjson.Decoder and is not changed. What the last one would still have yielded
// is lost.
func (p *Pipeline) Run(v any) {
	p.runs++
	switch {
	case p.code == nil:
		p.iter = p.f.code.RunWithContext(p.ctx, v, p.f.values...)
	case p.iter == nil || p.busy || p.runs > maxRuns:
		p.iter = p.code.RunWithContext(p.ctx, nil, p.f.values...)
		p.runs = 1
	}
	p.value, p.fresh, p.paused, p.busy = v, true, false, true
}

// Forget lets go of the last value and of all that was made of it.
func (p *Pipeline) Forget() { p.iter, p.value = nil, nil }

// Next returns the next value that the expression yields for the value that Run was
// given; ok is false when there are no more. After an error the run is over, as in the
// jq command. ErrHalt and Interrupted are not failures; all other errors, that of
// halt_error too, are about the expression and this value.
func (p *Pipeline) Next() (v any, ok bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, ok, err = nil, false, fmt.Errorf("internal error of the expression: %v", r)
		}
		if err != nil {
			p.iter = nil
		}
		if !ok {
			p.busy = false
		}
	}()
	if p.iter == nil { // asked again after an error
		return nil, false, nil
	}
	p.dog.enter(p.f)
	defer p.dog.leave()
	v, ok = p.iter.Next()
	if !ok || p.paused {
		return nil, false, nil
	}
	if err, failed := v.(error); failed {
		return nil, false, runError(p.ctx, err)
	}
	return v, true, nil
}

// Matches reports whether the expression yields anything but false and null for v, as
// Filter.Matches does.
func (p *Pipeline) Matches(v any) (bool, error) {
	p.Run(v)
	for {
		out, ok, err := p.Next()
		if err != nil || !ok {
			return false, err
		}
		if out != nil && out != false {
			return true, nil
		}
	}
}
