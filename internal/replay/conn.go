package replay

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/wsserver"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
)

// A conn is a connection being served. One goroutine reads; the handler does all else.
type conn struct {
	*Server
	ws     *socket
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	got    chan wsserver.Message // closed when the client has disconnected

	waiting []wsserver.Message // received and not yet compared
	gone    bool               // got is closed
	at      time.Time          // when the last record was served
	on      time.Time          // its time in the recording
}

func newConn(s *Server, ws *socket, start time.Time) *conn {
	c := &conn{Server: s, ws: ws, got: make(chan wsserver.Message), at: time.Now(), on: start}
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	c.wg.Go(c.read)
	return c
}

func (c *conn) read() {
	defer close(c.got)
	for {
		m, err := c.ws.read()
		if err != nil {
			return
		}
		select {
		case c.got <- m:
		case <-c.ctx.Done():
			return
		}
	}
}

// close closes the connection without a close frame.
func (c *conn) close() {
	c.cancel()
	c.ws.Close()
	c.wg.Wait()
}

// play serves the records of this connection.
func (c *conn) play() error {
	var ended *proto.FrameRecord // the first close frame
	for {
		r, ok := c.take()
		if !ok {
			break
		}
		if ended != nil {
			continue // sent before it arrived
		}
		due := c.due(r.Time)
		switch {
		case r.Opcode == frame.OpClose:
			c.sleep(due)
			ended = &r
		case r.Direction == proto.Out && r.Opcode.Control():
		case r.Direction == proto.Out:
			if err := c.expect(r); err != nil {
				return err
			}
		case r.Opcode == frame.OpPong: // the reader answers pings itself
		default:
			c.sleep(due)
			c.send(r)
		}
	}
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	if c.last != nil && ended == nil { // a recording with errors
		c.hangUp(frame.ClosePayload(frame.StatusGoingAway, "the recording ends here"))
		return nil
	}
	return c.finish(ended)
}

// due returns when a record is to be served.
func (c *conn) due(on time.Time) time.Time {
	if c.o.Speed > 0 && on.After(c.on) {
		c.at = c.at.Add(time.Duration(float64(on.Sub(c.on)) / c.o.Speed))
	}
	if on.After(c.on) {
		c.on = on
	}
	return c.at
}

// sleep waits until a time, or until the client has disconnected. Messages of the
// client are queued meanwhile.
func (c *conn) sleep(until time.Time) {
	c.wait(until, func() bool { return false })
}

// wait waits for enough to return true; it is called after each message.
func (c *conn) wait(until time.Time, enough func() bool) {
	d := time.Until(until)
	if d <= 0 || c.gone {
		return
	}
	if err := c.ws.flush(); err != nil {
		c.gone = true
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	for !enough() {
		select {
		case m, ok := <-c.got:
			if !ok {
				c.gone = true
				return
			}
			if !c.clocked(m.Payload) {
				c.waiting = append(c.waiting, m)
			}
		case <-t.C:
			return
		case <-c.ctx.Done():
			c.gone = true
			return
		}
	}
}

// expect waits for the message of the recorded client.
func (c *conn) expect(r proto.FrameRecord) error {
	if c.clocked(r.Payload) {
		return nil
	}
	now := time.Now()
	c.wait(now.Add(c.o.Patience), func() bool { return len(c.waiting) > 0 })
	if now := time.Now(); now.After(c.at) {
		c.at = now
	}
	if c.ctx.Err() != nil {
		return nil
	}
	if len(c.waiting) == 0 {
		if !c.o.Strict {
			return nil
		}
		return c.deviation("the recorded client sent %s, this one nothing", excerpt(r.Payload))
	}
	m := c.waiting[0]
	c.waiting = c.waiting[1:]
	if c.o.Strict && !r.Secret && !(m.Opcode == r.Opcode && same(r.Payload, m.Payload)) {
		return c.deviation("the recorded client sent %s, this one %s", excerpt(r.Payload), excerpt(m.Payload))
	}
	return nil
}

func (c *conn) deviation(format string, args ...any) error {
	d := &Deviation{Connection: c.connection, Text: fmt.Sprintf(format, args...)}
	c.hangUp(frame.ClosePayload(frame.StatusPolicy, "not what was recorded"))
	return d
}

// send sends the message of the recorded server.
func (c *conn) send(r proto.FrameRecord) {
	if c.gone {
		return
	}
	if err := c.ws.queue(r.Opcode, r.Payload); err != nil {
		c.gone = true
	}
}

// finish ends the connection like in the recording.
func (c *conn) finish(ended *proto.FrameRecord) error {
	_, more := c.peek()
	switch {
	case ended != nil && ended.Direction == proto.In:
		c.hangUp(ended.Payload)
	case ended != nil: // by the client
		c.wait(time.Now().Add(c.o.Patience), func() bool { return false })
		if !c.gone && c.o.Strict {
			return c.deviation("the recorded client closed the connection, this one did not")
		}
		c.hangUp(frame.ClosePayload(frame.StatusNormal, "end of the recording"))
	case more: // it was lost
		c.drop()
	default:
		c.hangUp(frame.ClosePayload(frame.StatusNormal, "end of the recording"))
	}
	if !c.gone { // the client waits for it
		return nil
	}
	if c.o.Strict && len(c.waiting) > 0 {
		return &Deviation{c.connection, fmt.Sprintf("the client sent %s, which was not recorded", excerpt(c.waiting[0].Payload))}
	}
	return nil
}

// hangUp performs the closing handshake and reads what the client still sends.
func (c *conn) hangUp(payload []byte) {
	if c.gone {
		return
	}
	c.gone = true
	if c.ws.send(frame.OpClose, payload) == nil {
		c.drain()
	}
}

// drop ends the connection without a closing handshake, after sending all that precedes
// it.
func (c *conn) drop() {
	if c.gone || c.ws.flush() != nil {
		return
	}
	if c.ws.CloseWrite(closeTimeout) {
		c.drain()
	}
}

// drain reads what the client still sends.
func (c *conn) drain() {
	_ = c.ws.NetConn().SetReadDeadline(time.Now().Add(closeTimeout))
	for m := range c.got {
		if len(c.waiting) == 0 && !c.clocked(m.Payload) {
			c.waiting = append(c.waiting, m)
		}
	}
}
