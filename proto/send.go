package proto

import (
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
)

// What goes out: frames of Input, of the session, and of the loop.

// input is the channel of Input, or nil when nothing more is to be taken now.
func (s *server) input() <-chan Frame {
	if s.closing || s.sending {
		return nil
	}
	if s.pending != nil { // left over from the last connection
		c := make(chan Frame, 1)
		c <- *s.pending
		return c
	}
	return s.o.Input
}

func (s *server) take(f Frame, ok bool) {
	if !ok {
		s.o.Input = nil
		if s.o.InputWritten != nil {
			s.o.InputWritten()
		}
		return
	}
	if f.Opcode == frame.OpClose {
		s.closeHere(f.Payload)
		return
	}
	s.pending, s.sending = &f, true
	s.put(f, true)
}

// put has a frame go out, unless the writer takes nothing any more.
func (s *server) put(f Frame, confirm bool) {
	if !s.conn.Send(f.Opcode, f.Payload, confirm) {
		return
	}
	s.saySent(f)
}

// saySent shows a frame to those who look at frames.
func (s *server) saySent(f Frame) {
	now := time.Now()
	s.o.Trace.frame(FrameRecord{Time: now, Direction: Out, Opcode: f.Opcode, Payload: f.Payload, Secret: f.Secret})
	switch {
	case !s.o.frames():
	case s.inBatch:
		s.sent = append(s.sent, sentEntry(f, now))
	default:
		s.queue.put(&wsconn.Batch{Entries: []wsconn.Entry{sentEntry(f, now)}, Events: 1})
	}
}

// sentEntry is the entry of a frame that goes out, for a sink that wants them too. A
// credential stays out of it.
func sentEntry(f Frame, now time.Time) wsconn.Entry {
	e := wsconn.Entry{Op: f.Opcode, Out: true, Time: now, Event: true, Secret: f.Secret}
	if !f.Secret {
		e.Own = append([]byte{}, f.Payload...)
	}
	return e
}
