package proto

import (
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
)

// A reading tracks whether reads are paused. While they are, for whatever reason, no
// answer can arrive and no event can be missed.
type reading struct {
	paused  bool
	resumed time.Time // when reads last resumed after a pause; zero for never
	planned time.Time // when the loop planned to continue at the latest; zero for never
}

// resumeGrace is how long after a pause a missing answer may still be unread.
const resumeGrace = 5 * time.Second

// tick records whether reads are paused now. at is when the connection last resumed
// after a pause of its own. tick reports when reads resumed, once after each pause.
func (r *reading) tick(paused bool, at, now time.Time) (since time.Time, ok bool) {
	was := r.paused
	r.paused = paused
	late := !r.planned.IsZero() && now.Sub(r.planned) >= wsconn.TickInterval
	switch {
	case was && !paused:
		r.resumed = now
	case late: // the process was stopped, or the machine was suspended
		r.resumed = now
	case at.After(r.resumed):
		r.resumed = at
	default:
		return time.Time{}, false
	}
	return r.resumed, true
}

// readsPaused reports whether a missing answer may have arrived without having been
// read: reads are paused, or were until a moment ago.
func (r *reading) readsPaused(now time.Time) bool {
	return r.paused || !r.resumed.IsZero() && now.Before(r.resumed.Add(resumeGrace))
}

// An idleness measures the time without an event.
type idleness struct {
	limit time.Duration // 0 for none
	at    time.Time     // when it expires; zero while it is not measured
}

// rearm restarts it.
func (i *idleness) rearm(now time.Time) {
	if i.limit > 0 {
		i.at = now.Add(i.limit)
	}
}

// over reports, once, that no event has arrived within the limit.
func (i *idleness) over(now time.Time) bool {
	if i.at.IsZero() || now.Before(i.at) {
		return false
	}
	i.at = time.Time{}
	return true
}
