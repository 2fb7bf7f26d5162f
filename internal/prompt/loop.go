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

// A talk is an interactive stream. One goroutine, that of loop, handles lines and the
// events of the connection; others post to it.
//
//	stdin or editor ─ read ─▶ lines ─┐                ┌─▶ input, again, ask ─▶ proto.Run
//	proto.Trace ────────────▶ posts ─┴─▶ loop ─▶ run ─┤
//	                                                  └─▶ answer ─▶ terminal or stderr
//	proto.Run ─ events ─▶ view ─▶ terminal, or output.Writer ─▶ stdout
type talk struct {
	Config
	dead context.Context // canceled to end an expression that runs too long

	withheld int // number of credentials in messages that the printer removes

	terminal bool
	ed       lineedit.Editor   // nil without a terminal
	rescued  func()            // removes the rescue of ed
	view     *view             // nil without a terminal
	sink     reshaper          // the sink of events
	frames   atomic.Bool       // show all frames
	history  *lineedit.History // nil if it is not stored
	past     []string          // its lines
	color    bool

	input chan proto.Frame
	again chan struct{}
	ask   chan func(proto.Session, time.Time) []proto.Effect
	lines chan typed

	mu     sync.Mutex
	posts  []func()
	posted chan struct{}

	up       bool // connected
	ever     bool // has been connected
	held     bool // the run waits for again
	asking   bool // a command of the service is being run
	closing  bool // a close frame has been queued
	since    time.Time
	address  string
	closed   string // code and reason of the last close frame
	eof      bool   // there are no more lines
	queue    []queued
	spoke    time.Time    // when a message was last typed
	acted    time.Time    // when a message was last sent, or the connection was opened
	heard    atomic.Int64 // when a message was last received, Unix nanoseconds
	sent     int
	received atomic.Uint64
	pinging  pinging
	lasting  []string // commands to repeat on the next connection
	whole    Composed
	failure  error // the error to return after ErrQuit

	dialog  dialog
	waiting *waiting // the /wait in progress
	// typedMeanwhile are the lines typed on the terminal during a /wait.
	typedMeanwhile []typed

	recording atomic.Pointer[Recording] // of /record; may be nil
	words     words
	log       transcript
}

// A queued is a frame to be sent; auto if a rule or a timer sends it.
type queued struct {
	proto.Frame
	auto bool
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
		dialog: dialog{changed: make(chan struct{}, 1)},
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
				t.notice(r)
			}
		}
		if r.Opcode.Control() {
			r.Payload = append([]byte(nil), r.Payload...)
			t.post(func() { t.seeControl(r) })
		}
	}
}

// post calls f in the loop. It does not block.
func (t *talk) post(f func()) {
	t.mu.Lock()
	t.posts = append(t.posts, f)
	t.mu.Unlock()
	signal(t.posted)
}

// read passes lines to the loop. Its goroutine cannot be joined, because a read of
// stdin cannot be interrupted.
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

// given returns a channel of the lines of a list.
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

// loop runs until the stream has ended, and returns its error.
func (t *talk) loop(ctx context.Context, result <-chan error) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(t.wait(time.Now()))
		var input chan<- proto.Frame
		var next proto.Frame
		if len(t.queue) > 0 {
			input, next = t.input, t.queue[0].Frame
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

// listens reports whether the next line may be read. Lines of a script run one after
// the other, while connected; lines of a terminal at any time.
func (t *talk) listens() bool {
	if t.eof {
		return false
	}
	return t.terminal || (t.up && !t.closing || t.held) && len(t.queue) == 0 && !t.pinging.on && !t.asking && t.waiting == nil
}

// typedByHand reports whether lines are typed on a terminal: an error then does not end
// the stream.
func (t *talk) typedByHand() bool { return t.terminal || t.PlainTerminal && len(t.Execute) == 0 }

// filesAllowed returns the error for a command with the name of a file in a pipe,
// because its lines may come from someone else.
func (t *talk) filesAllowed(command string) error {
	if t.terminal || t.StdinTerminal || len(t.Execute) > 0 || t.Files {
		return nil
	}
	return &cmdline.UsageError{Message: command + ": lines of a pipe cannot read or write files", Advice: "--allow-files allows it"}
}

// wait runs what is due and returns when it must be called again.
func (t *talk) wait(now time.Time) time.Duration {
	wait := t.waitDialog(now, time.Hour)
	if t.pinging.on {
		left := t.pinging.at.Add(pingPatience).Sub(now)
		if left <= 0 {
			t.pinging = pinging{}
			t.answer(fmt.Sprintf("no pong within %s", pingPatience))
		} else {
			wait = min(wait, left)
		}
	}
	last := t.acted
	if heard := time.Unix(0, t.heard.Load()); !t.Hold && heard.After(last) {
		last = heard
	}
	if !t.eof || t.terminal || !t.up || len(t.queue) > 0 || t.pinging.on || t.waiting != nil || t.Limit < 0 {
		return wait
	}
	left := last.Add(t.Limit).Sub(now)
	if left <= 0 {
		t.End(t.Over)
		return wait
	}
	return min(wait, left)
}

// typed handles a line.
func (t *talk) typed(l typed) {
	switch {
	case t.waiting != nil && l.err == lineedit.ErrInterrupt:
		t.answer("/wait: canceled")
		t.waited(t.waiting, nil)
	case t.waiting != nil && l.err == nil && t.terminal:
		t.typedMeanwhile = append(t.typedMeanwhile, l)
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
		t.dialog.mu.Lock()
		t.dialog.eof = true
		t.dialog.mu.Unlock()
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
	if !t.typedByHand() { // an error in a script
		t.quit(err)
		return
	}
	t.printError(err)
}

// printError prints the error of a command.
func (t *talk) printError(err error) {
	text, below, _ := t.Explain(err)
	t.Say.Error("%s", text)
	t.Say.Plain(below)
	if u, ok := errors.AsType[*cmdline.UsageError](err); ok && u.Hint() != "" {
		t.Say.Hint("%s", u.Hint())
	}
}

// status handles a change of state of the connection.
func (t *talk) status(st proto.Status) {
	switch state := st.State.(type) {
	case proto.Connecting:
		t.held = false
	case proto.Connected:
		t.up, t.ever, t.held, t.closing, t.closed = true, true, false, false, ""
		t.since, t.address, t.acted = st.Time, st.Address, st.Time
		t.startTimers(time.Now())
		t.repeat()
	case proto.Disconnected:
		t.up, t.closing, t.asking = false, false, false
		t.pinging = pinging{}
		t.forgetReplies()
	case proto.Held:
		t.up, t.held = false, true
		t.forgetReplies()
		t.isHeld(state)
	}
	if t.ed != nil {
		t.ed.SetPrompt(t.promptText())
	}
}

// isHeld handles the final end of a connection, unless it is to be reopened.
func (t *talk) isHeld(held proto.Held) {
	err := held.Err
	if !t.typedByHand() {
		left := len(t.queue)
		switch {
		case left > 0:
			t.quit(&proto.Failure{Class: proto.Transient, Connected: t.ever, Err: fmt.Errorf("%s not sent: %w", messages(left), why(held))})
		case err != nil:
			t.quit(err)
		case t.waiting != nil:
			t.giveUpWaiting()
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

// why returns the reason of an end, also of a normal one.
func why(held proto.Held) error {
	switch {
	case held.ClosedHere:
		return errors.New("closed from here")
	case held.Err == nil:
		return errors.New("the server closed the connection")
	}
	return held.Err
}

// repeat runs the lasting commands with the session of a new connection.
func (t *talk) repeat() {
	lasting := t.lasting
	t.lasting = nil
	for _, line := range lasting {
		if err := t.command(line); err != nil {
			t.Warn("/%s: %v", line, err)
		}
	}
}

// promptText returns the prompt.
func (t *talk) promptText() string {
	mark := "> "
	switch {
	case t.whole.Begun != "":
		mark = "… "
	case t.waiting != nil:
		mark = "(waiting) > "
	case t.held:
		mark = "(closed) > "
	}
	return Paint(t.color, Sent, mark)
}

// answer prints the result of a command, which may contain text of the peer.
func (t *talk) answer(text string) { t.answerStyled(Visible(text)) }

// answerStyled is answer for a text with escape sequences of hark, and otherwise
// without control characters.
func (t *talk) answerStyled(text string) {
	if t.terminal {
		t.ed.Post([]byte(t.Say.String(text) + "\n"))
		return
	}
	t.Say.Notes(strings.Split(text, "\n")...)
}
