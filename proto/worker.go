package proto

import (
	"context"
	"time"
)

// A worker does the work of a session alongside the connection, one at a time.
type worker struct {
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	// done has what to call in the loop when some work is done; busy is until then.
	done chan func(time.Time) (Work, error)
	busy bool
}

// newWorker makes the worker of a connection. The context of the run does not end it:
// what the session does last may take part in closing the connection.
func newWorker(ctx context.Context) worker {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	return worker{ctx: ctx, cancel: cancel, done: make(chan func(time.Time) (Work, error), 1)}
}

// start begins some work, unless other work is still going on.
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

// do does some work, in a goroutine of its own.
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
