package simulate

import (
	"io"
	"time"

	"github.com/hark-cli/hark/internal/transcript"
	"github.com/hark-cli/hark/proto"
)

// An overlap is what a client keeps while a connection is being replaced.
type overlap struct {
	asked  *proto.Successor // nil while no successor is to be opened
	last   *proto.Successor // that was
	accept func()           // of the handshake that was made for it

	old      proto.Session // the connection that is to be replaced, when the new one is open
	oldNext  time.Time     // when its Tick is due, zero for never
	oldReady bool
}

// succession plans the attempt of a successor.
func (c *client) succession(s proto.Successor) {
	if c.over.asked == nil && c.over.old == nil {
		c.over.asked, c.attemptAt = &s, c.now.Add(retryDelay)
	}
}

// overlaps begins to use a new connection, alongside the open one.
func (c *client) overlaps() {
	o := &c.over
	o.old, o.oldNext, o.oldReady = c.session, c.next, c.ready
	o.asked, o.last = nil, o.asked
	o.accept()
}

// replaced is called when the new connection is ready: the old one is closed. It reports
// whether that was in use until now.
func (c *client) replaced() bool {
	o := &c.over
	if o.old == nil {
		return false
	}
	for _, f := range o.old.OnClose() {
		c.send(f)
	}
	o.old = nil
	return o.oldReady
}

// fallBack goes back to the old connection when the new one is lost before it is ready.
func (c *client) fallBack() bool {
	o := &c.over
	if o.old == nil || c.session == nil {
		return false
	}
	c.session, c.next, c.ready = o.old, o.oldNext, o.oldReady
	o.old, o.asked = nil, o.last
	c.attemptAt = c.now.Add(retryDelay)
	return true
}

// oldOpen reports whether there is a connection that is to be replaced.
func (c *client) oldOpen() bool { return c.over.old != nil }

// onOld does what the server does on that connection.
func (c *client) onOld(s *transcript.Step) {
	o := &c.over
	switch s.Kind {
	case transcript.Serve:
		if err := c.decode(o.old, s.Data, s.Binary); err != nil {
			c.oldLost(err)
		}
	case transcript.Close:
		c.oldLost(&proto.CloseError{Code: s.Code, Reason: s.Reason})
	case transcript.Cut:
		c.oldLost(&proto.LostError{Err: io.EOF})
	}
	c.settle()
}

// oldLost ends the old connection.
func (c *client) oldLost(err error) {
	if w, ok := c.over.old.(proto.EndWatcher); ok {
		w.Ended(err)
	}
	c.missed.lost = c.missed.lost || c.over.oldReady
	c.numbers.Interrupt()
	c.over.old = nil
}

// tickOld has the old connection do what is due.
func (c *client) tickOld() {
	s, ok := c.over.old.(proto.Scheduler)
	if !ok {
		c.over.oldNext = time.Time{}
		return
	}
	w, err := s.Tick(c.now)
	if err != nil {
		c.oldLost(err)
		return
	}
	c.over.oldNext = w.Next
	c.apply(w.Effects)
}

// nowReady takes note that the stream is ready.
func (c *client) nowReady(r proto.StreamReady) {
	if c.ready {
		return
	}
	c.ready = true
	c.made = append(c.made, act{kind: transcript.Ready})
	if c.replaced() {
		return
	}
	if c.missed.lost && !r.Filling && !c.missed.resumed && c.numbers.Sequences() == 0 {
		c.made = append(c.made, act{kind: transcript.Gap})
	}
}
