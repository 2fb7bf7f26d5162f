package hub

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/wsserver"
	"github.com/hark-cli/hark/proto/frame"
)

const (
	// maxQueue is the limit of a client's queue, in bytes, and frameCost the weight of
	// a frame in addition to its payload.
	maxQueue  = 16 << 20
	frameCost = 64
	// patience is how long a sender waits for a client that does not read. After that
	// no sender waits for it until it reads again.
	patience = 2 * time.Second
	forever  = time.Duration(1<<63 - 1)
	// pongPatience is how long a ping waits for its pong.
	pongPatience = 5 * time.Second
	// closePatience is how long a client may take to answer a close frame.
	closePatience = 5 * time.Second
)

// A client is one connection. Frames to send wait in a queue, which has its own writer
// goroutine.
type client struct {
	ws    *wsserver.Conn
	pings sync.WaitGroup // for their pongs
	gone  chan struct{}  // closed by end

	frames sync.Mutex // for deciding on a frame and queueing it
	hung   bool       // a close frame has been queued

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when something below has changed
	queue   []outgoing
	bytes   int  // of the queue, including the frame being written
	closed  bool // nothing more is written
	stuck   bool // it did not read within patience
	missed  int  // frames that did not get into the queue

	pinged int                      // pings so far
	pongs  map[string]chan struct{} // by the payload of the ping; closed by their pong
}

// An outgoing is a frame to be written, or a ping.
type outgoing struct {
	op     frame.Opcode
	data   []byte
	pinged func(time.Duration, error) // of a ping
}

func (o *outgoing) cost() int { return len(o.data) + frameCost }

func newClient(ws *wsserver.Conn) *client {
	return &client{ws: ws, changed: make(chan struct{}), gone: make(chan struct{}), pongs: make(map[string]chan struct{})}
}

// notify wakes all waiting goroutines. The lock must be held.
func (c *client) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

var (
	errGone  = errors.New("the client is gone")
	errStuck = errors.New("the client does not read")
)

// put queues a frame. It returns errStuck when the client has read nothing for limit
// while its queue was full.
func (c *client) put(o outgoing, limit time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	begun, left := time.Now(), c.bytes
	for !c.closed && o.op != frame.OpClose && c.bytes > 0 && c.bytes+o.cost() > maxQueue {
		if c.bytes != left { // it reads
			begun, left = time.Now(), c.bytes
		}
		wait := limit - time.Since(begun)
		if c.stuck && limit != forever || wait <= 0 {
			c.stuck = true
			c.missed++
			return errStuck
		}
		changed := c.changed
		c.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
		c.mu.Lock()
	}
	if c.closed {
		return errGone
	}
	c.queue = append(c.queue, o)
	c.bytes += o.cost()
	c.notify()
	return nil
}

func (c *client) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		close(c.gone)
	}
	c.closed, c.queue = true, nil
	c.notify()
}

// next waits for queued frames; false if nothing more is to be written.
func (c *client) next() ([]outgoing, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) == 0 && !c.closed {
		changed := c.changed
		c.mu.Unlock()
		<-changed
		c.mu.Lock()
	}
	queue := c.queue
	c.queue = nil
	return queue, !c.closed
}

// write sends queued frames until the client is disconnected.
func (c *client) write() {
	defer c.end()
	for {
		queue, ok := c.next()
		if !ok {
			return
		}
		for i, o := range queue {
			if !c.one(o) {
				return
			}
			queue[i] = outgoing{} // so that it can be freed before the last one is written
			c.mu.Lock()
			c.bytes -= o.cost()
			c.stuck = false
			c.notify()
			c.mu.Unlock()
		}
	}
}

// one writes a frame; false if it was the last.
func (c *client) one(o outgoing) bool {
	switch o.op {
	case frame.OpClose:
		c.hangUp(o.data)
		// The reader gets the answer.
		_ = c.ws.NetConn().SetReadDeadline(time.Now().Add(closePatience))
		return false
	case frame.OpPing:
		return c.ping(o.pinged) == nil
	}
	return c.send(o.op, o.data) == nil
}

// send queues a frame, unless a close frame has been queued.
func (c *client) send(op frame.Opcode, payload []byte) error {
	c.frames.Lock()
	if c.hung {
		c.frames.Unlock()
		return errGone
	}
	c.ws.Queue(op, payload)
	c.frames.Unlock()
	return c.ws.Flush(forever)
}

// hangUp queues a close frame, unless one has been queued. A write in progress gets the
// same time limit.
func (c *client) hangUp(payload []byte) {
	_ = c.ws.NetConn().SetWriteDeadline(time.Now().Add(closePatience))
	c.frames.Lock()
	hung := c.hung
	if c.hung = true; !hung {
		c.ws.Queue(frame.OpClose, payload)
	}
	c.frames.Unlock()
	_ = c.ws.Flush(closePatience) // an error means that the client is disconnected
}

var errNoPong = errors.New("no pong came")

// ping queues a ping and calls done with the round-trip time.
func (c *client) ping(done func(time.Duration, error)) error {
	c.mu.Lock()
	c.pinged++
	payload, pong := strconv.Itoa(c.pinged), make(chan struct{})
	c.pongs[payload] = pong
	c.mu.Unlock()
	begun := time.Now()
	c.pings.Go(func() {
		timer := time.NewTimer(pongPatience)
		defer timer.Stop()
		var err error
		select {
		case <-pong:
		case <-c.gone:
			err = errGone
		case <-timer.C:
			err = errNoPong
		}
		done(time.Since(begun), err)
		c.pong(payload) // no longer expected
	})
	return c.send(frame.OpPing, []byte(payload))
}

// pong records a pong.
func (c *client) pong(payload string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if pong, ok := c.pongs[payload]; ok {
		close(pong)
		delete(c.pongs, payload)
	}
}
