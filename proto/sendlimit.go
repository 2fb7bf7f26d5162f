package proto

import (
	"fmt"
	"time"
)

// A sendLimit limits how many frames are sent within any window of a given length;
// further frames wait, urgent ones first. It has no clock. A nil sendLimit does not
// limit.
type sendLimit struct {
	per  time.Duration
	sent []time.Time // when the last ones were sent; the oldest at next
	next int

	urgent, others []waitingFrame
	bytes          int // of waiting frames
}

// A waitingFrame is a frame to send, with the arguments of Conn.Send.
type waitingFrame struct {
	frame   Frame
	confirm bool
}

// maxWaiting is how many frames may wait.
const maxWaiting = 10_000

func newSendLimit(s Session) *sendLimit {
	limiter, ok := s.(SendLimiter)
	if !ok {
		return nil
	}
	n, per := limiter.SendLimit()
	if n <= 0 {
		return nil
	}
	return &sendLimit{per: per, sent: make([]time.Time, n)}
}

// add adds a frame.
func (s *sendLimit) add(f Frame, confirm bool) {
	s.bytes += len(f.Payload)
	if w := (waitingFrame{f, confirm}); f.Urgent {
		s.urgent = append(s.urgent, w)
	} else {
		s.others = append(s.others, w)
	}
}

// waiting returns how many frames wait.
func (s *sendLimit) waiting() int { return len(s.urgent) + len(s.others) }

// take returns the next frame, if it may go out at now.
func (s *sendLimit) take(now time.Time) (w waitingFrame, ok bool) {
	if s == nil || s.waiting() == 0 || now.Before(s.due()) {
		return w, false
	}
	list := &s.urgent
	if len(s.urgent) == 0 {
		list = &s.others
	}
	w = (*list)[0]
	if *list = (*list)[1:]; len(*list) == 0 {
		*list = nil
	}
	s.bytes -= len(w.frame.Payload)
	s.sent[s.next] = now
	s.next = (s.next + 1) % len(s.sent)
	return w, true
}

// due returns when the next frame may be sent; the zero time if none waits.
func (s *sendLimit) due() time.Time {
	if s == nil || s.waiting() == 0 || s.sent[s.next].IsZero() {
		return time.Time{}
	}
	return s.sent[s.next].Add(s.per)
}

// check returns an error if too many frames wait, or more than most bytes.
func (s *sendLimit) check(most int) error {
	if s == nil || s.waiting() <= maxWaiting && s.bytes <= most {
		return nil
	}
	return fmt.Errorf("the service makes hark send more than its limit allows: %d frames wait", s.waiting())
}
