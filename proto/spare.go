package proto

import (
	"sync"
	"weak"
)

// A spare remembers the buffer of the last large message, to be used for the next
// one, but does not keep it from the collector: one giant message must not keep
// its memory for good, and a stream of them must not leave one behind each time.
type spare struct {
	mu   sync.Mutex
	last weak.Pointer[batch]
}

// put remembers a batch that nobody needs any more.
func (s *spare) put(b *batch) {
	if b.large() {
		s.mu.Lock()
		s.last = weak.Make(b)
		s.mu.Unlock()
	}
}

// take returns an empty buffer for at least size bytes, or nil.
func (s *spare) take(size int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.last.Value()
	if b == nil || cap(b.data) < size {
		return nil
	}
	s.last = weak.Pointer[batch]{}
	return b.data[:0]
}
