package prompt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/lineedit"
	"github.com/hark-cli/hark/proto"
)

// A talk is a stream and someone who talks back. What follows from what they type
// and from what happens to the connection is decided in one goroutine, that of
// loop; others post to it.
//
//	stdin or editor ─ read ─▶ lines ─┐                ┌─▶ input, again, ask ─▶ proto.Run
//	proto.Trace ────────────▶ posts ─┴─▶ loop ─▶ run ─┤
//	                                                  └─▶ answer ─▶ terminal or stderr
//	proto.Run ─ events ─▶ view ─▶ terminal, or output.Writer ─▶ stdout
type talk struct {
	Config
	dead context.Context // ends an expression that runs too long

	withheld int // credentials of messages that the printer knows

	terminal bool
	ed       lineedit.Editor   // nil without a terminal
	rescued  func()            // ed is not to be rescued any more
	view     *view             // nil without a terminal
	sink     reshaper          // where events go
	frames   atomic.Bool       // all frames are wanted
	history  *lineedit.History // nil when it is not kept
	past     []string          // its lines
	color    bool

	input chan proto.Frame
	again chan struct{}
	ask   chan func(proto.Session, time.Time) []proto.Effect
	lines chan typed

	mu     sync.Mutex
	posts  []func()
	posted chan struct{}

	up       bool // there is a connection
	ever     bool // there was one
	held     bool // the run waits for again
	asking   bool // a command of the service is being run
	closing  bool // a close frame of ours is on its way
	since    time.Time
	address  string
	closed   string // code and reason of the last close frame
	eof      bool   // there are no more lines
	queue    []proto.Frame
	acted    time.Time    // when something was last sent, or the connection came up
	heard    atomic.Int64 // when something last came, Unix nanoseconds
	sent     int
	received atomic.Uint64
	pinging  pinging
	lasting  []string // commands to repeat on the next connection
	whole    Composed
	failure  error // what to end with, after ErrQuit

	recording atomic.Pointer[Recording] // of /record; nil when there is none
	words     words
	log       transcript
}

// A typed is a line of the person, or the end of them.
type typed struct {
	text string
	err  error
}

func newTalk(c Config) *talk {
	return &talk{
		Config: c, color: c.Screen != nil && c.Screen.Color,
		input:  make(chan proto.Frame),
		again:  make(chan struct{}, 1),
		ask:    make(chan func(proto.Session, time.Time) []proto.Effect, 16),
		lines:  make(chan typed),
		posted: make(chan struct{}, 1),
	}
}

// control connects the talk to the engine.
func (t *talk) control(o *proto.Options) {
	o.Input = t.input
	o.Control = proto.Control{Again: t.again, Ask: t.ask, Frames: &t.frames}
	status, frame := o.Trace.Status, o.Trace.Frame
	o.Trace.Status = func(st proto.Status) {
		if _, held := st.State.(proto.Held); !held && status != nil {
			status(st)
		}
		t.post(func() { t.status(st) })
	}
	o.Trace.Answer = func(text string) { t.post(func() { t.answer(text) }) }
	o.Trace.Frame = func(r proto.FrameRecord) {
		if frame != nil {
			frame(r)
		}
		if recording := t.recording.Load(); recording != nil {
			recording.Frame(r)
		}
		if r.Direction == proto.In {
			t.heard.Store(r.Time.UnixNano())
			if !r.Opcode.Control() {
				t.received.Add(1)
			}
		}
		if r.Opcode.Control() {
			r.Payload = append([]byte(nil), r.Payload...)
			t.post(func() { t.seeControl(r) })
		}
	}
}

// post has f called in the loop. It never blocks.
func (t *talk) post(f func()) {
	t.mu.Lock()
	t.posts = append(t.posts, f)
	t.mu.Unlock()
	select {
	case t.posted <- struct{}{}:
	default:
	}
}

// read brings the lines to the loop. Its goroutine cannot be joined: nothing can
// interrupt a read of stdin.
func (t *talk) read(ctx context.Context, next func() (string, error)) {
	for {
		text, err := next()
		select {
		case t.lines <- typed{text, err}:
		case <-ctx.Done():
			return
		}
		if err != nil && err != lineedit.ErrInterrupt {
			return
		}
	}
}

// given yields the lines of a list.
func given(lines []string) func() (string, error) {
	return func() (string, error) {
		if len(lines) == 0 {
			return "", io.EOF
		}
		line := lines[0]
		lines = lines[1:]
		return line, nil
	}
}

// loop goes on until the run has ended, and returns why it did.
func (t *talk) loop(ctx context.Context, result <-chan error) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(t.wait(time.Now()))
		var input chan<- proto.Frame
		var next proto.Frame
		if len(t.queue) > 0 {
			input, next = t.input, t.queue[0]
		}
		var lines <-chan typed
		if t.listens() {
			lines = t.lines
		}
		select {
		case err := <-result:
			return err
		case input <- next:
			t.went()
		case l := <-lines:
			t.typed(l)
		case <-t.posted:
			t.mu.Lock()
			posts := t.posts
			t.posts = nil
			t.mu.Unlock()
			for _, f := range posts {
				f()
			}
		case <-timer.C:
		case <-ctx.Done():
			return <-result
		}
	}
}

// listens reports whether the next line may be taken. A script is run line
// after line, on a connection; a person may type whenever they want.
func (t *talk) listens() bool {
	if t.eof {
		return false
	}
	return t.terminal || (t.up && !t.closing || t.held) && len(t.queue) == 0 && !t.pinging.on && !t.asking
}

// typedByHand tells a person from a script: a mistake is not the end then.
func (t *talk) typedByHand() bool { return t.terminal || t.PlainTerminal && len(t.Execute) == 0 }

// filesAllowed is the error for a command that reads or writes the file of a name
// that came through a pipe, whose lines may be the words of someone else.
func (t *talk) filesAllowed(command string) error {
	if t.terminal || t.StdinTerminal || len(t.Execute) > 0 || t.Files {
		return nil
	}
	return &cmdline.UsageError{Message: command + ": lines of a pipe cannot read or write files", Advice: "--allow-files allows it"}
}

// wait does what time demands and returns when it wants to be asked again.
func (t *talk) wait(now time.Time) time.Duration {
	wait := time.Hour
	if t.pinging.on {
		left := t.pinging.at.Add(pingPatience).Sub(now)
		if left <= 0 {
			t.pinging = pinging{}
			t.answer(fmt.Sprintf("no pong within %s", pingPatience))
		} else {
			wait = left
		}
	}
	last := t.acted
	if heard := time.Unix(0, t.heard.Load()); !t.Hold && heard.After(last) {
		last = heard
	}
	if !t.eof || t.terminal || !t.up || len(t.queue) > 0 || t.pinging.on || t.Limit < 0 {
		return wait
	}
	left := last.Add(t.Limit).Sub(now)
	if left <= 0 {
		t.End(t.Over)
		return wait
	}
	return min(wait, left)
}

// typed takes a line.
func (t *talk) typed(l typed) {
	switch {
	case l.err == lineedit.ErrInterrupt:
		if t.whole.Begun != "" || l.text != "" {
			t.whole = Composed{}
			t.ed.SetPrompt(t.promptText())
			return
		}
		t.quit(nil)
	case l.err != nil:
		if l.err != io.EOF {
			t.Warn("stdin: %v; reading no more of it", l.err)
		}
		t.eof = true
		t.acted = time.Now()
		if t.terminal {
			t.quit(nil)
		} else if t.held {
			t.quit(t.failure)
		}
	default:
		t.line(l.text)
	}
}

// line is a message or a command.
func (t *talk) line(text string) {
	t.remember(text)
	if t.terminal {
		var complete bool
		text, complete = t.whole.Add(text)
		t.ed.SetPrompt(t.promptText())
		if !complete || text == "" {
			return
		}
	}
	var err error
	switch {
	case !t.Slash:
		t.message([]byte(text))
	case strings.HasPrefix(text, "//"):
		t.message([]byte(text[1:]))
	case strings.HasPrefix(text, "/"):
		err = t.command(text[1:])
	default:
		t.message([]byte(text))
	}
	if err == nil {
		return
	}
	if !t.typedByHand() { // a script with a mistake
		t.quit(err)
		return
	}
	t.tellError(err)
}

// tellError says what was wrong with a command.
func (t *talk) tellError(err error) {
	text, below, _ := t.Explain(err)
	t.Say.Error("%s", text)
	t.Say.Plain(below)
	if u, ok := errors.AsType[*cmdline.UsageError](err); ok && u.Hint() != "" {
		t.Say.Hint("%s", u.Hint())
	}
}

// status learns of a turn in the life of the connection.
func (t *talk) status(st proto.Status) {
	switch state := st.State.(type) {
	case proto.Connecting:
		t.held = false
	case proto.Connected:
		t.up, t.ever, t.held, t.closing, t.closed = true, true, false, false, ""
		t.since, t.address, t.acted = st.Time, st.Address, st.Time
		t.repeat()
	case proto.Disconnected:
		t.up, t.closing, t.asking = false, false, false
		t.pinging = pinging{}
	case proto.Held:
		t.up, t.held = false, true
		t.isHeld(state)
	}
	if t.ed != nil {
		t.ed.SetPrompt(t.promptText())
	}
}

// isHeld deals with a connection that is gone for good, unless someone wants it
// back.
func (t *talk) isHeld(held proto.Held) {
	err := held.Err
	if !t.typedByHand() {
		left := len(t.queue)
		switch {
		case left > 0:
			t.quit(&proto.Failure{Class: proto.Transient, Connected: t.ever, Err: fmt.Errorf("%s not sent: %w", messages(left), why(held))})
		case err != nil:
			t.quit(err)
		case t.eof:
			t.quit(nil)
		}
		return
	}
	if !t.ever {
		t.quit(err)
		return
	}
	if n := len(t.queue); n > 0 {
		t.queue = nil
		t.Warn("%s not sent", messages(n))
	}
	text := "the connection is closed"
	if t.closed != "" {
		text += ": " + t.closed
	}
	if err != nil {
		t.Say.Error("%v", err)
		if _, _, h := t.Explain(err); h != "" {
			t.Say.Hint("%s", h)
		}
	} else {
		t.Say.Note("%s", text)
	}
	t.Say.Hint("/reconnect reconnects, /quit ends")
}

func messages(n int) string {
	if n == 1 {
		return "1 message was"
	}
	return fmt.Sprintf("%d messages were", n)
}

// why is the reason of an end, also of a normal one.
func why(held proto.Held) error {
	switch {
	case held.ClosedHere:
		return errors.New("closed from here")
	case held.Err == nil:
		return errors.New("the server closed the connection")
	}
	return held.Err
}

// repeat gives the session of a new connection the commands that last.
func (t *talk) repeat() {
	lasting := t.lasting
	t.lasting = nil
	for _, line := range lasting {
		if err := t.command(line); err != nil {
			t.Warn("/%s: %v", line, err)
		}
	}
}

// promptText is what stands before the line.
func (t *talk) promptText() string {
	mark := "> "
	switch {
	case t.whole.Begun != "":
		mark = "… "
	case t.held:
		mark = "(closed) > "
	}
	return Paint(t.color, Sent, mark)
}

// answer tells what a command has found out, which may be in the words of the peer.
func (t *talk) answer(text string) { t.answerStyled(Visible(text)) }

// answerStyled is answer for a text that has orders for the terminal of our own in
// it, and is visible otherwise.
func (t *talk) answerStyled(text string) {
	if t.terminal {
		t.ed.Post([]byte(t.Say.String(text) + "\n"))
		return
	}
	t.Say.Notes(strings.Split(text, "\n")...)
}
