package proto

import (
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
)

// What a session adds to the messages of its connection: events that it has
// fetched or held back, and what it knows of the gap before the connection.

// inject puts events of the session into the queue. They are no frames: a sink
// that wants those does without. They are fetched while the queue has room, so that
// they exceed it by one answer at most: OverflowFail sees that with the next event.
func (s *server) inject(events []Message) {
	if len(events) == 0 {
		return
	}
	s.rearmIdle(time.Now())
	if s.o.frames() {
		return
	}
	if b := batchOf(s.queue.free, events); s.inBatch {
		s.added = append(s.added, b)
	} else {
		s.queue.put(b)
	}
}

// release gives out what is still held when the run is over.
func (r *runner) release() {
	holder, ok := r.source.(Holder)
	if !ok || r.o.frames() {
		return
	}
	if events := holder.Release(); len(events) > 0 {
		r.queue.put(batchOf(r.queue.free, events))
	}
}

// batchOf makes a batch of events that did not come from a connection.
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

// fillGap is called when a stream is ready whose session fills the gap before it:
// the report waits for the outcome.
func (s *server) fillGap(now time.Time) {
	s.filling = true
	if !s.liveUntil.IsZero() {
		s.gap = &Gap{From: s.liveUntil, To: now, Reason: s.lostBy.Error()}
	}
}

// reportGaps passes on what has become of gaps.
func (s *server) reportGaps(gaps []GapReport, now time.Time) {
	for _, g := range gaps {
		gap := Gap{From: g.From, To: g.To}
		if g.From.IsZero() {
			if s.gap == nil {
				continue
			}
			gap = *s.gap
		}
		gap.Filled, gap.Unfilled = g.Filled, g.Reason
		s.report(now, s.address, gap)
	}
	s.gap = nil
}

// unfilled reports a gap that was being filled when the run was stopped. After another
// end of the connection the gap goes on, and the next connection reports it; and
// when the sink has ended the run, nobody wants more.
func (s *server) unfilled() {
	if s.gap == nil {
		return
	}
	select {
	case <-s.sunk:
	default:
		s.reportGaps([]GapReport{{Reason: "the run ended before it was filled"}}, time.Now())
	}
}
