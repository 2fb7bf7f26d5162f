package proto

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/hark-cli/hark/proto/frame"
)

// A closing is the closing handshake of a connection (RFC 6455, section 7.1.2): our
// close frame has gone out, and what still comes is taken until the peer has answered.
type closing struct {
	begun bool
	cause end       // what the connection ends with
	by    time.Time // when it ends in any case
}

// begin begins it, once, and reports whether it had not begun before.
func (c *closing) begin(cause end, by time.Time) bool {
	if c.begun {
		return false
	}
	*c = closing{true, cause, by}
	return true
}

// due is the end of the connection when the peer has not answered in time.
func (c *closing) due(now time.Time) end {
	if now.Before(c.by) {
		return end{}
	}
	return c.cause
}

// promptClose is how long the closing handshake may take at the end of a time that
// the user has set.
const promptClose = 250 * time.Millisecond

// closeLimit is how long the closing handshake may take for an end because of err.
func (o *Options) closeLimit(err error) time.Duration {
	if errors.Is(err, ErrIdle) || errors.Is(err, context.DeadlineExceeded) {
		return min(o.CloseTimeout, promptClose)
	}
	return o.CloseTimeout
}

// close begins the closing handshake. It may take so long as limit.
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
		l.saySent(Frame{Opcode: frame.OpClose, Payload: payload})
	}
	l.queue.setClosing(true)
}

// conclude decides what comes of an end that the loop has found: when the run is to
// end, or when the peer has to be told, the closing handshake begins and the loop goes
// on; otherwise the connection is over, and conclude returns its end.
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

// readerEnd says why the reader has ended.
func (l *connLoop) readerEnd() end {
	if l.closing.begun {
		return l.closing.cause
	}
	return lostTo(endError(l.conn.End()))
}

// discard reads on after the sink has ended, until the peer has answered the close
// frame. A recording still gets what comes.
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
