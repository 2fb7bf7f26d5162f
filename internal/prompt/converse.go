package prompt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/internal/lineedit"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// A Config connects a conversation to the stream and the program.
type Config struct {
	Say       *console.Printer
	Warn      func(format string, args ...any)
	LookupEnv func(name string) (string, bool)
	// Rescue registers f to be called if the program exits at once.
	Rescue func(f func()) (done func())
	// Editor opens the line editor; nil without a terminal.
	Editor func(lineedit.Config) (lineedit.Editor, error)
	// PlainTerminal, StdinTerminal and StderrTerminal are as in program.Env.
	PlainTerminal, StdinTerminal, StderrTerminal bool

	Service proto.Service
	// Place is the endpoint of the history; Names are candidates for completion from
	// the start.
	Place string
	Names []string
	Line  *cmdline.Line // of the command; or nil
	// Macros are the texts of the configuration file, by name.
	Macros map[string]string

	// Lines yields the lines without an editor; Execute are lines instead of them.
	Lines   func() (string, error)
	Execute []string
	Files   bool // lines of a pipe may read and write files
	Slash   bool // lines that begin with a slash are commands
	Pings   bool // pings and pongs are shown
	// Limit ends the stream with Over that long after the last line: without Hold, or
	// after the last message if that is later. A negative Limit never does.
	Limit time.Duration
	Over  error
	Hold  bool
	// Timeout and MaxValue limit what the expressions of /on, /every and /wait take, as
	// those of jq.Options.
	Timeout  time.Duration
	MaxValue int

	// Shape is how messages are shown, and Options the options of the output for it.
	Shape   *Shape
	Options func(ctx context.Context) (output.Options, jq.Vars, error)
	// Screen gets the output for a terminal; nil without one.
	Screen *Screen
	Wrap   func(proto.Sink) proto.Sink // wraps the output; or nil
	End    context.CancelCauseFunc     // ends the stream
	// Record starts a recording.
	Record func(path string) (*Recording, error)
	// Explain returns the message of an error: a line, further lines, and a hint.
	Explain func(err error) (text string, below []string, hint string)
}

// A Shape is how messages are shown.
type Shape struct {
	Format string
	JQ     string
	Raw    bool
	Pretty bool
	Brief  bool // on one line, on a terminal
	Time   bool
}

// Views are the names of the ways to show messages, as for --view.
var Views = []string{"json", "pretty", "brief"}

// A Screen receives the output of a stream for a view, in the format of the flags.
type Screen struct {
	bytes.Buffer
	Color, Pretty, Brief, Time bool
	// Line appends a message on one line, without its end, which begins MarkWidth columns
	// to the right.
	Line func(dst []byte, ev *proto.Event) []byte
}

// MarkWidth is the width of what stands before each message, in columns.
const MarkWidth = 2

// A Recording records frames until it is closed.
type Recording struct {
	Frame func(proto.FrameRecord)
	Close func() error
}

// Converse runs a stream interactively: each line is sent, or run as a command.
func Converse(ctx context.Context, c Config, o proto.Options, w *output.Writer) error {
	dead, bury := context.WithCancel(context.WithoutCancel(ctx))
	defer bury()
	t := newTalk(c)
	t.dead = dead
	go t.watch(dead)
	lines := c.Lines
	out := &outlet{w: w, log: &t.log}
	var sink proto.Sink = out
	t.sink = out
	switch {
	case len(c.Execute) > 0:
		lines = given(c.Execute)
	case c.Screen != nil:
		v, err := t.open(w)
		if err != nil {
			return err
		}
		defer t.shut()
		sink, lines, t.sink = v, t.ed.Line, v
	}
	_ = t.sink.change(t.Shape, func(*output.Writer) error { return nil })
	t.frames.Store(t.Shape.Format == string(output.FormatFrames))
	if c.Wrap != nil {
		sink = c.Wrap(sink)
	}
	t.control(&o)
	o.Frames = false // it is up to t.frames
	result := make(chan error, 1)
	go func() { result <- proto.Run(ctx, c.Service, sink, o) }()
	go t.read(ctx, lines)
	err := t.loop(ctx, result)
	t.up = false
	if terr := t.stopRecording(); terr != nil {
		return terr
	}
	if errors.Is(err, ErrQuit) && t.failure != nil {
		return t.failure
	}
	return t.unmet(err)
}

// open opens the terminal.
func (t *talk) open(w *output.Writer) (*view, error) {
	name, err := t.historyPath()
	var past []string
	if err == nil {
		t.history, past, err = lineedit.OpenHistory(name)
	}
	if err != nil {
		t.Warn("the history is not stored: %v", err)
	}
	t.past = past
	ed, err := t.Editor(lineedit.Config{Prompt: t.promptText(), History: past, Complete: t.complete})
	if err != nil {
		return nil, fmt.Errorf("opening the prompt: %w", err)
	}
	t.ed, t.terminal = ed, true
	t.rescued = t.Rescue(func() { ed.Close() })
	if t.StderrTerminal {
		t.Say.Redirect(PostWriter{Editor: ed})
	}
	t.view = &view{
		ed: ed, color: t.color, pretty: t.Screen.Pretty, brief: t.Screen.Brief, line: t.Screen.Line, times: t.Screen.Time, words: &t.words, log: &t.log,
		w: w, buf: &t.Screen.Buffer,
	}
	return t.view, nil
}

// shut restores the terminal.
func (t *talk) shut() {
	t.ed.Close()
	t.rescued()
	if t.StderrTerminal {
		t.Say.Restore()
	}
}
