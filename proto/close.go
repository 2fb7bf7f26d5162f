package proto

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/hark-cli/hark/proto/frame"
)

// A closing is the closing handshake of a connection (RFC 6455, section 7.1.2): our
// close frame has been sent, and messages are still read until the peer's arrives.
type closing struct {
	begun bool
	cause end       // the end of the connection
	by    time.Time // when the connection is closed without an answer
}

// begin begins the handshake, once, and reports whether this call did.
func (c *closing) begin(cause end, by time.Time) bool {
	if c.begun {
		return false
	}
	*c = closing{true, cause, by}
	return true
}

// due returns the end of the connection if the peer has not answered in time.
func (c *closing) due(now time.Time) end {
	if now.Before(c.by) {
		return end{}
	}
	return c.cause
}

// promptClose is the time limit of the closing handshake after a time limit of the user
// has passed.
const promptClose = 250 * time.Millisecond

// closeLimit returns the time limit of the closing handshake after err.
func (o *Options) closeLimit(err error) time.Duration {
	if errors.Is(err, ErrIdle) || errors.Is(err, context.DeadlineExceeded) {
		return min(o.CloseTimeout, promptClose)
	}
	return o.CloseTimeout
}

// close begins the closing handshake, which may take up to limit.
func (l *connLoop) close(cause end, limit time.Duration, code int) {
	if c, ok := l.session.(CloseCoder); ok && code == frame.StatusNormal {
		code = cmp.Or(c.CloseCode(), code)
	}
	l.closeWith(cause, limit, frame.ClosePayload(code, ""))
}

// closeWith is close with a payload of the close frame.
func (l *connLoop) closeWith(cause end, limit time.Duration, payload []byte) {
	now := time.Now()
	if !l.closing.begin(cause, now.Add(limit)) {
		return
	}
	for _, f := range l.session.OnClose() {
		l.write(f, false)
	}
	if l.conn.SendClose(payload, now.Add(limit/2)) {
		l.traceSent(Frame{Opcode: frame.OpClose, Payload: payload})
	}
	l.queue.setClosing(true)
	if l.old != nil && cause.kind != lost {
		l.old.close(cause, limit, frame.StatusNormal)
	}
}

// conclude handles an end found by the loop: if the run is to end, or the peer is to
// receive a close frame, the closing handshake begins and the loop continues; otherwise
// the connection is closed, and conclude returns its end.
func (l *connLoop) conclude(e end) end {
	switch {
	case l.closing.begun:
		return l.closing.cause
	case e.kind == stopped:
		l.close(e, l.o.closeLimit(e.err), frame.StatusNormal)
	case is[*LostError](e.err):
		return e
	case is[*ProtocolError](e.err):
		l.close(e, l.o.CloseTimeout, frame.StatusProtocol)
	default:
		l.close(e, l.o.CloseTimeout, frame.StatusNormal)
	}
	return end{}
}

// readerEnd returns why the reader has ended.
func (l *connLoop) readerEnd() end {
	if l.closing.begun {
		return l.closing.cause
	}
	return lostTo(endError(l.conn.End()))
}

// discard continues to read after the sink has ended, until the peer has answered the
// close frame. A recording still gets the messages.
func (l *connLoop) discard() {
	t := time.NewTimer(time.Until(l.closing.by))
	defer t.Stop()
	for {
		select {
		case b, ok := <-l.conn.Batches():
			if !ok {
				return
			}
			for i := range b.Entries {
				l.traceEntry(b, &b.Entries[i])
			}
			l.queue.discard(b)
		case <-t.C:
			return
		case <-l.o.Kill:
			return
		}
	}
}
