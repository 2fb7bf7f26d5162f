package proto

import (
	"errors"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
)

// Frames to send: those of Input, of the session, and of the loop.

// nextInput returns the channel of Input frames, or nil if none may be received now.
func (l *connLoop) nextInput() <-chan Frame {
	if l.closing.begun {
		return nil
	}
	return l.input.next()
}

// take handles a frame received from it.
func (l *connLoop) take(f Frame, ok bool) {
	switch {
	case !ok:
		l.input.end()
	case f.Opcode == frame.OpClose:
		l.closeWith(end{closedHere, errClosedHere}, l.o.CloseTimeout, f.Payload)
	default:
		l.input.write(f)
		l.inputHere = true
		l.put(f, true)
	}
}

// put sends a frame, now or when the limit allows it, unless the writer is closed.
func (l *connLoop) put(f Frame, confirm bool) {
	if l.limit == nil || f.Opcode.Control() {
		l.write(f, confirm)
		return
	}
	l.limit.add(f, confirm)
	l.sendWaiting(time.Now())
}

// sendWaiting sends the frames that the limit allows now.
func (l *connLoop) sendWaiting(now time.Time) {
	for {
		w, ok := l.limit.take(now)
		if !ok {
			return
		}
		l.write(w.frame, w.confirm)
	}
}

// write passes a frame to the writer.
func (l *connLoop) write(f Frame, confirm bool) {
	if !l.conn.Send(f.Opcode, f.Payload, confirm) {
		return
	}
	l.traceSent(f)
}

// traceSent reports a sent frame to the trace.
func (l *connLoop) traceSent(f Frame) {
	now := time.Now()
	l.o.Trace.frame(FrameRecord{Time: now, Direction: Out, Opcode: f.Opcode, Payload: f.Payload, Secret: f.Secret})
	switch {
	case !l.o.frames():
	case l.aside.open:
		l.aside.frames = append(l.aside.frames, sentEntry(f, now))
	default:
		l.queue.put(&wsconn.Batch{Entries: []wsconn.Entry{sentEntry(f, now)}, Events: 1})
	}
}

// sentEntry returns the entry of a sent frame, for a sink of frames, without
// credentials.
func sentEntry(f Frame, now time.Time) wsconn.Entry {
	e := wsconn.Entry{Op: f.Opcode, Out: true, Time: now, Event: true, Secret: f.Secret}
	if !f.Secret {
		e.Own = append([]byte{}, f.Payload...)
	}
	return e
}

// An aside collects what the session sends and adds while it decodes a batch: the sink
// gets it after the message that caused it.
type aside struct {
	open   bool            // a batch is being decoded
	batch  *wsconn.Batch   // this one
	made   []wsconn.Entry  // events made of the current message
	frames []wsconn.Entry  // sent, for a sink of frames
	events []*wsconn.Batch // of the session
	// position is that of the current message, or nil.
	position any
}

// maxMade is by how many bytes a batch may exceed the buffer because of events that the
// session makes of its messages.
const maxMade = 16 << 20

var errMadeTooMuch = errors.New("the events of a few messages are larger than the buffer")

// make records events that the session has made of the current message. A sink of
// frames gets the message.
func (a *aside) make(events Events, frames bool) {
	if a.batch == nil || frames {
		return
	}
	for _, m := range events {
		start := len(a.batch.Data)
		a.batch.Data = append(a.batch.Data, m.Data...)
		a.made = append(a.made, wsconn.Entry{Start: start, End: len(a.batch.Data), Time: m.Time, Op: frame.OpText, Event: true, Mark: m.Position})
	}
}

// takeMade returns those events, until the next call.
func (a *aside) takeMade() []wsconn.Entry {
	made := a.made
	a.made = a.made[:0]
	return made
}

// takeFrames returns the frames since the last call, until the next one.
func (a *aside) takeFrames() []wsconn.Entry {
	frames := a.frames
	a.frames = a.frames[:0]
	return frames
}

// takeEvents returns the events since the last call.
func (a *aside) takeEvents() []*wsconn.Batch {
	events := a.events
	a.events = nil
	return events
}
