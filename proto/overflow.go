package proto

import "time"

// dropInterval is the time between two reports of dropped events.
const dropInterval = 5 * time.Second

// drops count what a run has dropped.
type drops struct {
	events, total uint64    // since the last report, and in the run
	reported      time.Time // when the last report was made
}

// due is when the next report is to be made; the zero time when there is nothing
// to report.
func (d *drops) due() time.Time {
	if d.events == 0 {
		return time.Time{}
	}
	return d.reported.Add(dropInterval)
}

// enqueue puts a batch of events into the queue, and does what is to be done when
// that is too much for it.
func (s *server) enqueue(b *batch) error {
	switch s.o.Overflow {
	case OverflowFail:
		if s.queue.full() {
			return over(&OverflowError{Limit: s.o.Buffer, Events: b.events})
		}
		s.queue.put(b, s.o.free)
	case OverflowDropOldest:
		s.queue.put(b, s.o.free)
		s.shed(0)
	default:
		s.queue.put(b, s.o.free)
	}
	return nil
}

// shed drops what is too much for the queue, the oldest first, when room bytes more
// are to come.
func (r *runner) shed(room int) {
	n := uint64(r.queue.shed(r.o.free, room))
	r.dropped.events += n
	r.dropped.total += n
}

func (s *server) dropsDue(now time.Time) bool {
	return s.dropped.events > 0 && !now.Before(s.dropped.due())
}

// reportDropped reports what was dropped since the last time.
func (r *runner) reportDropped(now time.Time) {
	d := &r.dropped
	if d.events == 0 {
		return
	}
	r.o.Trace.status(Status{
		Time: now, State: Dropped, Service: r.svc.Name(), Attempt: r.attempt, Events: d.events, Total: d.total,
	})
	d.events, d.reported = 0, now
}
