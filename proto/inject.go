package proto

import (
	"sync"
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
		b.Entries = append(b.Entries, wsconn.Entry{Start: start, End: len(b.Data), Time: m.Time, Op: op, Event: true, Mark: m.Position})
	}
	b.Events = len(events)
	return b
}

// move passes a position on: with the current message, or behind all events before it.
func (l *connLoop) move(m Moved, now time.Time) {
	if l.aside.open {
		l.aside.position = m.Position
		return
	}
	b := l.queue.free.Get(&wsconn.Batch{})
	b.Entries = append(b.Entries, wsconn.Entry{Time: now, Op: frame.OpText, Mark: m.Position})
	l.queue.put(b)
}

// mark attaches the position of a message to it, or to the last event made of it.
func (a *aside) mark(e *wsconn.Entry, made []wsconn.Entry) (marked bool) {
	if a.position == nil {
		return false
	}
	if len(made) > 0 {
		e = &made[len(made)-1]
	}
	e.Mark, a.position = a.position, nil
	return true
}

// Delivered tells the sessions of a run which events are done. It may be used by any
// goroutine.
type Delivered struct {
	mu        sync.Mutex
	positions []any
	more      chan struct{}
}

// NewDelivered returns one for Options.Delivered.
func NewDelivered() *Delivered { return &Delivered{more: make(chan struct{}, 1)} }

// Add adds the position of an event that is done. It does not block.
func (d *Delivered) Add(position any) {
	d.mu.Lock()
	d.positions = append(d.positions, position)
	d.mu.Unlock()
	signal(d.more)
}

func (d *Delivered) take() []any {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.positions
	d.positions = nil
	return list
}

// delivered returns the channel of Options.Delivered, or nil.
func (l *connLoop) delivered() <-chan struct{} {
	if l.o.Delivered == nil || l.closing.begun {
		return nil
	}
	return l.o.Delivered.more
}

// confirm has the sessions confirm what is done.
func (l *connLoop) confirm() {
	if l.o.Delivered == nil || l.closing.begun {
		return
	}
	list := l.o.Delivered.take()
	if len(list) == 0 {
		return
	}
	now := time.Now()
	for c := l; c != nil; c = c.old {
		if s, ok := c.session.(Confirmer); ok && !c.closing.begun {
			c.apply(s.Confirm(list, now), now)
		}
	}
}
