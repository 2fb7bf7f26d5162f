package proto

import "time"

// dropInterval is the time between two reports of dropped events.
const dropInterval = 5 * time.Second

// A dropReport knows what has been reported of the events that the queue has dropped.
type dropReport struct {
	total uint64 // in the last report
	at    time.Time
}

// dropsDue is when the next report of dropped events is to be made; the zero time when
// there is nothing to report.
func (r *runner) dropsDue() time.Time {
	if r.queue.drops() == r.dropped.total {
		return time.Time{}
	}
	return r.dropped.at.Add(dropInterval)
}

// reportDropped reports what was dropped since the last time.
func (r *runner) reportDropped(now time.Time) {
	d := &r.dropped
	total := r.queue.drops()
	if total == d.total {
		return
	}
	r.report(now, "", Dropped{Events: total - d.total, Total: total})
	d.total, d.at = total, now
}
