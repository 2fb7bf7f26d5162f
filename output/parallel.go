package output

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
)

const (
	// batchEvents and batchBytes are how many events, and about how many bytes of them, a
	// goroutine is given at once. A larger event is evaluated alone, in its turn.
	batchEvents = 32
	batchBytes  = 32 << 10
	// batchOutput is about how many bytes of outputs are kept for the events of a batch.
	batchOutput = 256 << 10
	// worthwhile is how long an evaluation must take for another goroutine to help.
	worthwhile = 2 * time.Microsecond
	// sampled is of how many evaluations one is timed: to read the clock takes long, too.
	sampled = 16
	// stalled is how long one evaluation may take before its event is evaluated in its
	// turn instead, where the time limit of expressions applies.
	stalled = 200 * time.Millisecond
	// maxPoor is how many batches may have been of little use before there are no more.
	maxPoor = 3
)

// A parallel evaluates the filter for events before their turn, on other goroutines.
// What it finds is used when the turn of an event comes, so lines, conditions and
// warnings are those of one goroutine. Whatever is not a plain success, such as an
// error, is not used, and the filter is evaluated for that event in its turn. So the
// filter must be pure.
//
// Only full batches are given away: events that come one by one are printed one by one.
type parallel struct {
	batches int           // how many may be on their way; 0 for none
	cost    time.Duration // of an evaluation, on average
	poor    int           // batches that were of little use

	filling *batch
	queue   []*batch // on their way, oldest first
	free    []*batch
}

// A batch is some events, and what the filter yields for them.
type batch struct {
	events  []early
	bytes   []byte // their data
	run     *jq.Pipeline
	cancel  context.CancelFunc
	dec     eventjson.Decoder
	outputs []earlyOutput
	json    []byte

	done      chan struct{}
	evaluated atomic.Int32
	took      time.Duration
}

// An early is an event whose turn has not come when the filter is evaluated for it.
type early struct {
	ev      proto.Event
	data    []byte // what is printed for it when there is no filter
	ok      bool   // outputs are all that the filter yields
	outputs []earlyOutput
}

// An earlyOutput is the event itself, a text that is printed as it is, or JSON.
type earlyOutput struct {
	whole, isText bool
	text          string
	json          []byte
}

// took notes how long an evaluation took. Those that were interrupted by something else
// count for no more than a few.
func (p *parallel) took(d time.Duration) { p.cost = (7*p.cost + min(d, 4*worthwhile)) / 8 }

// postpone takes ev, to evaluate the filter for it and others at once. It returns false
// if that is to be done for ev now; then all events before it have been printed, unless
// w.err is set.
func (w *Writer) postpone(ev *proto.Event) bool {
	p := &w.parallel
	if p.batches == 0 || p.cost < worthwhile {
		w.catchUp()
		return false
	}
	data, rest, binary := w.record(ev)
	if !rest.Done() || binary || len(data) > batchBytes || w.opts.Limit > 0 && len(data) > w.opts.Limit/maxGrowth {
		w.catchUp()
		return false
	}
	b := p.batch()
	b.add(ev, data)
	if len(b.events) < batchEvents && len(b.bytes) < batchBytes {
		return true
	}
	p.filling = nil
	w.start(b)
	for len(p.queue) > p.batches && w.err == nil {
		w.oldest()
	}
	return true
}

// batch returns the batch that is being filled.
func (p *parallel) batch() *batch {
	if p.filling == nil {
		if last := len(p.free) - 1; last >= 0 {
			p.filling, p.free = p.free[last], p.free[:last]
		} else {
			p.filling = &batch{}
		}
	}
	return p.filling
}

// add copies an event, whose data is valid only now.
func (b *batch) add(ev *proto.Event, data []byte) {
	keep := func(d []byte) []byte {
		n := len(b.bytes)
		b.bytes = append(b.bytes, d...)
		return b.bytes[n:len(b.bytes):len(b.bytes)]
	}
	e := early{ev: *ev}
	e.ev.Data = keep(ev.Data)
	if e.data = e.ev.Data; len(data) != len(ev.Data) || len(data) > 0 && &data[0] != &ev.Data[0] {
		e.data = keep(data)
	}
	b.events = append(b.events, e)
}

// start has the filter evaluated for a full batch.
func (w *Writer) start(b *batch) {
	if b.run == nil {
		var none *jq.Watchdog // it watches what is evaluated in its turn
		ctx, cancel := context.WithCancel(none.Context(w.opts.Context))
		b.run, b.cancel = w.opts.Filter.Pipeline(ctx), cancel
	}
	b.done = make(chan struct{})
	b.dec.Limit = w.opts.Limit
	b.evaluated.Store(0)
	w.parallel.queue = append(w.parallel.queue, b)
	go b.evaluate(w.selection, w.opts.Raw)
}

// evaluate evaluates the filter for the events of a batch.
func (b *batch) evaluate(selection *eventjson.Selection, raw bool) {
	defer close(b.done)
	defer func() { _ = recover() }() // the panic comes again in the event's turn
	began := time.Now()
	for i := range b.events {
		b.events[i].evaluate(b, selection, raw)
		b.evaluated.Add(1)
	}
	b.took = time.Since(began)
}

func (e *early) evaluate(b *batch, selection *eventjson.Selection, raw bool) {
	in, err := b.dec.DecodeSelected(e.data, selection)
	if err != nil {
		return
	}
	first := len(b.outputs)
	b.run.Run(in)
	for len(b.json) < batchOutput && len(b.outputs) < batchOutput/64 {
		v, ok, err := b.run.Next()
		switch {
		case err != nil:
			return
		case !ok:
			e.outputs, e.ok = b.outputs[first:len(b.outputs):len(b.outputs)], true
			return
		}
		var out earlyOutput
		switch text, isText := v.(string); {
		case isText && raw:
			if len(text) > batchOutput/64 || same(in, v) {
				return
			}
			out.isText, out.text = true, text
		case same(in, v):
			out.whole = true
		default:
			n := len(b.json)
			if b.json, err = eventjson.AppendValue(b.json, v); err != nil {
				b.json = b.json[:n]
				return
			}
			out.json = b.json[n:len(b.json):len(b.json)]
		}
		b.outputs = append(b.outputs, out)
	}
}

// wait waits for the end of evaluate. It returns false if that does not get on.
func (b *batch) wait() bool {
	select {
	case <-b.done:
		return true
	default:
	}
	tick := time.NewTicker(stalled)
	defer tick.Stop()
	for last := b.evaluated.Load(); ; {
		select {
		case <-b.done:
			return true
		case <-tick.C:
			now := b.evaluated.Load()
			if now == last {
				return false
			}
			last = now
		}
	}
}

// oldest prints the events of the oldest batch.
func (w *Writer) oldest() {
	p := &w.parallel
	b := p.queue[0]
	p.queue = append(p.queue[:0], p.queue[1:]...)
	whole := b.wait()
	if whole {
		p.cost = (3*p.cost + b.took/time.Duration(len(b.events))) / 4
	}
	used, most := 0, len(b.events)
	for i := range b.events {
		e := &b.events[i]
		if whole && e.ok {
			used++
		} else {
			e = &early{ev: e.ev, data: e.data} // the rest of a stalled one may still be written
		}
		if w.take(&e.ev, e) != nil {
			break
		}
	}
	if whole {
		p.recycle(b)
	} else {
		b.cancel() // it is not used again, because it may take any time to end
	}
	if used < most/2 {
		p.poor++
	}
	if w.err != nil || p.poor >= maxPoor {
		w.alone()
	}
}

// recycle makes a batch empty.
func (p *parallel) recycle(b *batch) {
	clear(b.events)
	clear(b.outputs)
	b.events, b.bytes, b.outputs, b.json = b.events[:0], b.bytes[:0], b.outputs[:0], b.json[:0]
	if cap(b.json) > 2*batchOutput {
		b.json = nil
	}
	p.free = append(p.free, b)
}

// catchUp prints all events that have been postponed.
func (w *Writer) catchUp() {
	p := &w.parallel
	for len(p.queue) > 0 && w.err == nil {
		w.oldest()
	}
	b := p.filling
	if b == nil || w.err != nil {
		return
	}
	p.filling = nil
	for i := range b.events {
		if w.take(&b.events[i].ev, &b.events[i]) != nil {
			break
		}
	}
	p.recycle(b)
}

// alone ends all work before its turn: from now on, one goroutine does it.
func (w *Writer) alone() {
	p := &w.parallel
	p.batches = 0
	if w.err == nil {
		w.catchUp()
	}
	for _, b := range append(p.queue, p.free...) {
		if b.cancel != nil {
			b.cancel()
		}
	}
	*p = parallel{}
}

// early prints what the filter has yielded for an event before its turn.
func (w *Writer) early(s *eventView) error {
	for _, out := range s.early.outputs {
		var bad, err error
		switch {
		case out.whole:
			bad, err = w.original(s)
		case out.isText:
			bad, err = w.lines.raw(out.text)
		default:
			err = w.lines.made(out.json)
		}
		if bad != nil {
			return w.failure(w.opts.Filter, s.ev, bad)
		}
		if err != nil {
			return err
		}
		s.printed = true
	}
	return nil
}
