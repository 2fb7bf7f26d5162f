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
	bulk bool // the work that was started last fetches events
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
		w.busy, w.bulk = true, work.Bulk
		go func() { w.done <- do(w.ctx, work) }()
	}
}

// stop ends the work, and waits until it has ended.
func (w *worker) stop() {
	w.cancel()
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

// An unfinished is the bulk work of a connection that was lost, which goes on until the
// next attempt: otherwise a session could never fetch anything on connections that are
// shorter than its requests.
type unfinished struct {
	loop *connLoop // nil for none
	at   time.Time // when the connection was lost, and why
	by   error
}

// leave leaves the work of a connection that ends with e unfinished, if it is to go on.
func (l *connLoop) leave(e end) {
	if l.worker.busy && l.worker.bulk && e.kind == lost && !is[*InternalError](e.err) {
		l.unfinished.loop = l
	}
}

// done returns the channel of the work, or nil.
func (u *unfinished) done() <-chan func(time.Time) (Work, error) {
	if u.loop == nil {
		return nil
	}
	return u.loop.worker.done
}

// finish takes what the work has led to. Its error, like those of later work, would be
// that of a connection that is open.
func (u *unfinished) finish(done func(time.Time) (Work, error)) {
	l, now := u.loop, time.Now()
	u.loop, l.worker.busy = nil, false
	if w, err := done(now); err == nil {
		filling := l.missed.gap != nil
		l.apply(w.Effects, now)
		if filling && l.missed.gap == nil { // it ended at the time when this connection was ready
			l.missed.lost(u.at, u.by)
		}
	}
}

// stop ends the work.
func (u *unfinished) stop() {
	if u.loop != nil {
		u.loop.worker.stop()
		u.loop = nil
	}
}
