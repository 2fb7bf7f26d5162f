package proto

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/sequence"
)

// Options are the settings of a run; see DefaultOptions. A zero duration or count means
// no limit, no wait or no retry; sizes must be positive.
type Options struct {
	// Transport opens connections, for the upgrade as well as for the service's own
	// requests. nil means one without a proxy.
	Transport http.RoundTripper
	// Dial configures the opening handshake.
	Dial DialOptions
	// ConnectTimeout bounds one handshake, the service's own requests included.
	ConnectTimeout time.Duration
	// Retries is the maximum number of retries within RetryWindow, or in the whole run
	// if that is 0.
	Retries     int
	RetryWindow time.Duration
	Backoff     Backoff
	// PingInterval is the time between the WebSocket pings that are sent, PingTimeout
	// the time within which data must arrive after one.
	PingInterval, PingTimeout time.Duration
	// MaxFrameSize is the largest frame that is sent, in bytes; larger messages are
	// sent in fragments. 0 means DefaultMaxFrameSize.
	MaxFrameSize int
	// MaxMessageSize is the largest message that is accepted, in bytes.
	MaxMessageSize int64
	// Buffer is how many bytes of messages may wait for the sink, and Overflow the
	// policy for more.
	Buffer   int
	Overflow Overflow
	// Meter, if not nil, tells how full the buffer is.
	Meter *Meter
	// ReadyDelay is the delay before a ready stream is reported.
	ReadyDelay time.Duration
	// Idle ends the run when the stream is live and no event has arrived for that time.
	Idle time.Duration
	// Draining, if not nil, is called when nothing more will be received, and events may
	// still wait for the sink. It must not block.
	Draining func()
	// SinkTimeout is the wait for a sink that makes no progress once the run is to end; 0
	// means CloseTimeout.
	SinkTimeout time.Duration
	// CloseTimeout bounds the closing handshake, and the wait for a sink that
	// makes no progress once the run is to end.
	CloseTimeout time.Duration
	// Frames passes every message and control frame of both directions to the sink, in
	// order, instead of events only.
	Frames bool
	// Input delivers frames to send, in this order, in addition to those of the
	// session. It is closed at the end. A frame that could not be written waits for the
	// next connection. Control frames are sent as they are, and a close frame begins
	// the closing handshake.
	Input <-chan Frame
	// InputWritten, if not nil, is called when Input has been closed and all frames
	// have been written.
	InputWritten func()
	// Number, if not nil, returns the number of an event. Numbers rise by one within each
	// sequence, also over connections; ok is false for an event without one. It takes
	// precedence over Numbers of the session, and is called on the goroutine of Trace.
	Number func(Message) (n sequence.Number, ok bool)
	// Delivered, if not nil, tells sessions that are Confirmers which events are done.
	Delivered *Delivered
	// Resumed is the time up to which an earlier process has received the events of the
	// stream: what happened since may be missed. Zero for no earlier process.
	Resumed time.Time
	Control Control
	Trace   Trace
	// Kill ends the run at once, without a closing handshake. nil means never.
	Kill <-chan struct{}
}

// DefaultMaxFrameSize is the default of Options.MaxFrameSize, in bytes.
const DefaultMaxFrameSize = wsconn.DefaultMaxFrame

// Overflow is the policy for a full buffer, when events arrive faster than the sink
// accepts them.
type Overflow int

const (
	// OverflowBlock pauses reading until there is room; the connection is kept alive.
	OverflowBlock Overflow = iota
	// OverflowDropOldest drops the oldest events, and reports how many.
	OverflowDropOldest
	// OverflowFail ends the run with an *OverflowError.
	OverflowFail
)

// DefaultOptions returns the defaults.
func DefaultOptions() Options {
	return Options{
		ConnectTimeout: 10 * time.Second,
		Retries:        10,
		RetryWindow:    5 * time.Minute,
		Backoff:        defaultBackoff,
		PingInterval:   20 * time.Second,
		PingTimeout:    20 * time.Second,
		MaxMessageSize: 64 << 20,
		Buffer:         64 << 20,
		CloseTimeout:   2 * time.Second,
	}
}

// check returns an error for an invalid option.
func (o *Options) check() error {
	for _, v := range []struct {
		name  string
		value int64
		least int64
	}{
		{"ConnectTimeout", int64(o.ConnectTimeout), 0}, {"Retries", int64(o.Retries), 0},
		{"RetryWindow", int64(o.RetryWindow), 0}, {"Backoff.Base", int64(o.Backoff.Base), 0}, {"Backoff.Max", int64(o.Backoff.Max), 0},
		{"PingInterval", int64(o.PingInterval), 0}, {"PingTimeout", int64(o.PingTimeout), 0},
		{"MaxMessageSize", o.MaxMessageSize, 1}, {"MaxFrameSize", int64(o.MaxFrameSize), 0}, {"Buffer", int64(o.Buffer), 1},
		{"ReadyDelay", int64(o.ReadyDelay), 0}, {"Idle", int64(o.Idle), 0}, {"CloseTimeout", int64(o.CloseTimeout), 0},
		{"Dial.MaxRedirects", int64(o.Dial.MaxRedirects), 0},
	} {
		if v.value < v.least {
			return &optionError{v.name, v.value, v.least}
		}
	}
	return nil
}

// An optionError reports a value of Options that is too small.
type optionError struct {
	Name         string
	Value, Least int64
}

func (e *optionError) Error() string {
	return fmt.Sprintf("option %s is %d: expected at least %d", e.Name, e.Value, e.Least)
}

func (o *Options) maxFrameSize() int {
	if o.MaxFrameSize == 0 {
		return DefaultMaxFrameSize
	}
	return o.MaxFrameSize
}

func (o *Options) transport() http.RoundTripper {
	if o.Transport == nil {
		return &http.Transport{}
	}
	return o.Transport
}

// Run connects to svc, passes its events to sink, and reconnects as long as failures
// are worth a retry. It returns why it ended:
//
//   - the error of the sink, as it is;
//   - the cause of ctx, after a closing handshake;
//   - ErrIdle;
//   - nil, when the peer closed normally and there are no retries, when the service has
//     ended the stream (Done), or when a close frame of Options.Input has closed the
//     connection;
//   - an *UnwrittenError, when events could not be passed to the sink in time;
//   - an *OverflowError, with OverflowFail;
//   - an error about o, before anything else;
//   - an *InternalError, when something has panicked;
//   - a *Failure otherwise.
//
// All goroutines have ended when Run returns, except one that is blocked in a call of
// the sink.
func Run(ctx context.Context, svc Service, sink Sink, o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	r := &runner{
		svc: svc, source: svc.Start(), o: &o,
		queue:    newQueue(o.Buffer, o.Overflow, newPool()),
		sinkDone: make(chan struct{}),
		policy:   newReconnectPolicy(&o),
		input:    input{frames: o.Input, ended: o.InputWritten},
	}
	r.numbers.report = func(now time.Time, s State) { r.report(now, "", s) }
	r.numbers.warn = func(text string) { o.Trace.warning(Warning(text)) }
	defer r.queue.free.Close()
	if o.Meter != nil {
		o.Meter.queue.Store(r.queue)
	}
	if !o.Resumed.IsZero() {
		r.missed.restarted(o.Resumed, time.Now())
	}
	go r.sink(sink)
	err := r.control(ctx)
	if r.input.pending != nil {
		r.reportUnconfirmed(1, "")
	}
	r.release()
	r.numbers.end(time.Now(), r.sinkEnded())
	r.queue.end()
	if o.Draining != nil {
		o.Draining()
	}
	full, overflow := errors.AsType[*OverflowError](err)
	if overflow { // the sink cannot keep up
		var cancel func()
		ctx, cancel = context.WithCancel(ctx)
		cancel()
	}
	lost := r.settle(ctx)
	switch {
	case lost > 0 && overflow:
		full.Events += lost
		return full
	case lost > 0:
		return &UnwrittenError{Events: lost, Err: err}
	}
	if r.sinkErr != nil {
		return r.sinkErr
	}
	return err
}

// sinkEnded reports whether the sink accepts no more events.
func (r *runner) sinkEnded() bool {
	select {
	case <-r.sinkDone:
		return true
	default:
		return false
	}
}

// A runner is one call of Run.
type runner struct {
	svc    Service
	source Source
	o      *Options
	queue  *queue
	policy reconnectPolicy

	sinkDone chan struct{} // closed when the sink has ended with sinkErr
	sinkErr  error

	attempt    int
	connected  bool
	unfinished unfinished
	missed     interruption
	numbers    numbers
	input      input
	dropped    dropReport
}

// attempts is the outer loop: attempt, classify, wait, again.
func (r *runner) attempts(ctx context.Context) end {
	defer r.unfinished.stop()
	for {
		r.unfinished.stop()
		e := r.once(ctx)
		switch {
		case e.kind == replaced:
			continue
		case e.kind != lost:
			return e
		case is[*InternalError](e.err):
			return end{final, e.err}
		}
		v := r.verdict(e.err)
		if e.closedByPeer() && r.o.Retries == 0 && v.Class == Transient {
			return end{final, nil}
		}
		if v.Class == Done {
			return end{final, nil}
		}
		if v.RetryNow {
			if delay, ok := r.policy.free(rand.Float64()); ok {
				if e := r.sleep(ctx, delay); e.came() {
					return e
				}
				continue
			}
		}
		if v.Class != Transient {
			return end{final, &Failure{Class: v.Class, Connected: r.connected, Err: e.err}}
		}
		if e = r.wait(ctx, e.err); e.came() {
			return e
		}
	}
}

func (r *runner) verdict(err error) Verdict { return verdictOf(r.svc, err, r.connected) }

func verdictOf(svc Service, err error, connected bool) Verdict {
	var v Verdict
	if c, ok := svc.(Classifier); ok {
		v = c.Classify(err)
	}
	if v.Class == Unknown {
		v.Class = classify(err, connected)
	}
	return v
}

// Classify returns the class of a failed request to svc that is not part of a run.
func Classify(svc Service, err error) Class { return verdictOf(svc, err, false).Class }

// wait uses a retry and waits until it is due.
func (r *runner) wait(ctx context.Context, err error) end {
	now := time.Now()
	var asked time.Duration
	if he, ok := errors.AsType[*HandshakeError](err); ok {
		asked = he.RetryAfter
	}
	if r.o.RetryWindow > 0 && asked > r.o.RetryWindow {
		return end{final, &Failure{Class: Transient, Connected: r.connected, Err: err}}
	}
	spent := &r.policy.budget.spent
	delay, ok := r.policy.retry(now, rand.Float64(), asked)
	if !ok {
		return end{final, &Failure{Class: Transient, Connected: r.connected, Retries: len(*spent), Err: err}}
	}
	r.report(now, "", Retrying{Err: err, Delay: delay, Retry: len(*spent), Retries: r.o.Retries})
	return r.sleep(ctx, delay)
}

// sleep waits for a delay, or until a new connection is requested.
func (r *runner) sleep(ctx context.Context, delay time.Duration) end {
	t := time.NewTimer(delay)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return end{}
		case <-r.o.Control.Again:
			return end{}
		case done := <-r.unfinished.done():
			r.unfinished.finish(done)
		case <-ctx.Done():
			return stop(context.Cause(ctx))
		case <-r.o.Kill:
			return stop(context.Cause(ctx))
		case <-r.sinkDone:
			return stop(nil)
		}
	}
}

// once makes one attempt and serves the connection until it ends.
func (r *runner) once(ctx context.Context) end {
	r.attempt++
	hctx, cancel := WithConnectTimeout(ctx, r.o.ConnectTimeout)
	defer cancel()
	unhook := r.interrupt(cancel)
	defer unhook()

	begun := time.Now()
	hs, err := r.source.Handshake(hctx)
	if err != nil {
		r.unprepared(begun, err)
	} else {
		for _, v := range hs.Secrets {
			r.o.Trace.secret(v)
		}
		r.report(time.Now(), hs.Address, Connecting{})
		var conn *wsconn.Conn
		if conn, err = dial(hctx, hs, r.o, r.queue); err == nil {
			r.connected = true
			r.policy.connected(time.Now())
			r.report(time.Now(), hs.Address, Connected{})
			if len(hs.Secrets) > 0 && !hs.AuthLater {
				r.report(time.Now(), hs.Address, Authenticated{})
			}
			return r.serve(ctx, conn, hs)
		}
	}
	select {
	case <-ctx.Done():
		return stop(context.Cause(ctx))
	case <-r.o.Kill:
		return stop(context.Cause(ctx))
	case <-r.sinkDone:
		return stop(nil)
	default:
		return lostTo(err)
	}
}

// interrupt calls cancel when the run ends for another reason than its context,
// until the returned function is called.
func (r *runner) interrupt(cancel func()) (unhook func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-r.sinkDone:
		case <-r.o.Kill:
		case <-done:
			return
		}
		cancel()
	}()
	return func() {
		close(done)
		<-ended
	}
}

// unprepared reports an attempt that failed before its address was known.
func (r *runner) unprepared(begun time.Time, err error) {
	address := ""
	if e, ok := errors.AsType[*HandshakeError](err); ok {
		address = e.Address
	}
	r.report(begun, address, Connecting{})
}

// sink passes the events of the queue to the sink, in its own goroutine.
func (r *runner) sink(s Sink) {
	defer close(r.sinkDone)
	defer r.queue.leave()
	r.sinkErr = r.drain(s)
}

func (r *runner) drain(s Sink) (err error) {
	defer rescue(&err)
	err = r.give(s)
	if ferr := s.Flush(); ferr != nil {
		err = ferr
	}
	return err
}

func (r *runner) give(s Sink) error {
	var ev Event
	positions, _ := s.(PositionSink)
	for {
		b, ended := r.queue.take()
		if b == nil {
			if err := s.Flush(); err != nil || ended {
				return err
			}
			<-r.queue.more
			continue
		}
		taken := 0 // events of the batch
		for i := range b.Entries {
			e := &b.Entries[i]
			if !e.Event {
				if e.Mark != nil && positions != nil {
					if err := positions.Position(e.Mark); err != nil {
						r.queue.given(taken)
						r.queue.free.Put(b)
						return err
					}
				}
				continue
			}
			ev.Seq++
			ev.Position = e.Mark
			ev.Data, ev.Binary, ev.Time = b.Payload(e), e.Op == frame.OpBinary, e.Time
			ev.Direction, ev.Opcode, ev.Secret = direction(e), e.Op, e.Secret
			if err := s.Event(&ev); err != nil {
				r.queue.given(taken)
				r.queue.free.Put(b)
				return err
			}
			taken++
		}
		ev.Data = nil // so that it can be freed while waiting for the next one
		weight, events := b.Weight, b.Events
		r.queue.free.Put(b)
		r.queue.done(weight, events)
	}
}
