package proto

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
)

// A Backoff is the rule of waiting between attempts: exponential, with jitter so that
// many clients that lost the same server do not reconnect at the same time. It is a
// pure function of its arguments.
type Backoff struct {
	// Base is the wait before the first retry, Max the longest wait.
	Base, Max time.Duration
}

// defaultBackoff waits 0.5 s, 1 s, 2 s … 30 s, each shortened by up to a half.
var defaultBackoff = Backoff{Base: 500 * time.Millisecond, Max: 30 * time.Second}

// Delay is the wait before retry n, counted from 0. random is in [0, 1) and chooses
// between half the exponential value and all of it. The result is at least the wait
// that the server requested (Retry-After, RFC 9110, section 10.2.3).
func (b Backoff) Delay(n int, random float64, asked time.Duration) time.Duration {
	d := b.longest(n)
	d = d/2 + time.Duration(random*float64(d/2))
	return max(d, asked)
}

// longest returns the wait before retry n without jitter.
func (b Backoff) longest(n int) time.Duration {
	if n < 32 {
		if e := b.Base << n; e > 0 && e>>n == b.Base {
			return min(e, b.Max)
		}
	}
	return b.Max
}

// A reconnectPolicy decides whether there is another attempt, and when. It has no
// connections and no clock: all it knows is passed to its methods.
//
// Consecutive failures increase the delay, whether an attempt failed or a connection
// was opened and lost at once, as with a proxy that accepts connections for a server
// that is down. Only a stable connection resets it: one that lasted, or one that was
// ready and received events for longer than the delay before it.
type reconnectPolicy struct {
	backoff Backoff
	budget  budget

	failures int           // consecutive
	freeUsed bool          // the series has had its free retry
	delay    time.Duration // the last wait, without jitter; 0 before the first

	// About the open connection, or the last one.
	opened time.Time // zero if there is none
	ready  time.Time // zero while it is not
	events bool      // it has received some
}

// stableTime is how long a connection must have lasted to be stable, if the longest
// delay is not longer.
const stableTime = 30 * time.Second

func newReconnectPolicy(o *Options) reconnectPolicy {
	return reconnectPolicy{backoff: o.Backoff, budget: budget{limit: o.Retries, window: o.RetryWindow}}
}

// connected is called when a connection is open, and streamReady when its stream
// is ready.
func (p *reconnectPolicy) connected(now time.Time) {
	p.opened, p.ready, p.events = now, time.Time{}, false
}

func (p *reconnectPolicy) streamReady(now time.Time) {
	if p.ready.IsZero() {
		p.ready = now
	}
}

// lost is called when the connection has ended.
func (p *reconnectPolicy) lost(now time.Time) {
	if p.stable(now) {
		p.failures, p.freeUsed, p.delay = 0, false, 0
	}
	p.opened = time.Time{}
}

// stable reports whether the connection, which ends now, was stable.
func (p *reconnectPolicy) stable(now time.Time) bool {
	if p.opened.IsZero() {
		return false
	}
	if now.Sub(p.opened) >= max(stableTime, p.backoff.Max) {
		return true
	}
	return p.events && !p.ready.IsZero() && now.Sub(p.ready) > max(p.delay, p.backoff.Base)
}

// free grants a retry that does not count, once per series of failures. It is delayed,
// too.
func (p *reconnectPolicy) free(random float64) (delay time.Duration, ok bool) {
	if p.freeUsed {
		return 0, false
	}
	p.freeUsed = true
	return p.next(random, 0), true
}

// retry uses a retry of the budget, or reports that there is none. asked is the wait
// that the server requested.
func (p *reconnectPolicy) retry(now time.Time, random float64, asked time.Duration) (delay time.Duration, ok bool) {
	if !p.budget.take(now) {
		return 0, false
	}
	return p.next(random, asked), true
}

func (p *reconnectPolicy) next(random float64, asked time.Duration) time.Duration {
	d := p.backoff.Delay(p.failures, random, asked)
	p.delay = p.backoff.longest(p.failures)
	p.failures++
	return d
}

// reset is called when the user requests a new connection.
func (p *reconnectPolicy) reset() {
	p.failures, p.freeUsed, p.delay, p.budget.spent = 0, false, 0, nil
}

// A budget counts retries in a sliding window: at most limit within window, or in total
// if window is 0.
type budget struct {
	limit  int
	window time.Duration
	spent  []time.Time
}

// take uses one retry at now, or reports that none is left.
func (b *budget) take(now time.Time) bool {
	cut := 0
	for b.window > 0 && cut < len(b.spent) && now.Sub(b.spent[cut]) >= b.window {
		cut++
	}
	b.spent = b.spent[cut:]
	if len(b.spent) >= b.limit {
		return false
	}
	b.spent = append(b.spent, now)
	return true
}

// A successor is the connection that is to replace an open one: at first it is only
// asked for, then it is dialed. When it is open, its loop runs that of the old one, too.
type successor struct {
	base   context.Context
	asked  *Successor
	at     time.Time          // when an attempt is due; zero for none
	done   chan dialed        // of an attempt; nil without one
	cancel context.CancelFunc // of that
	opened dialed             // the result of the last one
}

// A dialed connection is the result of an attempt.
type dialed struct {
	begun   time.Time
	hs      *Handshake // nil if there is no address
	accept  func()
	conn    *wsconn.Conn
	records []FrameRecord
	err     error
}

// succession plans the first attempt, which is free like that of a reconnect that the
// service asks for.
func (l *connLoop) succession(s Successor, now time.Time) {
	if l.successor.asked != nil || l.newer != nil || l.closing.begun {
		return
	}
	l.successor.asked = &s
	l.policy.lost(now) // it decides whether the connection has lasted
	if delay, ok := l.policy.free(rand.Float64()); ok {
		l.successor.at = now.Add(delay)
		return
	}
	if err := errors.New("the service asks for a new connection again"); !l.planSuccessor(err, 0, now) {
		l.warnSuccessor(err)
	}
}

// retrySuccessor plans another attempt, or gives up. The old connection goes on in any
// case, and when it ends, the run reconnects as usual.
func (l *connLoop) retrySuccessor(err error, now time.Time) {
	var asked time.Duration
	if he, ok := errors.AsType[*HandshakeError](err); ok {
		asked = he.RetryAfter
	}
	if l.verdict(err).Class != Transient || l.o.RetryWindow > 0 && asked > l.o.RetryWindow || !l.planSuccessor(err, asked, now) {
		l.warnSuccessor(err)
	}
}

// planSuccessor plans an attempt after a wait, if there is one.
func (l *connLoop) planSuccessor(err error, asked time.Duration, now time.Time) bool {
	delay, ok := l.policy.retry(now, rand.Float64(), asked)
	if ok {
		l.successor.at = now.Add(delay)
		l.report(now, "", Retrying{Err: err, Delay: delay, Retry: len(l.policy.budget.spent), Retries: l.o.Retries})
	}
	return ok
}

func (l *connLoop) warnSuccessor(err error) {
	l.o.Trace.warning(Warning(fmt.Sprintf("the connection that the service asked for cannot be opened: %v; the old one goes on until it ends", err)))
}

// tick begins an attempt that is due.
func (s *successor) tick(r *runner, now time.Time) {
	if s.at.IsZero() || now.Before(s.at) {
		return
	}
	s.at = time.Time{}
	r.attempt++
	var ctx context.Context
	ctx, s.cancel = WithConnectTimeout(s.base, r.o.ConnectTimeout)
	asked, done := s.asked, make(chan dialed, 1)
	s.done = done
	go func() { done <- asked.dial(ctx, r.o, r.queue) }()
}

// pending reports whether an attempt is planned or under way.
func (s *successor) pending() bool { return s.done != nil || !s.at.IsZero() }

// dial makes an attempt, in its own goroutine: what it says is in the result.
func (s *Successor) dial(ctx context.Context, o *Options, q *queue) (d dialed) {
	d.begun = time.Now()
	defer rescue(&d.err)
	quiet := *o
	quiet.Trace = Trace{}
	if o.Trace.Frame != nil {
		quiet.Trace.Frame = func(r FrameRecord) {
			r.Handshake.Overlaps = true
			d.records = append(d.records, r)
		}
	}
	if d.hs, d.accept, d.err = s.Handshake(ctx); d.err == nil {
		d.conn, d.err = dial(ctx, d.hs, &quiet, q)
	}
	return d
}

// stop ends an attempt.
func (s *successor) stop() {
	s.at = time.Time{}
	if s.done == nil {
		return
	}
	s.cancel()
	if d := <-s.done; d.conn != nil {
		d.conn.Close()
	}
	s.done = nil
}

// dialed takes the result of an attempt, and reports whether there is a connection.
func (l *connLoop) dialed(d dialed) bool {
	l.successor.done = nil
	l.successor.cancel()
	l.tellDialed(d)
	switch {
	case l.closing.begun && d.conn != nil:
		d.conn.Close()
	case l.closing.begun:
	case d.err != nil:
		l.retrySuccessor(d.err, time.Now())
	default:
		l.successor.opened = d
		return true
	}
	return false
}

// tellDialed reports what an attempt could not report itself.
func (r *runner) tellDialed(d dialed) {
	if d.hs == nil {
		r.unprepared(d.begun, d.err)
		return
	}
	for _, v := range d.hs.Secrets {
		r.o.Trace.secret(v)
	}
	r.report(d.begun, d.hs.Address, Connecting{})
	for _, record := range d.records {
		r.o.Trace.frame(record)
	}
}

// succeed returns the loop of a connection that replaces old, which may be nil.
func (r *runner) succeed(ctx context.Context, d dialed, old *connLoop) *connLoop {
	n := r.newLoop(ctx, d.conn, d.hs)
	if n.old = old; old != nil {
		old.newer, old.successor.opened = n, dialed{}
	}
	r.policy.connected(time.Now())
	n.report(time.Now(), n.address, Connected{})
	if len(d.hs.Secrets) > 0 && !d.hs.AuthLater {
		n.report(time.Now(), n.address, Authenticated{})
	}
	d.accept()
	n.open()
	return n
}

// takeSuccessor takes the successor of a connection that has ended with e before there was
// one, if it is still wanted.
func (l *connLoop) takeSuccessor(e end) (s successor) {
	if e.kind == lost && l.successor.pending() && l.verdict(e.err).Class == Transient {
		s, l.successor = l.successor, s
	}
	return s
}

// awaitSuccessor waits for the successor of a connection that has ended. If there will be
// none, it returns why the attempt has ended.
func (r *runner) awaitSuccessor(ctx context.Context, s successor) (*connLoop, end) {
	defer s.stop()
	if !s.at.IsZero() {
		if e := r.sleep(ctx, time.Until(s.at)); e.came() {
			return nil, e
		}
		s.tick(r, s.at)
	}
	select {
	case d := <-s.done:
		s.done = nil
		s.cancel()
		r.tellDialed(d)
		if d.err != nil {
			return nil, lostTo(d.err)
		}
		r.queue.setClosing(false)
		return r.succeed(ctx, d, nil), end{}
	case <-ctx.Done():
	case <-r.o.Kill:
	case <-r.sinkDone:
		return nil, stop(nil)
	}
	return nil, stop(context.Cause(ctx))
}

// replaceOld is called when the stream is ready. It begins to close the connection that
// this one replaces, and reports whether that one was in use until now.
func (l *connLoop) replaceOld() bool {
	if l.old == nil || l.old.closing.begun {
		return false
	}
	used := l.old.stream.reported
	l.old.close(end{lost, errSucceeded}, l.o.CloseTimeout, frame.StatusNormal)
	return used
}

// fallsBack reports whether the end of the connection leaves the one that it should have
// replaced.
func (l *connLoop) fallsBack(e end) bool {
	return l.old != nil && e.kind == lost && !l.old.closing.begun && !is[*InternalError](e.err) && l.verdict(e.err).Class != Done
}

// fallBack returns the loop of that one.
func (l *connLoop) fallBack(e end) *connLoop {
	l.join()
	if w, ok := l.session.(EndWatcher); ok {
		w.Ended(e.err)
	}
	now := time.Now()
	l.policy.lost(now)
	old := l.old
	l.endInput(e)
	l.old, old.newer = nil, nil
	l.queue.setClosing(false)
	old.retrySuccessor(e.err, now)
	return old
}

// oldChannels are what a loop receives from the connection that it replaces.
type oldChannels struct {
	batches           <-chan *wsconn.Batch
	writable, written <-chan struct{}
	worked            <-chan func(time.Time) (Work, error)
}

// channels returns those of a loop, which may be nil.
func (l *connLoop) channels() (c oldChannels) {
	if l != nil {
		c = oldChannels{l.incoming(), l.conn.Writable(), l.conn.Written(), l.worker.done}
	}
	return c
}

// tickOld runs what is due on the old connection, if there is one, and returns the time
// until that is the case next. The end is that of the run.
func (l *connLoop) tickOld(now time.Time) (wake time.Duration, _ end) {
	old := l.old
	if old == nil {
		return 0, end{}
	}
	old.tick(now)
	if old.closing.begun && (old.reading.readsPaused(now) || old.state.Unread) { // what has arrived is still to be read
		old.closing.by = now.Add(l.o.CloseTimeout)
	}
	e := old.due(now)
	if e.kind == stopped && !old.closing.begun {
		return 0, e
	}
	if e.came() {
		if e = old.conclude(e); e.came() {
			l.endOld(e)
			return 0, end{}
		}
	}
	wake = old.wake(now)
	old.reading.planned = now.Add(wake)
	return wake, end{}
}

// oldBatch takes a batch of the old connection. The end is that of the run.
func (l *connLoop) oldBatch(b *wsconn.Batch, ok bool) end {
	if !ok {
		from, broken := l.old.conn.State(time.Now()).Drained, l.old.broken()
		l.endOld(l.old.readerEnd())
		if broken != nil {
			l.report(time.Now(), l.address, Gap{From: from, To: time.Now(), Reason: broken.Error()})
		}
		return end{}
	}
	e := l.old.batch(b)
	if e.kind == stopped {
		return e
	}
	if e.came() {
		if e = l.old.conclude(e); e.came() {
			l.endOld(e)
		}
	}
	return end{}
}

// broken returns why a connection has ended that has been replaced, if what was on its way
// may be lost; its reader has ended.
func (l *connLoop) broken() error {
	e := l.conn.End()
	if l.closing.cause.err != errSucceeded || e.Kind == wsconn.Closed || e.Err == wsconn.ErrEnd {
		return nil
	}
	return endError(e)
}

// endOld ends the old connection.
func (l *connLoop) endOld(e end) {
	old := l.old
	old.ended(e)
	l.old = nil
	l.queue.setClosing(l.closing.begun)
}

// finishOld waits for the end of the old connection when this one has ended with e.
func (l *connLoop) finishOld(ctx context.Context, e end) {
	if l.old == nil {
		return
	}
	l.old.close(e, l.o.closeLimit(e.err), frame.StatusNormal)
	l.endOld(l.old.loop(ctx))
}
