package proto

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// An end describes how an attempt, a connection or a run ended. The zero value means
// that it has not ended.
type end struct {
	kind endKind
	// err is the cause. For a run that was stopped, it is the result of Run, and may be
	// nil.
	err error
}

// An endKind is what follows an end.
type endKind int

const (
	_ endKind = iota
	// lost: the attempt has failed, or the connection was lost. The reconnect policy
	// decides whether there is another attempt.
	lost
	// replaced: a new connection was requested instead of this one.
	replaced
	// succeeded: the connection that is to replace this one is open.
	succeeded
	// closedHere: a close frame of Options.Input has closed the connection.
	closedHere
	// final: there is no further attempt, unless Control.Again requests one.
	final
	// stopped: the run is to end.
	stopped
)

var (
	errReplaced   = errors.New("a new connection was asked for")
	errClosedHere = errors.New("closed from here")
	errSucceeded  = errors.New("replaced by the connection that the service asked for")
)

// came reports whether it has ended.
func (e end) came() bool { return e.kind != 0 }

// lostTo returns the end of an attempt or a connection because of err.
func lostTo(err error) end { return end{lost, err} }

// stop returns the end of a run with the result err.
func stop(err error) end { return end{stopped, err} }

// result returns the result of Run.
func (e end) result() error {
	if e.kind == closedHere {
		return nil
	}
	return e.err
}

// closedByPeer reports whether the peer has closed the connection normally.
func (e end) closedByPeer() bool {
	ce, ok := errors.AsType[*CloseError](e.err)
	return e.kind == lost && ok && ce.normal()
}

// ended closes the connection and reports its end.
func (l *connLoop) ended(e end) {
	l.join()
	now := time.Now()
	if w, ok := l.session.(EndWatcher); ok {
		w.Ended(e.err)
	}
	l.reportDropped(now)
	if l.newer == nil {
		l.policy.lost(now)
	}
	if e.err != errSucceeded {
		if l.stream.reported {
			at := l.conn.State(now).Drained
			l.missed.lost(at, e.err)
			l.unfinished.at, l.unfinished.by = at, e.err
		}
		l.numbers.lost(l.missed.from, e.err, now)
		if e.kind == stopped {
			l.unfilled()
		} else {
			l.report(time.Now(), l.address, Disconnected{e.err})
		}
	}
	l.endInput(e)
}

// endInput takes note of what was sent on the connection, which has ended.
func (l *connLoop) endInput(e end) {
	written, unconfirmed := l.conn.Sent(e.closedByPeer())
	l.input.disconnected(written, l.inputHere)
	l.reportUnconfirmed(unconfirmed, l.address)
}

// reportUnconfirmed reports messages of Input that may be lost.
func (r *runner) reportUnconfirmed(n int, address string) {
	if n > 0 {
		r.report(time.Now(), address, Unconfirmed{Messages: n})
	}
}

// settle waits for the sink to accept the remaining events, and returns how many it has
// not accepted. Until ctx is done there is no time limit; after that it must make
// progress within each SinkTimeout.
func (r *runner) settle(ctx context.Context) (lost int) {
	select {
	case <-r.sinkDone:
		return 0
	case <-ctx.Done():
	case <-r.o.Kill:
	}
	limit := cmp.Or(r.o.SinkTimeout, r.o.CloseTimeout)
	t := time.NewTimer(limit)
	defer t.Stop()
	for {
		before, _ := r.queue.progress()
		select {
		case <-r.sinkDone:
			return 0
		case <-r.o.Kill:
		case <-t.C:
			if now, _ := r.queue.progress(); now != before {
				t.Reset(limit)
				continue
			}
		}
		_, lost = r.queue.progress()
		return max(lost, 1) // at least the flush is blocked
	}
}
