package proto

import (
	"fmt"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
)

// A readiness is how far the stream of one connection has come.
type readiness struct {
	delay    time.Duration // between a ready stream and the report of it
	live     bool
	at       time.Time // when to report that it is ready; zero while it is not
	reported bool
}

// setLive records that the stream is live, and reports whether that is new.
func (r *readiness) setLive() bool {
	was := r.live
	r.live = true
	return !was
}

// setReady records that the stream is ready, and reports whether that is new.
func (r *readiness) setReady(now time.Time) bool {
	if !r.at.IsZero() {
		return false
	}
	r.at = now.Add(r.delay)
	return true
}

// due returns when report is to be called next; the zero time for never.
func (r *readiness) due() time.Time {
	if r.reported {
		return time.Time{}
	}
	return r.at
}

// report reports, once, that the stream has been ready for the delay.
func (r *readiness) report(now time.Time) bool {
	if r.reported || r.at.IsZero() || now.Before(r.at) {
		return false
	}
	r.reported = true
	return true
}

// nowLive is called when the stream becomes live.
func (l *connLoop) nowLive(now time.Time) {
	if l.stream.setLive() {
		l.report(time.Now(), l.address, Live{})
		l.rearmIdle(now)
	}
}

// nowReady is called when the stream becomes ready.
func (l *connLoop) nowReady(ready StreamReady, now time.Time) {
	l.nowLive(now)
	if l.stream.setReady(now) {
		if ready.Filling {
			l.missed.fill(now)
		}
		l.announce(now)
	}
}

// announce reports that the stream is ready, and the gap since the last one, if any.
func (l *connLoop) announce(now time.Time) {
	if l.closing.begun || !l.stream.report(now) {
		return
	}
	l.policy.streamReady(now)
	if l.authLater {
		l.report(time.Now(), l.address, Authenticated{})
	}
	earlier := l.input.earlier
	if l.old != nil {
		n, _ := l.old.conn.Sent(false)
		earlier += n
	}
	l.report(time.Now(), l.address, Ready{Earlier: earlier})
	if l.replaceOld() {
		return // nothing was missed
	}
	if gap, ok := l.missed.ready(now); ok && !l.numbers.await(gap, now) {
		l.report(now, l.address, gap)
	}
}

// control handles a control frame.
func (l *connLoop) control(e *wsconn.Entry) {
	if e.Out {
		return
	}
	if e.Op == frame.OpPong && l.alive.asked(e.Own) {
		l.conn.Answered()
		if rtt, ok := l.alive.answered(l.conn.State(time.Now()), e.Time); ok {
			l.o.Trace.note(Note(fmt.Sprintf("pong after %s", rtt.Round(time.Millisecond))))
			l.report(e.Time, l.address, Heartbeat{rtt})
		}
	}
	if l.watcher != nil && e.Op != frame.OpClose {
		l.apply(l.watcher.Control(e.Op, e.Time), e.Time)
	}
}
