package proto

import (
	"fmt"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
)

// readiness takes note of how far the stream has come.
func (s *server) readiness(step Step, now time.Time) {
	if (step.Live || step.Ready) && !s.live {
		s.live = true
		s.status(Live, s.address, nil)
		s.rearmIdle(now)
	}
	if step.Ready && s.readyAt.IsZero() {
		if step.Filling {
			s.fillGap(now)
		}
		s.readyAt = now.Add(s.o.ReadyDelay)
		s.announce(now)
	}
}

// announce reports that the stream is ready, once it has been so for ReadyDelay,
// and what may have been missed since the last one.
func (s *server) announce(now time.Time) {
	if s.ready || s.closing || s.readyAt.IsZero() || now.Before(s.readyAt) {
		return
	}
	s.ready = true
	s.policy.streamReady(now)
	s.o.Trace.status(Status{
		Time: time.Now(), State: Ready, Service: s.svc.Name(), Attempt: s.attempt, Address: s.address, Messages: s.written,
	})
	if !s.liveUntil.IsZero() && !s.filling {
		s.o.Trace.status(Status{
			Time: now, State: Gap, Service: s.svc.Name(), Attempt: s.attempt, Address: s.address,
			From: s.liveUntil, To: now, Reason: s.lostBy.Error(),
		})
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
			s.o.Trace.step(Step{Note: fmt.Sprintf("pong after %s", rtt.Round(time.Millisecond))})
			s.heartbeat(rtt, e.Time)
		}
	}
	if s.watcher != nil && e.Op != frame.OpClose {
		s.apply(s.watcher.Control(e.Op, e.Time), e.Time)
	}
}

func (s *server) heartbeat(rtt time.Duration, now time.Time) {
	s.o.Trace.status(Status{
		Time: now, State: Heartbeat, Service: s.svc.Name(), Attempt: s.attempt, Address: s.address, RTT: rtt,
	})
}
