package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/internal/transcript"
)

// A Mismatch is a client that does not do what a transcript says.
type Mismatch struct {
	File string
	Line int    // from 1
	Text string // the line
	Case string
	Msg  string
}

func (e *Mismatch) Error() string {
	return fmt.Sprintf("%s:%d: case %s: %s", e.File, e.Line, e.Case, e.Msg)
}

// patience is how long the client may take until it opens a socket, makes a request or
// ends when a line says that it does so. No line has to say how long.
const patience = 10 * time.Minute

// Run runs a case of the file. The error is a *Mismatch, one of the service that cannot be
// made, or the cause of ctx.
func Run(ctx context.Context, f *transcript.File, c *transcript.Case, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := newClient(ctx, o)
	if err != nil {
		return err
	}
	defer client.stop(cancel)
	p := &player{ctx: ctx, file: f, c: c, driver: client, acts: &client.acts}
	err = p.play()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// A player has a client do what a case says.
type player struct {
	ctx    context.Context
	file   *transcript.File
	c      *transcript.Case
	driver driver
	acts   *acts
}

// A driver is a client that a player has do something.
type driver interface {
	// begin begins the run.
	begin()
	// wait has time pass until done, but not more than d.
	wait(d time.Duration, done func() bool)
	// open reports whether there is a connection.
	open() bool
	// answerOpen answers the opening handshake, answerRequest the request that was made
	// last.
	answerOpen(status int, body []byte)
	answerRequest(status int, body []byte)
	// receive, closed and cut are what the server does.
	receive(data []byte, binary bool)
	closed(code int, reason string)
	cut()
	// oldOpen reports whether there is a connection that is to be replaced by the open
	// one, and onOld does what the server does on it.
	oldOpen() bool
	onOld(s *transcript.Step)
}

// acts are what a client has done, and no line has listed yet.
type acts struct {
	said    []act // to the server
	made    []act // of the stream
	ended   bool
	warning string // the last one, empty for none
	err     error  // of the simulation
}

// waitFor waits until the client does something, or has ended.
func (p *player) waitFor() {
	p.driver.wait(patience, func() bool { return len(p.acts.said) > 0 || p.acts.ended })
}

func (p *player) mismatch(s *transcript.Step, format string, args ...any) error {
	return &Mismatch{File: p.file.Name, Line: s.Line, Text: s.Text, Case: p.c.Name, Msg: fmt.Sprintf(format, args...)}
}

func (p *player) play() error {
	p.driver.begin()
	for i := 0; i < len(p.c.Steps); {
		n := 1
		if k := p.c.Steps[i].Kind; k == transcript.Send || k == transcript.Request {
			n = slices.IndexFunc(p.c.Steps[i:], func(s transcript.Step) bool { return s.Kind != transcript.Send && s.Kind != transcript.Request })
			if n < 0 {
				n = len(p.c.Steps) - i
			}
		}
		if err := p.steps(p.c.Steps[i : i+n]); err != nil {
			return err
		}
		if p.acts.err != nil {
			return p.mismatch(&p.c.Steps[i], "%v", p.acts.err)
		}
		i += n
	}
	last := &p.c.Steps[len(p.c.Steps)-1]
	return p.quiet(last, "after")
}

// steps plays a step, or several of which the order does not count.
func (p *player) steps(list []transcript.Step) error {
	s := &list[0]
	switch s.Kind {
	case transcript.Send, transcript.Request:
		return p.said(list)
	case transcript.Open:
		return p.open(s)
	case transcript.Ready, transcript.Gap, transcript.Event, transcript.Exit:
		return p.outcome(s)
	}
	if err := p.quiet(s, "before"); err != nil {
		return err
	}
	if s.Kind != transcript.Pass && !p.driver.open() {
		return p.mismatch(s, "there is no connection")
	}
	if s.Old {
		if !p.driver.oldOpen() {
			return p.mismatch(s, "there is no connection that is being replaced")
		}
		p.driver.onOld(s)
		return nil
	}
	switch s.Kind {
	case transcript.Serve:
		p.driver.receive(s.Data, s.Binary)
	case transcript.Close:
		p.driver.closed(s.Code, s.Reason)
	case transcript.Cut:
		p.driver.cut()
	case transcript.Pass:
		p.driver.wait(s.Duration, func() bool { return false })
	}
	return nil
}

// quiet checks that everything that the client has done was listed.
func (p *player) quiet(s *transcript.Step, when string) error {
	for _, queue := range [][]act{p.acts.said, p.acts.made} {
		if len(queue) > 0 {
			return p.mismatch(s, "%s this line the client %s, which no line lists", when, queue[0])
		}
	}
	return nil
}

// open expects that the client opens a socket.
func (p *player) open(s *transcript.Step) error {
	p.waitFor()
	if err := p.next(s, p.acts.said, transcript.Open); err != nil {
		return err
	}
	a := p.acts.said[0]
	if ok, err := p.matches(s, a); err != nil || !ok {
		return p.unlike(s, a, err)
	}
	p.acts.said = p.acts.said[1:]
	p.driver.answerOpen(s.Status, s.Data)
	return nil
}

// next checks that the first act of a queue is of a kind.
func (p *player) next(s *transcript.Step, queue []act, kind transcript.Kind) error {
	if len(queue) == 0 {
		return p.mismatch(s, "the client does not do this%s", p.instead())
	}
	if queue[0].kind != kind {
		return p.mismatch(s, "the client %s instead", queue[0])
	}
	return nil
}

// instead says what the client does, when it does not do what it should.
func (p *player) instead() string {
	if p.acts.ended {
		i := slices.IndexFunc(p.acts.made, func(a act) bool { return a.kind == transcript.Exit })
		if i >= 0 {
			return ": it " + p.acts.made[i].String()
		}
		return ": it has ended"
	}
	if n := len(p.acts.made); n > 0 {
		return ": it " + p.acts.made[n-1].String()
	}
	if p.acts.warning != "" {
		return ": it warns: " + p.acts.warning
	}
	return ""
}

func (p *player) unlike(s *transcript.Step, a act, err error) error {
	if err != nil {
		return p.mismatch(s, "%v, for %s", err, brief(a.text))
	}
	return p.mismatch(s, "not true of what the client does: it %s", a)
}

func (p *player) matches(s *transcript.Step, a act) (bool, error) {
	if s.Match == nil {
		return true, nil
	}
	return s.Match.Matches(p.ctx, a.value)
}

// said expects that the client says what each of the steps requires, in any order.
func (p *player) said(steps []transcript.Step) error {
	m := matching{p: p, steps: steps, taken: make(map[int]int)}
	for range steps {
		if len(p.acts.said) == 0 && m.wantsRequest() {
			p.waitFor()
		}
		if len(p.acts.said) == 0 {
			return p.mismatch(m.missing(), "the client does not send this%s", p.instead())
		}
		a := p.acts.said[0]
		if a.kind == transcript.Open {
			return p.mismatch(m.missing(), "the client %s instead", a)
		}
		p.acts.said = p.acts.said[1:]
		i, err := m.add(a)
		if err != nil || i < 0 {
			return p.unlike(m.missing(), a, err)
		}
		if a.kind == transcript.Request {
			p.driver.answerRequest(steps[i].Status, steps[i].Data)
		}
	}
	return nil
}

// A matching finds for each act a step of its own, by augmenting paths.
type matching struct {
	p     *player
	steps []transcript.Step
	acts  []act
	taken map[int]int // the act of a step
}

// add adds an act and returns its step, -1 if there is none for all acts.
func (m *matching) add(a act) (step int, err error) {
	m.acts = append(m.acts, a)
	if ok, err := m.place(len(m.acts)-1, make(map[int]bool)); !ok || err != nil {
		return -1, err
	}
	for i, n := range m.taken {
		if n == len(m.acts)-1 {
			return i, nil
		}
	}
	return -1, nil
}

// place finds a step for an act. A request has been answered and keeps its step.
func (m *matching) place(n int, tried map[int]bool) (ok bool, err error) {
	for i := range m.steps {
		s := &m.steps[i]
		if tried[i] || s.Kind != m.acts[n].kind {
			continue
		}
		if ok, err := m.p.matches(s, m.acts[n]); err != nil && len(m.steps) == 1 {
			return false, err
		} else if err != nil || !ok {
			continue
		}
		tried[i] = true
		other, taken := m.taken[i]
		if taken && s.Kind == transcript.Request {
			continue
		}
		if taken {
			if ok, err := m.place(other, tried); err != nil || !ok {
				continue
			}
		}
		m.taken[i] = n
		return true, nil
	}
	return false, nil
}

// missing is the first step without an act.
func (m *matching) missing() *transcript.Step {
	for i := range m.steps {
		if _, taken := m.taken[i]; !taken {
			return &m.steps[i]
		}
	}
	return &m.steps[0]
}

func (m *matching) wantsRequest() bool {
	for i, s := range m.steps {
		if _, taken := m.taken[i]; !taken && s.Kind == transcript.Request {
			return true
		}
	}
	return false
}

// outcome expects what the client makes of the stream.
func (p *player) outcome(s *transcript.Step) error {
	if s.Kind == transcript.Exit {
		p.waitFor()
	}
	if err := p.next(s, p.acts.made, s.Kind); err != nil {
		return err
	}
	a := p.acts.made[0]
	switch s.Kind {
	case transcript.Exit:
		if a.code != s.Code {
			return p.mismatch(s, "the client %s", a)
		}
	case transcript.Event:
		if !jq.Equal(s.Value, a.value) {
			return p.mismatch(s, "the client %s", a)
		}
	}
	p.acts.made = p.acts.made[1:]
	return nil
}

// An act is something that the client has done.
type act struct {
	kind  transcript.Kind
	value any    // for predicates
	text  string // value as JSON
	code  int    // an exit code
	err   error  // why it has ended
}

func (a act) String() string {
	switch a.kind {
	case transcript.Open:
		return "opens a socket, " + brief(a.text)
	case transcript.Request:
		return "makes a request, " + brief(a.text)
	case transcript.Send:
		return "sends " + brief(a.text)
	case transcript.Ready:
		return "is ready"
	case transcript.Gap:
		return "reports a gap"
	case transcript.Event:
		return "has the event " + brief(a.text)
	}
	why := ""
	if a.err != nil {
		why = ": " + strings.ReplaceAll(a.err.Error(), "\n", " ")
	}
	return fmt.Sprintf("exits with %d%s", a.code, brief(why))
}

// brief is a text for a message.
func brief(text string) string {
	const most = 300
	if n := eventjson.CutText(text, most); n < len(text) {
		return text[:n] + "…"
	}
	return text
}

// errEndless ends a client whose timers leave time no chance.
var errEndless = errors.New("the timers of the client are due again and again, and time does not pass")
