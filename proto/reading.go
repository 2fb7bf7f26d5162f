package proto

import (
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
)

// A reading knows whether anything is read. What is not read can be neither heard nor
// missed, whatever the reason that nothing is read.
type reading struct {
	paused  bool
	resumed time.Time // when reading last went on after a pause; zero for never
	planned time.Time // when the loop meant to go on at the latest; zero for never
}

// resumeGrace is how long after a pause what is missed may still lie unread.
const resumeGrace = 5 * time.Second

// tick takes note of whether anything is read now. at is when the connection last went
// on after a pause of its own. tick reports since when reading goes on, once after
// each pause.
func (r *reading) tick(paused bool, at, now time.Time) (since time.Time, ok bool) {
	was := r.paused
	r.paused = paused
	late := !r.planned.IsZero() && now.Sub(r.planned) >= wsconn.TickInterval
	switch {
	case was && !paused:
		r.resumed = now
	case late: // the process was stopped, or the machine slept
		r.resumed = now
	case at.After(r.resumed):
		r.resumed = at
	default:
		return time.Time{}, false
	}
	return r.resumed, true
}

// readsPaused reports whether what a session misses may have come without having been read:
// nothing is read, or was until a moment ago.
func (r *reading) readsPaused(now time.Time) bool {
	return r.paused || !r.resumed.IsZero() && now.Before(r.resumed.Add(resumeGrace))
}

// An idleness measures the time without an event.
type idleness struct {
	limit time.Duration // 0 for none
	at    time.Time     // when it is over; zero while it is not measured
}

// rearm begins it anew.
func (i *idleness) rearm(now time.Time) {
	if i.limit > 0 {
		i.at = now.Add(i.limit)
	}
}

// over reports, once, that no event has come within the limit.
func (i *idleness) over(now time.Time) bool {
	if i.at.IsZero() || now.Before(i.at) {
		return false
	}
	i.at = time.Time{}
	return true
}
