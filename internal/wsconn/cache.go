package wsconn

import (
	"runtime/debug"
	"sync"
	"time"
)

// A bufferCache retains the buffers of large messages for a short time, so that one
// large message does not occupy memory permanently, and a stream of them does not
// allocate a buffer each.
type bufferCache struct {
	mu     sync.Mutex
	cached [][]byte
	lost   int // bytes of dropped buffers that may not have been collected
	timer  *time.Timer
	ended  bool
}

// gcThreshold is the amount of garbage, in bytes, that triggers a collection.
const gcThreshold = 16 << 20

// cacheTime is how long a buffer is retained, and cacheSize how many are: one for
// reading, while another is written.
const (
	cacheTime = time.Second
	cacheSize = 2
)

// put retains a buffer that is no longer used.
func (c *bufferCache) put(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	if len(c.cached) == cacheSize {
		c.lost += cap(c.cached[0])
		c.cached = append(c.cached[:0], c.cached[1:]...)
	}
	c.cached = append(c.cached, b[:0])
	if c.timer == nil {
		c.timer = time.AfterFunc(cacheTime, c.drop)
	} else {
		c.timer.Reset(cacheTime)
	}
}

// get returns an empty buffer for at least size bytes: a retained one, or a new one for
// fresh bytes. Smaller retained buffers are dropped.
func (c *bufferCache) get(size, fresh int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := len(c.cached); n > 0; n-- {
		b := c.cached[n-1]
		c.cached[n-1] = nil
		c.cached = c.cached[:n-1]
		if cap(b) >= size {
			return b
		}
		c.lost += cap(b)
	}
	if c.lost >= gcThreshold {
		// The collector would start too late, or be too slow on a busy machine, for
		// such large allocations.
		debug.FreeOSMemory()
		c.lost = 0
	}
	return make([]byte, 0, fresh)
}

// end is drop at the end of the connection.
func (c *bufferCache) end() {
	c.mu.Lock()
	c.ended = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.drop()
}

// drop releases all buffers.
func (c *bufferCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.cached {
		c.lost += cap(b)
	}
	c.cached = nil
}
