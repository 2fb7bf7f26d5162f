package proto

import (
	"context"
	"time"
)

// A worker runs the work of a session concurrently with the connection, one at a time.
type worker struct {
	ctx    context.Context // canceled at the end of the connection
	cancel context.CancelFunc
	// done delivers the function to call in the loop when work is done; busy is true
	// until then.
	done chan func(time.Time) (Work, error)
	busy bool
}

// newWorker returns the worker of a connection. The context of the run does not cancel
// it: the session may still work while the connection is being closed.
func newWorker(ctx context.Context) worker {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	return worker{ctx: ctx, cancel: cancel, done: make(chan func(time.Time) (Work, error), 1)}
}

// start starts work, unless other work is still running.
func (w *worker) start(work Work) {
	if !w.busy {
		w.busy = true
		go func() { w.done <- do(w.ctx, work) }()
	}
}

// join waits for the work after cancel.
func (w *worker) join() {
	if w.busy {
		<-w.done
		w.busy = false
	}
}

// do runs work, in its own goroutine.
func do(ctx context.Context, w Work) (done func(time.Time) (Work, error)) {
	var err error
	defer func() {
		if err != nil {
			done = func(time.Time) (Work, error) { return Work{}, err }
		}
	}()
	defer rescue(&err)
	return w.Do(ctx)
}
