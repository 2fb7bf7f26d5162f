package call

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// calls are those of one connection: what is in flight, and what has an outcome but
// waits for calls before it. It is the sink of the connection.
type calls struct {
	o        *options
	s        *stream.Stream
	w        *output.Writer
	ctx      context.Context
	requests chan<- proto.Frame
	done     func(cause error) // ends the connection
	slots    chan struct{}     // one for each call from its sending to its printing

	mu       sync.Mutex
	pending  []*call // in their order
	lastID   int
	complete bool  // no more calls will come
	first    error // of the first call that failed
	failed   error // of reading stdin or writing stdout
	ended    bool  // the connection
	printed  uint64
}

// errDone ends the connection when there is nothing more to wait for.
var errDone = errors.New("all calls are done")

// feed sends the calls. Its goroutine ends with the connection, but for a read of stdin.
func (c *calls) feed() {
	if c.o.one != nil {
		c.send(c.o.one)
		c.finish(nil)
		return
	}
	lines, failed := stream.InputLines(c.ctx, c.s.Stdin)
	for l := range lines {
		if one := parse(l.Number, l.Text); one.method != "" && !c.send(one) {
			return
		}
	}
	select {
	case err := <-failed:
		if err != nil {
			err = fmt.Errorf("stdin: %w", err)
		}
		c.finish(err)
	case <-c.ctx.Done():
	}
}

// finish says that no more calls will come.
func (c *calls) finish(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.complete = true
	if c.failed == nil {
		c.failed = err
	}
	c.settle()
}

// send has a call in flight, and reports false when the connection has ended.
func (c *calls) send(one *call) bool {
	select {
	case c.slots <- struct{}{}:
	case <-c.ctx.Done():
		return false
	}
	request, ok := c.begin(one)
	if !ok {
		return true
	}
	select {
	case c.requests <- proto.Text(request):
	case <-c.ctx.Done():
		return false
	}
	return true
}

// begin gives a call its id and makes the request; false if it has failed already.
func (c *calls) begin(one *call) (request []byte, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil, false
	}
	c.lastID++
	one.id = c.lastID
	c.pending = append(c.pending, one)
	err := one.check()
	if err == nil {
		request, err = c.o.dialect.Request(c.ctx, one.id, one.method, one.params)
		if err != nil {
			err = &requestError{err}
		}
	}
	if err != nil {
		c.conclude(one, nil, err)
		c.settle()
		c.flush()
		return nil, false
	}
	one.timer = time.AfterFunc(c.o.maxTime, func() { c.late(one) })
	return request, true
}

// late is called when the time for an answer has passed.
func (c *calls) late(one *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.conclude(one, nil, &timeoutError{limit: c.o.maxTime})
	c.settle()
	c.flush()
}

// flush writes what has been printed, where the engine does not do so. c.mu is held.
func (c *calls) flush() {
	if err := c.w.Flush(); err != nil && c.failed == nil {
		c.failed = err
		c.done(errDone)
	}
}

// conclude notes the outcome of a call, the first time. c.mu is held.
func (c *calls) conclude(one *call, result []byte, err error) {
	if one.over {
		return
	}
	one.over, one.result, one.err = true, result, err
	if one.timer != nil {
		one.timer.Stop()
	}
}

// settle prints the outcomes whose turn it is, and ends the connection after the last
// one. c.mu is held.
func (c *calls) settle() {
	for len(c.pending) > 0 && c.pending[0].over {
		one := c.pending[0]
		c.pending = c.pending[1:]
		switch {
		case one.err != nil:
			c.fail(one)
		case c.failed == nil:
			c.print(one.result)
		}
		<-c.slots
	}
	if c.failed != nil || c.complete && len(c.pending) == 0 {
		c.done(errDone)
	}
}

// print writes a record to stdout. c.mu is held.
func (c *calls) print(record []byte) {
	c.printed++
	if err := c.s.Print(c.w, c.printed, record); err != nil {
		c.failed = err
	}
}

// fail says that a call has failed, at once when there are others. c.mu is held.
func (c *calls) fail(one *call) {
	err := error(&callError{one, one.err})
	if c.first == nil {
		c.first = err
	}
	if one.line > 0 && !ending.Is[*lostError](err) {
		c.s.Say.Error("%s", console.Line(c.s.Say.String(err.Error())))
	}
}

// Event implements proto.Sink: a message may answer a call.
func (c *calls) Event(ev *proto.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.o.dialect.Read(ev.Data)
	for _, one := range c.pending {
		if one.over {
			continue
		}
		ok, err := m.Answers(c.ctx, one.id)
		if err != nil {
			c.s.Detail("--match: %v", err)
		}
		if !ok {
			continue
		}
		result, fault, err := m.Outcome(c.ctx, one.id)
		if fault != nil {
			err = &faultError{string(fault)}
		} else if err != nil {
			err = &answerError{err}
		}
		c.conclude(one, append([]byte(nil), result...), err)
		c.settle()
		return c.failed
	}
	if m.Anonymous() {
		if n := c.inFlight(); len(n) == 1 {
			_, fault, _ := m.Outcome(c.ctx, 0)
			c.conclude(n[0], nil, &faultError{string(fault)})
			c.settle()
			return c.failed
		}
		c.s.Warn("the server answered with an error and no id: %s", console.Line(cmdline.Cut(string(ev.Data), 200)))
	}
	if c.o.notifications {
		c.printed++
		if err := c.w.Event(ev); err != nil {
			c.failed = err
		}
	}
	return c.failed
}

// inFlight are the calls without an outcome. c.mu is held.
func (c *calls) inFlight() []*call {
	var list []*call
	for _, one := range c.pending {
		if !one.over {
			list = append(list, one)
		}
	}
	return list
}

// Flush implements proto.Sink.
func (c *calls) Flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.w.Flush()
}

// end concludes the run, which ended with err.
func (c *calls) end(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	lost := c.inFlight()
	closed := err == nil || ending.Is[*proto.Failure](err)
	done := errors.Is(err, errDone) || closed && c.complete && len(lost) == 0
	if !done && !closed {
		return err // a signal, or stdout is closed
	}
	first := c.first
	unanswered := &lostError{err: err}
	for _, one := range lost {
		c.conclude(one, nil, unanswered)
		if unanswered.calls++; unanswered.line == 0 {
			unanswered.line = one.line
		}
	}
	c.settle()
	c.flush()
	switch {
	case c.failed != nil:
		return c.failed
	case !done && first != nil: // it came before those
		unanswered.code = ending.Of(first).Code
		return unanswered
	case !done:
		return unanswered
	case c.first == nil:
		return output.Ended{Condition: "answered"}
	case c.o.one != nil:
		return c.first
	}
	return &ending.CommandExit{Code: ending.Of(c.first).Code}
}

// A callError is why a call has no result.
type callError struct {
	call *call
	err  error
}

func (e *callError) Error() string {
	if e.call.line == 0 {
		return fmt.Sprintf("%s: %v", cmdline.Cut(e.call.method, 60), e.err)
	}
	return fmt.Sprintf("line %d: %s: %v", e.call.line, cmdline.Cut(e.call.method, 60), e.err)
}

func (e *callError) Unwrap() error { return e.err }

// A requestError is an expression that made no request.
type requestError struct{ err error }

func (e *requestError) Error() string { return e.err.Error() }
func (e *requestError) Exit() int     { return ending.Usage }

// A faultError is an error that the server answered with, as JSON.
type faultError struct{ fault string }

func (e *faultError) Error() string { return "the server answered with an error: " + e.fault }
func (e *faultError) Exit() int     { return ending.Refused }

// An answerError is an answer that is none.
type answerError struct{ err error }

func (e *answerError) Error() string { return e.err.Error() }
func (e *answerError) Exit() int     { return ending.Refused }

// A timeoutError is an answer that did not come in time.
type timeoutError struct{ limit time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("no answer within %s", e.limit) }
func (e *timeoutError) Exit() int     { return ending.TimedOut }

// A lostError is a connection that ended before all answers had come.
type lostError struct {
	err   error // nil if the server closed it in order
	calls int   // without an answer
	line  int   // of the first of them, in stdin
	code  int   // of a call that failed before
}

func (e *lostError) Error() string {
	text := "the server closed the connection"
	if e.err != nil {
		text = e.err.Error()
	}
	switch {
	case e.line > 0:
		have := "have"
		if e.calls == 1 {
			have = "has"
		}
		return fmt.Sprintf("%s; %s %s no answer, from line %d on", text, program.Plural(e.calls, "call"), have, e.line)
	case e.err == nil && e.calls > 0:
		return text + " before it answered"
	}
	return text
}

func (e *lostError) Unwrap() error { return e.err }

// Exit returns the exit code: that of the first call that failed.
func (e *lostError) Exit() int {
	switch {
	case e.code > 0:
		return e.code
	case e.err != nil:
		return ending.Of(e.err).Code
	}
	return ending.Lost
}
