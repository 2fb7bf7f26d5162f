package wsconn

import (
	"runtime/debug"
	"sync"
	"time"
)

// A bufferCache keeps the buffers of the last large messages for the next ones, for a
// short while: one giant message must not keep its memory for good, and a stream of
// them must not leave one behind each time.
type bufferCache struct {
	mu     sync.Mutex
	cached [][]byte
	lost   int // bytes of buffers that were let go and may not have been collected
	timer  *time.Timer
	ended  bool
}

// gcThreshold is how much garbage is worth a collection at once, in bytes.
const gcThreshold = 16 << 20

// cacheTime is how long a buffer waits to be used again, and cacheSize is how many may
// wait: one to be read to, while another is written.
const (
	cacheTime = time.Second
	cacheSize = 2
)

// put keeps a buffer that nobody needs any more.
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

// get returns an empty buffer for at least size bytes: one that was kept, or a new
// one of fresh bytes. Those that are too small are no longer worth their memory.
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
		// The collector would begin too late, or be too slow on a busy machine, for
		// memory that is used up by a single allocation.
		debug.FreeOSMemory()
		c.lost = 0
	}
	return make([]byte, 0, fresh)
}

// end is drop when nothing is to be kept any more.
func (c *bufferCache) end() {
	c.mu.Lock()
	c.ended = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.drop()
}

// drop gives all buffers back.
func (c *bufferCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.cached {
		c.lost += cap(b)
	}
	c.cached = nil
}
