package proto

import (
	"bytes"
	"fmt"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
)

// A keepAlive decides when a ping is due, and when the peer has stopped answering. It
// uses neither the connection nor the clock.
//
// The time limit for an answer starts when a ping is sent, and is suspended while reads
// are paused; pings continue then, so that the server sees that the client is alive.
//
// A ping that is due waits for a while if not all data that has arrived is read: if the
// server has closed its socket, writing to it makes its system reset the connection and
// drop data not yet sent, which may be much if we read slowly.
type keepAlive struct {
	interval, timeout time.Duration // zero for no pings, and for no time limit

	next    time.Time // when the next ping is due; zero for never
	latest  time.Time // when it is sent although not all data is read
	number  int       // of the last ping
	payload []byte    // of the last ping
	given   time.Time // when it was passed to the writer
	silent  bool      // no data has been received since
	open    bool      // no pong yet
}

func newKeepAlive(interval, timeout time.Duration, now time.Time) keepAlive {
	k := keepAlive{interval: interval, timeout: timeout}
	if interval > 0 {
		k.schedule(false, now)
	}
	return k
}

// minPatience is the minimum time that a ping waits for unread data, and patienceStep
// the time between two checks.
const (
	minPatience  = 5 * time.Second
	patienceStep = 50 * time.Millisecond
)

// schedule plans the next ping. The ping after one that has waited until the limit does
// not wait again, so that the server sees that the client is alive.
func (k *keepAlive) schedule(unread bool, now time.Time) {
	k.next = now.Add(k.interval)
	k.latest = k.next
	if !unread {
		k.latest = k.next.Add(max(k.interval/2, minPatience))
	}
}

// sent returns when the last ping was sent, if it has been.
func (k *keepAlive) sent(state wsconn.State) (time.Time, bool) {
	return state.PingSent, !state.PingSent.Before(k.given)
}

// overdue reports whether no data has arrived in time after the last ping. paused means
// that reads are paused.
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

// ping returns the payload of a ping that is due, or nil. Each contains a number, so
// that a pong can be matched to its ping.
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

// due returns when overdue and ping are to be called next; the zero time for never. A
// ping that the writer could not send yet is checked again a little later.
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

// forgive is called when reads resume after a pause, in which no pong could be read.
func (k *keepAlive) forgive() { k.silent = false }

// asked reports whether a pong is the first one for the last ping.
func (k *keepAlive) asked(payload []byte) bool { return k.open && bytes.Equal(payload, k.payload) }

// answered records the pong for the last ping, and returns the round-trip time; false
// for a pong from before the ping was sent.
func (k *keepAlive) answered(state wsconn.State, at time.Time) (rtt time.Duration, ok bool) {
	sent, ok := k.sent(state)
	if !ok || at.Before(sent) {
		return 0, false
	}
	k.open = false
	return at.Sub(sent), true
}
