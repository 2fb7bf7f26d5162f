package proto

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
)

// A connLoop is the loop of one connection. It owns the session and the timers,
// and blocks neither on the network nor on the sink.
type connLoop struct {
	*runner
	conn    *wsconn.Conn
	join    func() // closes it and waits for its goroutines; once
	address string
	attempt int
	state   wsconn.State // of conn, in the last iteration

	successor successor
	newer     *connLoop // the one that replaces this connection, and runs its loop; or nil
	old       *connLoop // the one that this connection replaces, until that is closed; or nil
	inputHere bool      // the writer of this connection has the pending frame of Input

	session   Session
	scheduler Scheduler      // nil if the session has none
	watcher   ControlWatcher // nil if the session has none
	next      time.Time      // when scheduler is to be called
	worker    worker

	alive   keepAlive
	reading reading
	stream  readiness
	idle    idleness
	closing closing
	aside   aside
	limit   *sendLimit // nil if there is none
	// authLater: the credentials of the handshake are known to be accepted when the
	// stream is ready.
	authLater bool
}

// serve runs an open connection, and those that replace it, until the last one ends.
func (r *runner) serve(ctx context.Context, conn *wsconn.Conn, hs *Handshake) end {
	r.queue.setClosing(false)
	l := r.newLoop(ctx, conn, hs)
	defer func() { // after a panic
		for ; l != nil; l = l.old {
			l.join()
		}
	}()
	l.open()
	for {
		e := l.loop(ctx)
		switch {
		case e.kind == succeeded:
			l = r.succeed(ctx, l.successor.opened, l)
			continue
		case l.fallsBack(e):
			l = l.fallBack(e)
			continue
		}
		l.finishOld(ctx, e)
		next := l.takeSuccessor(e)
		if !next.pending() {
			l.leave(e)
		}
		l.ended(e)
		if !next.pending() {
			return e
		}
		if l, e = r.awaitSuccessor(ctx, next); l == nil {
			return e
		}
	}
}

// newLoop returns the loop of a connection that has just been opened.
func (r *runner) newLoop(ctx context.Context, conn *wsconn.Conn, hs *Handshake) *connLoop {
	l := &connLoop{
		runner: r, conn: conn, address: hs.Address, session: hs.Session, attempt: r.attempt,
		worker: newWorker(ctx), successor: successor{base: context.WithoutCancel(ctx)},
		alive:  newKeepAlive(r.o.PingInterval, r.o.PingTimeout, time.Now()),
		stream: readiness{delay: r.o.ReadyDelay},
		idle:   idleness{limit: r.o.Idle},

		authLater: hs.AuthLater && len(hs.Secrets) > 0,
	}
	if hs.NoPings {
		l.alive = keepAlive{}
	}
	l.limit = newSendLimit(hs.Session)
	l.scheduler, _ = hs.Session.(Scheduler)
	l.watcher, _ = hs.Session.(ControlWatcher)
	l.join = sync.OnceFunc(func() {
		if l.unfinished.loop != l {
			l.worker.cancel()
		}
		l.successor.stop()
		conn.Close()
		if l.unfinished.loop != l {
			l.worker.stop()
		}
		l.wrote()
	})
	return l
}

// open begins the dialogue.
func (l *connLoop) open() {
	l.missed.connected()
	now := time.Now()
	l.apply(l.session.OnOpen(now), now)
}

// wrote takes note that a frame of Input has been written, if it has.
func (l *connLoop) wrote() {
	select {
	case <-l.conn.Written():
		l.written()
	default:
	}
}

func (l *connLoop) written() {
	l.inputHere = false
	l.input.written()
}

// report is that of the runner, for the attempt of this connection.
func (l *connLoop) report(now time.Time, address string, s State) {
	l.o.Trace.status(Status{Time: now, Service: l.svc.Name(), Attempt: l.attempt, Address: address, State: s})
}

func (l *connLoop) loop(ctx context.Context) end {
	timer := time.NewTimer(0)
	defer timer.Stop()
	done := ctx.Done()
	for {
		now := time.Now()
		l.tick(now)
		if e := l.due(now); e.came() {
			if e = l.conclude(e); e.came() {
				return e
			}
		}
		wake := l.wake(now)
		if at, e := l.tickOld(now); e.came() {
			if e = l.conclude(e); e.came() {
				return e
			}
		} else if l.old != nil {
			wake = min(wake, at)
		}
		setTimer(timer, wake)
		l.reading.planned = now.Add(wake)

		old := l.old.channels()
		select {
		case b, ok := <-l.incoming():
			if !ok {
				return l.readerEnd()
			}
			if e := l.batch(b); e.came() {
				if e = l.conclude(e); e.came() {
					return e
				}
			}
		case b, ok := <-old.batches:
			if e := l.oldBatch(b, ok); e.came() {
				if e = l.conclude(e); e.came() {
					return e
				}
			}
		case <-l.queue.drained:
		case <-l.conn.Writable():
		case <-old.writable:
		case f, ok := <-l.nextInput():
			l.take(f, ok)
		case <-l.conn.Written():
			l.written()
		case <-old.written:
			l.old.written()
		case <-l.delivered():
			l.confirm()
		case done := <-l.worker.done:
			if e := l.worked(done); e.came() {
				return e
			}
		case done := <-old.worked:
			if e := l.old.worked(done); e.came() {
				l.endOld(e)
			}
		case d := <-l.successor.done:
			if l.dialed(d) {
				return end{succeeded, errSucceeded}
			}
		case <-timer.C:
		case f := <-l.o.Control.Ask:
			l.apply(f(l.session, time.Now()), time.Now())
		case <-l.again():
			l.close(end{replaced, errReplaced}, l.o.CloseTimeout, frame.StatusNormal)
		case <-done:
			done = nil
			l.confirm()
			l.close(stop(context.Cause(ctx)), l.o.closeLimit(ctx.Err()), frame.StatusNormal)
		case <-l.sinkDone:
			if l.closing.begun {
				return l.closing.cause
			}
			l.confirm()
			// No more events are expected, so the wait is short.
			l.close(stop(nil), min(l.o.CloseTimeout, 200*time.Millisecond), frame.StatusNormal)
			l.discard()
		case <-l.o.Kill:
			return stop(context.Cause(ctx))
		}
	}
}

// worked takes what the work of the session has led to.
func (l *connLoop) worked(done func(time.Time) (Work, error)) end {
	l.worker.busy = false
	w, err := done(time.Now())
	if err != nil {
		return l.conclude(lostTo(err))
	}
	l.applyWork(w, time.Now())
	return end{}
}

// incoming returns the reader's channel, or nil while the server does not read the
// replies of the session.
func (l *connLoop) incoming() <-chan *wsconn.Batch {
	if l.state.Full {
		return nil
	}
	return l.conn.Batches()
}

// tick is called in each iteration of the loop. It determines whether reads are paused.
func (l *connLoop) tick(now time.Time) {
	l.state = l.conn.State(now)
	paused := l.queue.waiting() || l.state.Full || l.state.Stalled
	if at, ok := l.reading.tick(paused, l.state.Resumed, now); ok {
		l.alive.forgive() // a pong may still be unread
		l.rearmIdle(at)
	}
}

// rearmIdle restarts the idle time, if the stream is live.
func (l *connLoop) rearmIdle(now time.Time) {
	if l.stream.live {
		l.idle.rearm(now)
	}
}

// batch decodes the messages of a batch and passes their events on. What the session
// sends or adds meanwhile goes to the sink after the message that caused it: frames
// between the others, events behind those of the batch.
func (l *connLoop) batch(b *wsconn.Batch) end {
	var err error
	n, marks, frames := 0, 0, l.o.frames()
	var all []wsconn.Entry // if they differ from those of b
	l.aside.open, l.aside.batch = true, b
	for i := range b.Entries {
		e := &b.Entries[i]
		e.Event = frames
		if e.Op.Control() {
			l.traceEntry(b, e)
			l.control(e)
		} else {
			var event bool
			if event, err = l.message(b, e); event {
				e.Event = true
				n++
			}
		}
		made := l.aside.takeMade()
		n += len(made)
		if l.aside.mark(e, made) {
			marks++
		}
		switch {
		case frames:
			all = append(append(all, *e), l.aside.takeFrames()...)
		case len(made) == 1 && all == nil && !e.Event:
			*e = made[0]
		case len(made) > 0 || all != nil:
			if all == nil {
				all = append(all, b.Entries[:i]...)
			}
			all = append(append(all, *e), made...)
		}
		if err == nil && len(b.Data) > maxMade+l.o.Buffer {
			err = errMadeTooMuch
		}
		if err != nil {
			break
		}
	}
	l.aside.open, l.aside.batch = false, nil
	if len(b.Data) > 0 && l.input.open() {
		l.conn.Heard()
	}
	if n > 0 {
		if l.newer == nil {
			l.policy.events = true
		} else {
			l.newer.rearmIdle(time.Now())
		}
		l.rearmIdle(time.Now())
	}
	switch b.Events = n; {
	case len(b.Entries) == 0: // a large message that is not read
		b.Events = 1
	case frames:
		b.Entries, b.Events = all, len(all)
	case all != nil:
		b.Entries = all
	}
	e := l.pass(b, marks)
	for _, c := range l.aside.takeEvents() {
		l.follow(c)
		l.queue.put(c)
	}
	if !e.came() && err != nil {
		return lostTo(err)
	}
	return e
}

// pass puts a batch into the queue, if it contains anything for the sink.
func (l *connLoop) pass(b *wsconn.Batch, marks int) end {
	events := b.Events
	if events+marks > 0 && !b.Refused {
		l.queue.put(b)
		return end{}
	}
	l.queue.discard(b)
	if events > 0 {
		return stop(&OverflowError{Limit: l.o.Buffer, Events: events})
	}
	return end{}
}

// message has the session decode a message.
func (l *connLoop) message(b *wsconn.Batch, e *wsconn.Entry) (event bool, err error) {
	m := Message{Data: b.Payload(e), Binary: e.Op == frame.OpBinary, Time: e.Time}
	event, effects, err := l.session.Decode(m)
	for _, effect := range effects { // before the message is shown that they came in
		if secrets, ok := effect.(Secrets); ok {
			l.apply([]Effect{secrets}, e.Time)
		}
	}
	l.traceEntry(b, e)
	if event {
		l.number(m)
	}
	l.apply(effects, e.Time)
	return event, err
}

func (l *connLoop) traceEntry(b *wsconn.Batch, e *wsconn.Entry) {
	if l.o.Trace.Frame != nil {
		l.o.Trace.Frame(FrameRecord{Time: e.Time, Direction: direction(e), Opcode: e.Op, Payload: b.Payload(e)})
	}
}

// apply applies the effects of the session.
func (l *connLoop) apply(effects []Effect, now time.Time) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case Secrets:
			for _, v := range e {
				l.o.Trace.secret(v)
			}
		case Send:
			for _, f := range e {
				l.put(f, false)
			}
		case Note:
			l.o.Trace.note(e)
		case Answer:
			l.o.Trace.answer(e)
		case Warning:
			l.o.Trace.warning(e)
		case HeartbeatAnswered:
			l.report(now, l.address, Heartbeat(e))
		case StreamLive:
			l.nowLive(now)
		case StreamReady:
			l.nowReady(e, now)
		case Events:
			for _, m := range e {
				l.number(m)
			}
			l.aside.make(e, l.o.frames())
		case Numbers:
			if l.o.Number == nil {
				l.numbers.add(e, now)
			}
		case Resumed:
			l.missed.resumed = true
		case Moved:
			l.move(e, now)
		case Successor:
			l.succession(e, now)
		case Inject:
			l.inject(e)
		case GapReports:
			l.reportGaps(e, now)
		}
	}
}

// applyWork starts the work that a Scheduler returns.
func (l *connLoop) applyWork(w Work, now time.Time) {
	l.next = w.Next
	if w.Do != nil && !(w.Bulk && l.queue.full()) {
		l.worker.start(w)
	}
	l.apply(w.Effects, now)
}

// due runs what is due by time.
func (l *connLoop) due(now time.Time) end {
	if l.closing.begun {
		return l.closing.due(now)
	}
	l.announce(now)
	if at := l.dropsDue(); !at.IsZero() && !now.Before(at) {
		l.reportDropped(now)
	}
	if at := l.state.StuckAt; !at.IsZero() && !now.Before(at) {
		return lostTo(&LostError{fmt.Errorf("write stalled: the server has not read for %s", wsconn.StuckTime)})
	}
	if err := l.limit.check(l.o.Buffer); err != nil {
		return lostTo(err)
	}
	l.numbers.tick(now)
	if l.old == nil { // one replacement at a time
		l.successor.tick(l.runner, now)
	}
	l.sendWaiting(now)
	if l.scheduler != nil {
		w, err := l.scheduler.Tick(now)
		if err != nil {
			if !l.reading.readsPaused(now) {
				return lostTo(err)
			}
			w.Next = now.Add(time.Second)
		}
		l.applyWork(w, now)
	}
	if !l.reading.paused && l.idle.over(now) {
		return stop(ErrIdle)
	}
	if l.alive.overdue(l.state, l.reading.paused, now) {
		return lostTo(&LostError{fmt.Errorf("no data received within %s of a ping", l.o.PingTimeout)})
	}
	if ping := l.alive.ping(l.state, l.reading.paused, now); ping != nil {
		l.put(Frame{Opcode: frame.OpPing, Payload: ping}, false)
	}
	return end{}
}

// wake returns when due must be called next.
func (l *connLoop) wake(now time.Time) time.Duration {
	if l.closing.begun {
		return l.closing.by.Sub(now)
	}
	at := l.state.Next
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	sooner(l.alive.due(l.state, l.reading.paused, now))
	sooner(l.state.StuckAt)
	sooner(l.next)
	sooner(l.stream.due())
	sooner(l.limit.due())
	sooner(l.dropsDue())
	sooner(l.numbers.due())
	if l.old == nil {
		sooner(l.successor.at)
	}
	if !l.reading.paused {
		sooner(l.idle.at)
	}
	return max(at.Sub(now), 0)
}

// setTimer arms t, or stops it for a negative duration.
func setTimer(t *time.Timer, d time.Duration) {
	if d < 0 {
		t.Stop()
		return
	}
	t.Reset(d)
}
