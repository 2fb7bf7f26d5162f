package hub

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	// maxQueue is how much may wait for a client, in bytes, and frameCost what a frame
	// counts for besides its payload.
	maxQueue  = 16 << 20
	frameCost = 64
	// patience is how long a sender waits for a client that takes nothing. After that
	// nobody waits for it until it reads again.
	patience = 2 * time.Second
	forever  = time.Duration(1<<63 - 1)
	// pongPatience is how long a ping waits for its pong.
	pongPatience = 5 * time.Second
)

// A client is one connection. What is sent to it waits in a queue, which a goroutine
// of its own writes.
type client struct {
	ws    *websocket.Conn
	pings sync.WaitGroup // for their pongs

	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, when something below has changed
	queue   []outgoing
	bytes   int  // of the queue, what is being written included
	closed  bool // nothing more is written
	stuck   bool // it was waited for in vain
	missed  int  // what did not get into the queue
}

// An outgoing is a frame to be written, or a ping.
type outgoing struct {
	typ    websocket.MessageType
	data   []byte
	code   websocket.StatusCode // not 0: a close frame, with data as its reason
	pinged func(time.Duration, error)
}

func (o *outgoing) cost() int { return len(o.data) + frameCost }

func newClient(ws *websocket.Conn) *client {
	return &client{ws: ws, changed: make(chan struct{})}
}

// tell wakes up all who wait. The caller has the lock.
func (c *client) tell() {
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
	for !c.closed && o.code == 0 && c.bytes > 0 && c.bytes+o.cost() > maxQueue {
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
	c.tell()
	return nil
}

func (c *client) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed, c.queue = true, nil
	c.tell()
}

// next waits for what is queued; false when nothing more is to be written.
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

// write sends what is queued until the client is gone.
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
			queue[i] = outgoing{} // not kept until the last one is written
			c.mu.Lock()
			c.bytes -= o.cost()
			c.stuck = false
			c.tell()
			c.mu.Unlock()
		}
	}
}

// one writes a frame; false when it was the last.
func (c *client) one(o outgoing) bool {
	switch {
	case o.code != 0:
		_ = c.ws.Close(o.code, string(o.data)) // the reader learns of it
		return false
	case o.pinged != nil:
		c.pings.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), pongPatience)
			defer cancel()
			begun := time.Now()
			err := c.ws.Ping(ctx)
			o.pinged(time.Since(begun), err)
		})
		return true
	}
	return c.ws.Write(context.Background(), o.typ, o.data) == nil
}
