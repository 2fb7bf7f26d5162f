package proto

import (
	"fmt"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
)

// nowLive takes note that the stream is live.
func (s *server) nowLive(now time.Time) {
	if !s.live {
		s.live = true
		s.report(time.Now(), s.address, Live{})
		s.rearmIdle(now)
	}
}

// nowReady takes note that the stream is ready.
func (s *server) nowReady(ready StreamReady, now time.Time) {
	s.nowLive(now)
	if !s.readyAt.IsZero() {
		return
	}
	if ready.Filling {
		s.fillGap(now)
	}
	s.readyAt = now.Add(s.o.ReadyDelay)
	s.announce(now)
}

// announce reports that the stream is ready, once it has been so for ReadyDelay,
// and what may have been missed since the last one.
func (s *server) announce(now time.Time) {
	if s.ready || s.closing || s.readyAt.IsZero() || now.Before(s.readyAt) {
		return
	}
	s.ready = true
	s.policy.streamReady(now)
	s.report(time.Now(), s.address, Ready{Earlier: s.written})
	if !s.liveUntil.IsZero() && !s.filling {
		s.report(now, s.address, Gap{From: s.liveUntil, To: now, Reason: s.lostBy.Error()})
	}
}

// control looks at a control frame.
func (s *server) control(e *wsconn.Entry) {
	if e.Out {
		return
	}
	if e.Op == frame.OpPong && s.alive.asked(e.Own) {
		s.conn.Answered()
		if rtt, ok := s.alive.answered(s.conn.State(time.Now()), e.Time); ok {
			s.o.Trace.note(Note(fmt.Sprintf("pong after %s", rtt.Round(time.Millisecond))))
			s.report(e.Time, s.address, Heartbeat{rtt})
		}
	}
	if s.watcher != nil && e.Op != frame.OpClose {
		s.apply(s.watcher.Control(e.Op, e.Time), e.Time)
	}
}
