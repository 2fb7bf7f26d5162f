package proto

import (
	"bytes"
	"fmt"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
)

// A keepAlive decides when a ping is due, and when nothing answers any more. It knows
// neither the connection nor the clock.
//
// The time for an answer runs from the moment at which a ping went out, and stands
// while nothing is read; the pings go on then, because they are what the server hears.
//
// A ping that is due waits for a while if not all that has arrived is read: what is
// written to a server that has said what it had to say, and gone, makes its system
// throw away what it has not sent yet, which may be much when we read slowly.
type keepAlive struct {
	interval, timeout time.Duration // zero for no pings, and for any time

	next    time.Time // when the next ping is due; zero for never
	latest  time.Time // when it goes out although not all is read
	number  int       // of the last ping
	payload []byte    // of the last ping
	given   time.Time // when it was given to the writer
	silent  bool      // nothing has been heard since
	open    bool      // it has no pong yet
}

func newKeepAlive(interval, timeout time.Duration, now time.Time) keepAlive {
	k := keepAlive{interval: interval, timeout: timeout}
	if interval > 0 {
		k.schedule(false, now)
	}
	return k
}

// minPatience is how long a ping waits at least for what has arrived to be read, and
// patienceStep the time between two looks at that.
const (
	minPatience  = 5 * time.Second
	patienceStep = 50 * time.Millisecond
)

// schedule plans the next ping. The one after a ping that has waited in vain does not
// wait again: the server is to hear us.
func (k *keepAlive) schedule(unread bool, now time.Time) {
	k.next = now.Add(k.interval)
	k.latest = k.next
	if !unread {
		k.latest = k.next.Add(max(k.interval/2, minPatience))
	}
}

// sent is when the last ping went out, if it has.
func (k *keepAlive) sent(state wsconn.State) (time.Time, bool) {
	return state.PingSent, !state.PingSent.Before(k.given)
}

// overdue reports whether nothing has come in time after the last ping. paused says
// that nothing is read.
func (k *keepAlive) overdue(state wsconn.State, paused bool, now time.Time) bool {
	sent, ok := k.sent(state)
	if !k.silent || paused || !ok {
		return false
	}
	if !state.Heard.Before(sent) {
		k.silent = false
		return false
	}
	return k.timeout > 0 && !now.Before(sent.Add(k.timeout))
}

// ping returns the payload of a ping that is due, or nil. Each has a number, so that
// an answer tells which one it is for.
func (k *keepAlive) ping(state wsconn.State, paused bool, now time.Time) []byte {
	if k.next.IsZero() || now.Before(k.next) || state.Unread && now.Before(k.latest) {
		return nil
	}
	k.schedule(state.Unread, now)
	if k.silent && !paused {
		return nil
	}
	k.number++
	k.payload = fmt.Appendf(nil, "hark %d", k.number)
	k.silent, k.open, k.given = true, true, now
	return k.payload
}

// due is when overdue and ping are to be called next; the zero time for never. A ping
// that the writer could not send yet is looked at again a little later.
func (k *keepAlive) due(state wsconn.State, paused bool, now time.Time) time.Time {
	next := k.next
	if !next.IsZero() && !next.After(now) { // it waits
		next = now.Add(patienceStep)
	}
	if !k.silent || paused || k.timeout <= 0 {
		return next
	}
	at := now.Add(min(k.timeout, time.Second))
	if sent, ok := k.sent(state); ok {
		at = sent.Add(k.timeout)
	}
	if next.Before(at) {
		return next
	}
	return at
}

// forgive is called when reading goes on after it stood: what was not read could not be
// heard.
func (k *keepAlive) forgive() { k.silent = false }

// asked reports whether a pong is the first one for the last ping.
func (k *keepAlive) asked(payload []byte) bool { return k.open && bytes.Equal(payload, k.payload) }

// answered takes note of the pong for the last ping, and returns the round-trip time;
// false for a pong from before the ping went out.
func (k *keepAlive) answered(state wsconn.State, at time.Time) (rtt time.Duration, ok bool) {
	sent, ok := k.sent(state)
	if !ok || at.Before(sent) {
		return 0, false
	}
	k.open = false
	return at.Sub(sent), true
}
