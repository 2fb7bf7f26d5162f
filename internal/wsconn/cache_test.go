package wsconn

import (
	"testing"
	"testing/synctest"
	"time"
)

// Buffers of large messages are retained for a short time, and none after the end.
func TestBufferCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s bufferCache
		kept := func() int {
			synctest.Wait()
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.cached)
		}
		s.put(make([]byte, 0, 1<<20))
		if b := s.get(1000, 1000); cap(b) != 1<<20 {
			t.Errorf("a new buffer of %d bytes instead of the retained one", cap(b))
		}
		s.put(make([]byte, 0, 1<<20))
		time.Sleep(cacheTime / 2)
		if n := kept(); n != 1 {
			t.Errorf("%d buffers are kept for a short time", n)
		}
		time.Sleep(cacheTime)
		if n := kept(); n != 0 {
			t.Errorf("%d buffers are kept for good", n)
		}
		s.put(make([]byte, 0, 1<<20))
		s.end()
		s.put(make([]byte, 0, 1<<20))
		if n := kept(); n != 0 || s.timer.Stop() {
			t.Errorf("%d buffers are kept after the end", n)
		}
	})
}
