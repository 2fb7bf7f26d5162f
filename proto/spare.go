package proto

import (
	"runtime/debug"
	"sync"
	"time"
)

// A spare keeps the buffers of the last large messages for the next ones, for a
// short while: one giant message must not keep its memory for good, and a stream of
// them must not leave one behind each time.
type spare struct {
	mu    sync.Mutex
	kept  [][]byte
	lost  int // bytes of buffers that were let go and may not have been collected
	timer *time.Timer
	ended bool
}

// worthwhile is how much garbage is worth a collection at once, in bytes.
const worthwhile = 16 << 20

// spareTime is how long a buffer waits to be used again, and spares is how many may
// wait: one to be read to, while another is written.
const (
	spareTime = time.Second
	spares    = 2
)

// put keeps a buffer that nobody needs any more.
func (s *spare) put(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	if len(s.kept) == spares {
		s.lost += cap(s.kept[0])
		s.kept = append(s.kept[:0], s.kept[1:]...)
	}
	s.kept = append(s.kept, b[:0])
	if s.timer == nil {
		s.timer = time.AfterFunc(spareTime, s.drop)
	} else {
		s.timer.Reset(spareTime)
	}
}

// get returns an empty buffer for at least size bytes: one that was kept, or a new
// one of fresh bytes. Those that are too small are no longer worth their memory.
func (s *spare) get(size, fresh int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := len(s.kept); n > 0; n-- {
		b := s.kept[n-1]
		s.kept[n-1] = nil
		s.kept = s.kept[:n-1]
		if cap(b) >= size {
			return b
		}
		s.lost += cap(b)
	}
	if s.lost >= worthwhile {
		// The collector would begin too late, or be too slow on a busy machine, for
		// memory that is used up by a single allocation.
		debug.FreeOSMemory()
		s.lost = 0
	}
	return make([]byte, 0, fresh)
}

// end is drop when nothing is to be kept any more.
func (s *spare) end() {
	s.mu.Lock()
	s.ended = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.drop()
}

// drop gives all buffers back.
func (s *spare) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.kept {
		s.lost += cap(b)
	}
	s.kept = nil
}
