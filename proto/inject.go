package proto

import (
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
)

// Events that a session adds to the messages of its connection: fetched or buffered
// ones.

// inject puts events of the session into the queue. A sink of frames does not get them,
// because they are not frames. Sessions fetch only while the queue has room, so they
// exceed it by one response at most; OverflowFail applies at the next event.
func (l *connLoop) inject(events []Message) {
	if len(events) == 0 {
		return
	}
	l.rearmIdle(time.Now())
	if l.o.frames() {
		for _, m := range events {
			l.number(m)
		}
		return
	}
	if b := batchOf(l.queue.free, events); l.aside.open {
		l.aside.events = append(l.aside.events, b)
	} else {
		l.follow(b)
		l.queue.put(b)
	}
}

// release adds the events that are still buffered at the end of the run.
func (r *runner) release() {
	drainer, ok := r.source.(Drainer)
	if !ok || r.o.frames() {
		return
	}
	if events := drainer.Drain(); len(events) > 0 {
		b := batchOf(r.queue.free, events)
		r.follow(b)
		r.queue.put(b)
	}
}

// batchOf returns a batch of events that were not received from a connection.
func batchOf(p *wsconn.Pool, events []Message) *wsconn.Batch {
	b := p.Get(&wsconn.Batch{})
	for _, m := range events {
		start := len(b.Data)
		b.Data = append(b.Data, m.Data...)
		op := frame.OpText
		if m.Binary {
			op = frame.OpBinary
		}
		b.Entries = append(b.Entries, wsconn.Entry{Start: start, End: len(b.Data), Time: m.Time, Op: op, Event: true})
	}
	b.Events = len(events)
	return b
}
