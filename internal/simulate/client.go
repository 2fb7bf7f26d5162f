package simulate

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/transcript"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/sequence"
)

// Options are what a simulation needs besides a case.
type Options struct {
	// Service makes the service, which makes its requests with client and whose time is
	// that of now.
	Service func(client *http.Client, now func() time.Time) (proto.Service, error)
	Framing transcript.Framing
	// ExitCode is the exit code for the end of a run.
	ExitCode func(error) int
}

// retryDelay is the wait before another attempt.
const retryDelay = time.Second

// A client is a service in a run.
type client struct {
	o   Options
	svc proto.Service
	src proto.Source
	ctx context.Context
	now time.Time

	acts

	attemptAt time.Time        // when the next attempt is due, zero for never
	handshake *proto.Handshake // whose socket is to be opened; nil without one
	session   proto.Session    // nil without a connection
	next      time.Time        // when Tick is due, zero for never
	ready     bool             // the stream of the connection
	missed    missed
	numbers   sequence.Tracker
	over      overlap

	calls    chan *call  // requests of the blocking function that runs
	results  chan func() // its end
	asking   *call       // the request that waits for its answer, or nil
	blocking bool        // a blocking function runs
	cancel   func()      // ends that of the connection
	joined   sync.WaitGroup
}

// A missed time is what the engine keeps of interruptions, without the times.
type missed struct {
	lost    bool // a stream that was ready has ended
	resumed bool // the service says that nothing was missed
}

// A call is a request over HTTP.
type call struct {
	request *http.Request
	answer  chan *http.Response
}

// started is when a simulation begins.
var started = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newClient(ctx context.Context, o Options) (*client, error) {
	c := &client{o: o, ctx: ctx, now: started, calls: make(chan *call), results: make(chan func()), cancel: func() {}}
	svc, err := o.Service(&http.Client{
		Transport:     c,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, func() time.Time { return c.now })
	if err != nil {
		return nil, err
	}
	c.svc, c.src = svc, svc.Start()
	return c, nil
}

// RoundTrip implements http.RoundTripper, for a blocking function.
func (c *client) RoundTrip(r *http.Request) (*http.Response, error) {
	k := &call{r, make(chan *http.Response)}
	select {
	case c.calls <- k:
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
	select {
	case resp := <-k.answer:
		return resp, nil
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
}

// begin begins the run.
func (c *client) begin() {
	c.attemptAt = c.now
	c.settle()
}

// stop ends what still runs.
func (c *client) stop(cancel func()) {
	cancel()
	c.cancel()
	c.joined.Wait()
}

// open reports whether there is a connection.
func (c *client) open() bool { return c.session != nil }

// block runs a function that may make requests, until it has ended or waits for an
// answer. then is called with what it returns.
func (c *client) block(f func() func()) {
	c.blocking = true
	c.joined.Go(func() {
		end := f()
		select {
		case c.results <- end:
		case <-c.ctx.Done():
		}
	})
	c.resume()
}

// resume waits for the blocking function.
func (c *client) resume() {
	select {
	case c.asking = <-c.calls:
		c.said = append(c.said, did(transcript.Request, requestValue(c.asking.request)))
	case end := <-c.results:
		c.blocking = false
		end()
	case <-c.ctx.Done():
	}
}

// answerRequest answers the request that waits.
func (c *client) answerRequest(status int, body []byte) {
	k := c.asking
	c.asking = nil
	resp := &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: k.request,
	}
	select {
	case k.answer <- resp:
	case <-k.request.Context().Done(): // its connection has ended
	}
	c.resume()
	c.settle()
}

// settle does all that is due.
func (c *client) settle() {
	const most = 1000 // in a moment
	for range most {
		switch {
		case c.ended || c.err != nil || c.ctx.Err() != nil:
			return
		case !c.attemptAt.IsZero() && !c.attemptAt.After(c.now) && !c.blocking:
			c.attemptAt = time.Time{}
			c.attempt()
		case c.session != nil && !c.next.IsZero() && !c.next.After(c.now):
			c.tick()
		case c.over.old != nil && !c.over.oldNext.IsZero() && !c.over.oldNext.After(c.now):
			c.tickOld()
		default:
			return
		}
	}
	c.err = errEndless
}

// due is when something is due next; zero for never.
func (c *client) due() time.Time {
	at := c.attemptAt
	if c.session != nil && !c.next.IsZero() && (at.IsZero() || c.next.Before(at)) {
		at = c.next
	}
	if next := c.over.oldNext; c.over.old != nil && !next.IsZero() && (at.IsZero() || next.Before(at)) {
		at = next
	}
	return at
}

// wait has time pass until done, but not more than d.
func (c *client) wait(d time.Duration, done func() bool) {
	until := c.now.Add(d)
	for c.settle(); !done() && c.err == nil && c.ctx.Err() == nil; c.settle() {
		at := c.due()
		if at.IsZero() || at.After(until) {
			c.now = until
			c.settle()
			return
		}
		c.now = at
	}
}

// attempt prepares a connection.
func (c *client) attempt() {
	c.block(func() func() {
		var hs *proto.Handshake
		var err error
		if c.over.asked != nil {
			hs, c.over.accept, err = c.over.asked.Handshake(c.ctx)
		} else {
			hs, err = c.src.Handshake(c.ctx)
		}
		return func() {
			if err != nil {
				c.lost(err)
				return
			}
			c.handshake = hs
			c.said = append(c.said, did(transcript.Open, transcript.OpenValue(hs.URL, hs.Header, hs.Subprotocols)))
		}
	})
}

// answerOpen answers the opening handshake.
func (c *client) answerOpen(status int, body []byte) {
	hs := c.handshake
	c.handshake = nil
	if status != http.StatusSwitchingProtocols {
		c.lost(&proto.HandshakeError{Stage: netdial.StageUpgrade, Address: hs.Address, Status: status, Body: string(body)})
		return
	}
	if c.over.asked != nil {
		c.overlaps()
	}
	c.session, c.ready, c.next, c.missed.resumed = hs.Session, false, time.Time{}, false
	c.apply(c.session.OnOpen(c.now))
	c.tick()
	c.settle()
}

// tick has the session do what is due.
func (c *client) tick() {
	s, ok := c.session.(proto.Scheduler)
	if !ok {
		return
	}
	w, err := s.Tick(c.now)
	if err != nil {
		c.lost(err)
		return
	}
	c.work(w)
}

// work does what a Scheduler asks for.
func (c *client) work(w proto.Work) {
	c.next = w.Next
	c.apply(w.Effects)
	if w.Do == nil || c.blocking {
		return
	}
	ctx, cancel := context.WithCancel(c.ctx)
	c.cancel = cancel
	session := c.session
	c.block(func() func() {
		done := w.Do(ctx)
		return func() {
			cancel()
			if c.session != session {
				return
			}
			if w, err := done(c.now); err != nil {
				c.lost(err)
			} else {
				c.work(w)
			}
		}
	})
}

// receive passes a message of the server on.
func (c *client) receive(data []byte, binary bool) {
	if err := c.decode(c.session, data, binary); err != nil {
		c.lost(err)
	} else {
		c.tick()
	}
	c.settle()
}

// decode has a session decode a message.
func (c *client) decode(session proto.Session, data []byte, binary bool) error {
	m := proto.Message{Data: c.o.Framing.Frame(data, binary), Binary: binary, Time: c.now}
	event, effects, err := session.Decode(m)
	var events, held []proto.Message
	if event {
		events = append(events, m)
	}
	var done []any // as soon as they are events
	for _, effect := range effects {
		switch e := effect.(type) {
		case proto.Moved:
			done = append(done, e.Position)
		case proto.Events:
			events = append(events, e...)
		case proto.Inject:
			held = append(held, e...)
		default:
			c.apply([]proto.Effect{e})
		}
	}
	c.events(append(events, held...))
	if s, ok := session.(proto.Confirmer); ok && len(done) > 0 {
		c.apply(s.Confirm(done, c.now))
	}
	return err
}

func (c *client) closed(code int, reason string) {
	c.lost(&proto.CloseError{Code: code, Reason: reason})
	c.settle()
}

func (c *client) cut() {
	c.lost(&proto.LostError{Err: io.EOF})
	c.settle()
}

// lost ends an attempt or a connection, and the run if another attempt is of no use.
func (c *client) lost(err error) {
	if _, failed := errors.AsType[*proto.HandshakeError](err); failed && c.over.asked != nil {
		c.attemptAt = c.now.Add(retryDelay) // the old connection goes on
		return
	}
	c.farewell(err)
	if w, ok := c.session.(proto.EndWatcher); ok {
		w.Ended(err)
	}
	if c.fallBack() {
		return
	}
	if c.session != nil && c.ready {
		c.missed.lost = true
	}
	c.numbers.Interrupt()
	c.over.asked = nil
	c.session, c.next = nil, time.Time{}
	c.cancel()
	c.join()
	v := proto.Verdict{}
	if j, ok := c.svc.(proto.Classifier); ok {
		v = j.Classify(err)
	}
	if v.Class == proto.Unknown {
		v.Class = proto.Classify(c.svc, err)
	}
	if v.RetryNow || v.Class == proto.Transient {
		c.attemptAt = c.now.Add(retryDelay)
		return
	}
	if v.Class == proto.Done {
		c.end(nil)
		return
	}
	c.end(&proto.Failure{Class: v.Class, Connected: true, Err: err})
}

// farewell sends what comes before the closing handshake, if the client ends the
// connection.
func (c *client) farewell(err error) {
	_, closed := errors.AsType[*proto.CloseError](err)
	_, lost := errors.AsType[*proto.LostError](err)
	if c.session == nil || closed || lost {
		return
	}
	for _, f := range c.session.OnClose() {
		c.send(f)
	}
}

// join waits for the end of a blocking function whose context has ended.
func (c *client) join() {
	if c.asking != nil {
		c.said = slices.DeleteFunc(c.said, func(a act) bool { return a.kind == transcript.Request })
		c.asking = nil
	}
	for c.blocking && c.ctx.Err() == nil {
		select {
		case <-c.calls: // which finds out by itself
		case end := <-c.results:
			c.blocking = false
			end()
		case <-c.ctx.Done():
		}
	}
}

func (c *client) end(err error) {
	c.ended = true
	c.made = append(c.made, act{kind: transcript.Exit, code: c.o.ExitCode(err), err: err})
}

// apply does what the session asks for.
func (c *client) apply(effects []proto.Effect) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case proto.Send:
			for _, f := range e {
				c.send(f)
			}
		case proto.Warning:
			c.warning = string(e)
		case proto.Resumed:
			c.missed.resumed = true
		case proto.StreamReady:
			c.nowReady(e)
		case proto.GapReports:
			c.gaps(e)
		case proto.Numbers:
			c.follow(e)
		case proto.Successor:
			c.succession(e)
		case proto.Inject:
			c.events(e)
		}
	}
}

func (c *client) send(f proto.Frame) {
	if f.Opcode.Control() {
		return
	}
	binary := f.Opcode == frame.OpBinary
	for _, data := range c.o.Framing.Split(f.Payload, binary) {
		c.said = append(c.said, did(transcript.Send, c.o.Framing.Value(data, binary)))
	}
}

// follow takes note of numbers of events that are not in order, over a reconnect, too.
func (c *client) follow(list proto.Numbers) {
	for _, n := range list {
		if f := c.numbers.Next(n, c.now); f.Kind != sequence.InOrder {
			c.made = append(c.made, act{kind: transcript.Gap})
		}
	}
}

// gaps takes note of what a session that was filling says of gaps.
func (c *client) gaps(list []proto.GapReport) {
	for _, g := range list {
		if !g.Filled && (!g.From.IsZero() || c.missed.lost) {
			c.made = append(c.made, act{kind: transcript.Gap})
		}
	}
}

func (c *client) events(list []proto.Message) {
	for _, m := range list {
		c.made = append(c.made, did(transcript.Event, transcript.Value(m.Data, m.Binary)))
	}
}

// textOf is a value as JSON.
func textOf(value any) string {
	b, err := eventjson.AppendValue(nil, value)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// did is an act of a kind with a value.
func did(kind transcript.Kind, value any) act {
	return act{kind: kind, value: value, text: textOf(value)}
}

// requestValue reads a request.
func requestValue(r *http.Request) any {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body) // of a text
		_ = r.Body.Close()
	}
	return transcript.RequestValue(cmp.Or(r.Method, http.MethodGet), r.URL.String(), r.Header, body)
}
