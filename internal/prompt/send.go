package prompt

import (
	"errors"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
)

// settle waits until the engine has handled all frames.
func (t *talk) settle() {
	if !t.up {
		return
	}
	t.drain()
	done := make(chan struct{})
	select {
	case t.ask <- func(proto.Session, time.Time) []proto.Effect { close(done); return nil }:
	default:
		return
	}
	select {
	case <-done:
	case <-time.After(time.Second): // the connection has ended meanwhile
	}
}

// drain passes queued frames to the engine, unless that does not receive for a second.
func (t *talk) drain() {
	patience := time.NewTimer(time.Second)
	defer patience.Stop()
	for len(t.queue) > 0 {
		select {
		case t.input <- t.queue[0].Frame:
			t.went()
		case <-patience.C:
			return
		}
	}
}

// went removes the first frame of the queue, which the engine has received.
func (t *talk) went() {
	f := t.queue[0]
	t.queue = t.queue[1:]
	if f.auto {
		t.dialog.unsent.Add(-1)
	}
	t.acted = time.Now()
	if !f.Opcode.Control() {
		t.sent++
	}
	t.closing = f.Opcode == frame.OpClose
}

// withheldValues is the maximum number of credentials in messages that are removed from
// output, shortestWithheld their minimum length: a short one may occur anywhere.
const (
	withheldValues   = 64
	shortestWithheld = 8
)

// withhold registers the credentials in a sent message with the printer, so that they
// are removed from all further output.
func (t *talk) withhold(f proto.Frame) {
	if f.Opcode != frame.OpText || len(f.Payload) > SaidLimit {
		return
	}
	for _, v := range credential.Values(string(f.Payload)) {
		if len(v) >= shortestWithheld && t.withheld < withheldValues {
			t.withheld++
			t.Say.Add(v)
		}
	}
}

// message sends a text message.
func (t *talk) message(text []byte) {
	t.send(proto.Text(ToUTF8(text)))
}

// send queues a frame, unless it can no longer be sent.
func (t *talk) send(f proto.Frame) {
	if t.held {
		err := &proto.Failure{Class: proto.Transient, Connected: t.ever, Err: errors.New("not sent, the connection is closed")}
		if t.typedByHand() {
			t.printError(&cmdline.UsageError{Message: err.Error(), Advice: "/reconnect reconnects"})
			return
		}
		t.quit(err)
		return
	}
	if !f.Opcode.Control() {
		t.withhold(f)
		t.log.add(proto.Out, f.Opcode == frame.OpBinary, f.Payload)
		t.spoke = time.Now()
	}
	t.queue = append(t.queue, queued{f, false})
}

// quit ends the stream, after sending all queued messages.
func (t *talk) quit(err error) {
	t.failure = err
	t.eof = true
	if len(t.queue) > 0 && t.up && err == nil {
		t.drain() // before the end of the engine
		t.queue = nil
	}
	t.End(ErrQuit)
}
