package prompt

import (
	"errors"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
)

// settle waits until the engine has done what it was given before.
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

// drain gives the engine what is queued, unless it does not take it for a second.
func (t *talk) drain() {
	patience := time.NewTimer(time.Second)
	defer patience.Stop()
	for len(t.queue) > 0 {
		select {
		case t.input <- t.queue[0]:
			t.went()
		case <-patience.C:
			return
		}
	}
}

// went takes note that the first frame of the queue has gone to the engine.
func (t *talk) went() {
	f := t.queue[0]
	t.queue = t.queue[1:]
	t.acted = time.Now()
	if !f.Opcode.Control() {
		t.sent++
	}
	t.closing = f.Opcode == frame.OpClose
}

// withheldValues bounds how many credentials of messages are looked for in all that is
// shown, shortestWithheld how short they are: a short one may stand anywhere.
const (
	withheldValues   = 64
	shortestWithheld = 8
)

// withhold makes the credentials in a message that goes out known to the printer, so
// that they are shown nowhere from now on.
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

// send puts a frame into the queue, unless nobody will take it.
func (t *talk) send(f proto.Frame) {
	if t.held {
		err := &proto.Failure{Class: proto.Transient, Connected: t.ever, Err: errors.New("not sent, the connection is closed")}
		if t.typedByHand() {
			t.tellError(&cmdline.UsageError{Message: err.Error(), Advice: "/reconnect reconnects"})
			return
		}
		t.quit(err)
		return
	}
	if !f.Opcode.Control() {
		t.withhold(f)
		t.log.add(proto.Out, f.Opcode == frame.OpBinary, f.Payload)
	}
	t.queue = append(t.queue, f)
}

// quit ends the stream. What was typed before goes out first.
func (t *talk) quit(err error) {
	t.failure = err
	t.eof = true
	if len(t.queue) > 0 && t.up && err == nil {
		t.drain() // before the engine learns of the end
		t.queue = nil
	}
	t.End(ErrQuit)
}
