package proto

import (
	"sync"
	"time"
)

// A spare keeps the buffers of the last large messages for the next ones, for a
// short while: one giant message must not keep its memory for good, and a stream of
// them must not leave one behind each time.
type spare struct {
	mu    sync.Mutex
	kept  [][]byte
	timer *time.Timer
}

// spareTime is how long a buffer waits to be used again, and spares is how many may
// wait: one to be read to, while another is written.
const (
	spareTime = time.Second
	spares    = 2
)

// put keeps the buffer of a batch that nobody needs any more.
func (s *spare) put(b *batch) {
	if !b.large() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) == spares {
		s.kept = append(s.kept[:0], s.kept[1:]...)
	}
	s.kept = append(s.kept, b.data[:0])
	if s.timer == nil {
		s.timer = time.AfterFunc(spareTime, s.drop)
	} else {
		s.timer.Reset(spareTime)
	}
}

// take returns an empty buffer for at least size bytes, or nil. Those that are too
// small are no longer worth their memory.
func (s *spare) take(size int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := len(s.kept); n > 0; n-- {
		b := s.kept[n-1]
		s.kept[n-1] = nil
		s.kept = s.kept[:n-1]
		if cap(b) >= size {
			return b
		}
	}
	return nil
}

// drop gives all buffers back.
func (s *spare) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = nil
}
