package proto

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
)

// A server is the loop of one connection. It owns the session and the timers,
// and blocks neither on the network nor on the sink.
type server struct {
	*runner
	conn    *wsconn.Conn
	session Session
	keeper  Keeper // nil when nothing falls due
	address string
	state   wsconn.State // of conn, when the loop last went round

	watcher ControlWatcher // nil when control frames mean nothing

	live    bool
	ready   bool      // and reported so
	readyAt time.Time // when it is to be reported
	alive   keepAlive
	paused  bool // nothing is read
	resumed time.Time
	planned time.Time // when the loop meant to go on at the latest; zero for never
	next    time.Time
	idleAt  time.Time
	closing bool
	closeBy time.Time
	cause   end // of closing
	work    chan func(time.Time) (Work, error)
	working bool
	cancel  context.CancelFunc // of the work
	sending bool               // a frame of Input is with the writer
	inBatch bool               // a batch is being looked at
	sent    []wsconn.Entry     // for a sink that wants frames, meanwhile
	added   []*wsconn.Batch    // events of the session, meanwhile
	filling bool               // the session fills the gap before this connection
	gap     *Gap               // that gap, until its outcome is known
}

// serve speaks on an open connection until it ends.
func (r *runner) serve(ctx context.Context, conn *wsconn.Conn, hs *Handshake) end {
	r.queue.hurry(false)
	wctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &server{
		runner: r, conn: conn, session: hs.Session, address: hs.Address,
		work: make(chan func(time.Time) (Work, error), 1), cancel: cancel,
	}
	s.keeper, _ = hs.Session.(Keeper)
	s.watcher, _ = hs.Session.(ControlWatcher)
	join := sync.OnceFunc(func() {
		cancel()
		conn.Close()
		if s.working {
			<-s.work
		}
		if s.sending {
			select {
			case <-conn.Written():
				r.pending = nil
			default:
			}
		}
	})
	defer join()
	e := s.loop(ctx, wctx)
	join()
	r.policy.lost(time.Now())
	r.reportDropped(time.Now())
	if s.ready && s.gap == nil {
		r.liveUntil, r.lostBy = conn.State(time.Now()).Drained, e.err
	}
	if e.kind == stopped {
		s.unfilled()
	} else {
		s.report(time.Now(), s.address, Disconnected{e.err})
	}
	written, unconfirmed := conn.Sent(e.closedByPeer())
	r.written += written
	r.reportUnconfirmed(unconfirmed, s.address)
	return e
}

// reportUnconfirmed reports messages of Input that may be lost.
func (r *runner) reportUnconfirmed(n int, address string) {
	if n > 0 {
		r.report(time.Now(), address, Unconfirmed{Messages: n})
	}
}

func (s *server) loop(ctx, wctx context.Context) end {
	now := time.Now()
	s.alive = newKeepAlive(s.o.PingInterval, s.o.PingTimeout, now)
	s.apply(s.session.Greet(now), now)
	timer := time.NewTimer(0)
	defer timer.Stop()
	done := ctx.Done()
	for {
		now = time.Now()
		s.tick(now)
		if e := s.due(wctx, now); e.came() {
			if e = s.conclude(e); e.came() {
				return e
			}
		}
		wake := s.wake(now)
		setTimer(timer, wake)
		s.planned = now.Add(wake)

		select {
		case b, ok := <-s.incoming():
			if !ok {
				return s.ended()
			}
			if e := s.batch(b); e.came() {
				if e = s.conclude(e); e.came() {
					return e
				}
			}
		case <-s.queue.eased:
		case <-s.conn.Writable():
		case f, ok := <-s.input():
			s.take(f, ok)
		case <-s.conn.Written():
			s.sending, s.pending = false, nil
		case done := <-s.work:
			s.working = false
			w, err := done(time.Now())
			if err == nil {
				s.applyWork(w, wctx, time.Now())
			} else if e := s.conclude(lostTo(err)); e.came() {
				return e
			}
		case <-timer.C:
		case f := <-s.o.Steering.Ask:
			s.apply(f(s.session, time.Now()), time.Now())
		case <-s.again():
			s.close(end{replaced, errReplaced}, s.o.CloseTimeout, frame.StatusNormal)
		case <-done:
			done = nil
			s.close(stop(context.Cause(ctx)), s.o.closeLimit(ctx.Err()), frame.StatusNormal)
		case <-s.sunk:
			if s.closing {
				return s.cause
			}
			// Nobody wants what may still come: only a short wait.
			s.close(stop(nil), min(s.o.CloseTimeout, 200*time.Millisecond), frame.StatusNormal)
			s.discard()
		case <-s.o.Kill:
			return stop(context.Cause(ctx))
		}
	}
}

// discard reads on after the sink has ended, until the peer has answered the close
// frame. A recording still gets what comes.
func (s *server) discard() {
	t := time.NewTimer(time.Until(s.closeBy))
	defer t.Stop()
	for {
		select {
		case b, ok := <-s.conn.Batches():
			if !ok {
				return
			}
			for i := range b.Entries {
				s.traceEntry(b, &b.Entries[i])
			}
			s.queue.discard(b)
		case <-t.C:
			return
		case <-s.o.Kill:
			return
		}
	}
}

// incoming is the reader's channel, or nil while the server does not take what the
// session answers.
func (s *server) incoming() <-chan *wsconn.Batch {
	if s.state.Full {
		return nil
	}
	return s.conn.Batches()
}

// tick is called each time that the loop goes round. It finds out whether anything is
// being read.
func (s *server) tick(now time.Time) {
	s.state = s.conn.State(now)
	was := s.paused
	s.paused = s.queue.waiting() || s.state.Full || s.state.Stalled
	if was && !s.paused {
		s.resume(now)
	} else if late := now.Sub(s.planned); !s.planned.IsZero() && late >= wsconn.TickInterval {
		s.resume(now) // the process was stopped, or the machine slept
	} else if at := s.state.Resumed; at.After(s.resumed) {
		s.resume(at)
	}
}

// resume is called when reading goes on: what was not read could not be heard, so the
// clocks start anew.
func (s *server) resume(now time.Time) {
	s.alive.forgive()
	s.resumed = now
	s.rearmIdle(now)
}

// batch looks at what came in and passes the events on. What the session sends or
// adds meanwhile goes to the sink after the message that made it do so: frames between
// the others, events behind those of the batch.
func (s *server) batch(b *wsconn.Batch) end {
	var err error
	n, frames := 0, s.o.frames()
	var all []wsconn.Entry // with what is sent, for a sink that wants frames
	s.inBatch = true
	for i := range b.Entries {
		e := &b.Entries[i]
		s.traceEntry(b, e)
		e.Event = frames
		if e.Op.Control() {
			s.control(e)
		} else {
			var event bool
			if event, err = s.message(b, e); event {
				e.Event = true
				n++
			}
		}
		if frames {
			all = append(append(all, *e), s.sent...)
			s.sent = s.sent[:0]
		}
		if err != nil {
			break
		}
	}
	s.inBatch = false
	if len(b.Data) > 0 && s.o.Input != nil {
		s.conn.Heard()
	}
	if n > 0 {
		s.policy.events = true
		s.rearmIdle(time.Now())
	}
	switch b.Events = n; {
	case len(b.Entries) == 0: // a large message that is not read
		b.Events = 1
	case frames:
		b.Entries, b.Events = all, len(all)
	}
	e := s.pass(b)
	for _, c := range s.added {
		s.queue.put(c)
	}
	s.added = nil
	if !e.came() && err != nil {
		return lostTo(err)
	}
	return e
}

// pass puts a batch into the queue, if there is anything for the sink in it.
func (s *server) pass(b *wsconn.Batch) end {
	events := b.Events
	if events > 0 && !b.Refused {
		s.queue.put(b)
		return end{}
	}
	s.queue.discard(b)
	if events > 0 {
		return stop(&OverflowError{Limit: s.o.Buffer, Events: events})
	}
	return end{}
}

// message has the session look at a message.
func (s *server) message(b *wsconn.Batch, e *wsconn.Entry) (event bool, err error) {
	event, effects, err := s.session.Decode(Message{Data: b.Payload(e), Binary: e.Op == frame.OpBinary, Time: e.Time})
	if err != nil {
		return false, err
	}
	s.apply(effects, e.Time)
	return event, nil
}

func (s *server) traceEntry(b *wsconn.Batch, e *wsconn.Entry) {
	if s.o.Trace.Frame != nil {
		s.o.Trace.Frame(FrameRecord{Time: e.Time, Direction: direction(e), Opcode: e.Op, Payload: b.Payload(e)})
	}
}

func (s *server) rearmIdle(now time.Time) {
	if s.o.Idle > 0 && s.live {
		s.idleAt = now.Add(s.o.Idle)
	}
}

// apply does what the session wants.
func (s *server) apply(effects []Effect, now time.Time) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case Secrets:
			for _, v := range e {
				s.o.Trace.secret(v)
			}
		case Send:
			for _, f := range e {
				s.put(f, false)
			}
		case Note:
			s.o.Trace.note(e)
		case Answer:
			s.o.Trace.answer(e)
		case Warning:
			s.o.Trace.warning(e)
		case HeartbeatAnswered:
			s.report(now, s.address, Heartbeat(e))
		case StreamLive:
			s.nowLive(now)
		case StreamReady:
			s.nowReady(e, now)
		case Inject:
			s.inject(e)
		case GapReports:
			s.reportGaps(e, now)
		}
	}
}

// applyWork does what a Keeper wants.
func (s *server) applyWork(w Work, wctx context.Context, now time.Time) {
	s.next = w.Next
	if w.Do != nil && !s.working && !(w.Bulk && s.queue.full()) {
		s.working = true
		go func() { s.work <- do(wctx, w) }()
	}
	s.apply(w.Effects, now)
}

// do does the work of a session, in a goroutine of its own.
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

// due does what time demands.
func (s *server) due(wctx context.Context, now time.Time) end {
	if s.closing {
		if !now.Before(s.closeBy) {
			return s.cause
		}
		return end{}
	}
	s.announce(now)
	if at := s.dropsDue(); !at.IsZero() && !now.Before(at) {
		s.reportDropped(now)
	}
	if at := s.state.StuckAt; !at.IsZero() && !now.Before(at) {
		return lostTo(&LostError{fmt.Errorf("the server has not read for %s what it was sent", wsconn.StuckTime)})
	}
	if s.keeper != nil {
		w, err := s.keeper.Due(now)
		if err != nil {
			if !s.deaf(now) {
				return lostTo(err)
			}
			w.Next = now.Add(time.Second)
		}
		s.applyWork(w, wctx, now)
	}
	if !s.idleAt.IsZero() && !s.paused && !now.Before(s.idleAt) {
		s.idleAt = time.Time{}
		return stop(ErrIdle)
	}
	if s.alive.overdue(s.state, s.paused, now) {
		return lostTo(&LostError{fmt.Errorf("nothing came within %s after a ping", s.o.PingTimeout)})
	}
	if ping := s.alive.ping(s.paused, now); ping != nil {
		s.put(Frame{Opcode: frame.OpPing, Payload: ping}, false)
	}
	return end{}
}

// deaf: what the session misses may have come without having been read, because
// nothing is read, whatever the reason, or was until a moment ago.
func (s *server) deaf(now time.Time) bool {
	const grace = 5 * time.Second
	return s.paused || !s.resumed.IsZero() && now.Before(s.resumed.Add(grace))
}

// wake is when due must be called next.
func (s *server) wake(now time.Time) time.Duration {
	if s.closing {
		return s.closeBy.Sub(now)
	}
	at := s.state.Next
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	sooner(s.alive.due(s.state, s.paused, now))
	sooner(s.state.StuckAt)
	sooner(s.next)
	if !s.ready {
		sooner(s.readyAt)
	}
	sooner(s.dropsDue())
	if !s.paused {
		sooner(s.idleAt)
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

// conclude decides what comes of an end that the loop has found: when the run is to
// end, or when the peer has to be told, the closing handshake begins and the loop goes
// on; otherwise the connection is over, and conclude returns its end.
func (s *server) conclude(e end) end {
	switch {
	case s.closing:
		return s.cause
	case e.kind == stopped:
		s.close(e, s.o.closeLimit(e.err), frame.StatusNormal)
	case is[*LostError](e.err):
		return e
	case is[*ProtocolError](e.err):
		s.close(e, s.o.CloseTimeout, frame.StatusProtocol)
	default:
		s.close(e, s.o.CloseTimeout, frame.StatusNormal)
	}
	return end{}
}

// ended says why the reader has ended.
func (s *server) ended() end {
	if s.closing {
		return s.cause
	}
	return lostTo(endError(s.conn.End()))
}
