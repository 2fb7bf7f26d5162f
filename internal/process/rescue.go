package process

import (
	"runtime"
	"sync"
)

// Rescues are what has to happen before hark ends at once, without the ends of its
// functions: the terminal is given back, files that say that hark runs are removed.
type Rescues struct {
	mu   sync.Mutex
	list []*func()
}

// Add adds f. done takes it out again.
func (r *Rescues) Add(f func()) (done func()) {
	if r == nil { // of a program that is only asked something
		return func() {}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, &f)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for i, g := range r.list {
			if g == &f {
				r.list = append(r.list[:i], r.list[i+1:]...)
				return
			}
		}
	}
}

// Run calls all of them, the last first.
func (r *Rescues) Run() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.list) - 1; i >= 0; i-- {
		(*r.list[i])()
	}
	r.list = nil
}

// Stacks is what the runtime of Go prints at SIGQUIT, by which someone finds out where
// a program hangs: where each goroutine is.
func Stacks() []byte {
	text := []byte("SIGQUIT: quit\n\n")
	b := make([]byte, 512<<10)
	return append(text, b[:runtime.Stack(b, true)]...)
}
