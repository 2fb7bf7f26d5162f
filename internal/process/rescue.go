package process

import (
	"runtime"
	"sync"
)

// Rescues are functions to run before hark exits without returning from its functions:
// they restore the terminal, and remove files that show that hark runs.
type Rescues struct {
	mu   sync.Mutex
	list []*func()
}

// Add adds f. done removes it.
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

// Run calls all of them, last added first.
func (r *Rescues) Run() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.list) - 1; i >= 0; i-- {
		(*r.list[i])()
	}
	r.list = nil
}

// Stacks returns what the Go runtime prints at SIGQUIT, to find out where a program
// hangs: the stacks of all goroutines.
func Stacks() []byte {
	text := []byte("SIGQUIT: quit\n\n")
	b := make([]byte, 512<<10)
	return append(text, b[:runtime.Stack(b, true)]...)
}
