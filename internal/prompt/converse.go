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

// A Config is what a conversation has of the stream, and of the program around it.
type Config struct {
	Say       *console.Printer
	Warn      func(format string, args ...any)
	LookupEnv func(name string) (string, bool)
	// Rescue has f called when the program ends at once.
	Rescue func(f func()) (done func())
	// Editor takes over the terminal; nil when there is none.
	Editor func(lineedit.Config) (lineedit.Editor, error)
	// PlainTerminal, StdinTerminal and StderrTerminal are as in program.Env.
	PlainTerminal, StdinTerminal, StderrTerminal bool

	Service proto.Service
	// Place is what the history is kept for; Names are completed before they were seen.
	Place string
	Names []string
	Line  *cmdline.Line // that led here; or nil
	// Macros are the texts of the configuration file, by name.
	Macros map[string]string

	// Lines yields what is typed without an editor; Execute are lines in its place.
	Lines   func() (string, error)
	Execute []string
	Files   bool // lines of a pipe may name files
	Slash   bool // lines that begin with a slash are commands
	Pings   bool // pings and pongs are shown
	// Limit ends the stream with Over when the last line was so long ago: with Hold
	// whatever comes meanwhile. Below 0 it never does.
	Limit time.Duration
	Over  error
	Hold  bool

	// Shape is how messages are shown, and Options what that means for the output.
	Shape   *Shape
	Options func(ctx context.Context) (output.Options, jq.Vars, error)
	// Screen is what the output prints to, for a terminal; nil without one.
	Screen *Screen
	Wrap   func(proto.Sink) proto.Sink // changes events on their way to the output; or nil
	End    context.CancelCauseFunc     // ends the stream
	// Record begins a recording.
	Record func(path string) (*Recording, error)
	// Explain says what is shown of an error: a line, those below it, and a hint.
	Explain func(err error) (text string, below []string, hint string)
}

// A Shape says how messages are shown.
type Shape struct {
	Format string
	JQ     string
	Raw    bool
	Pretty bool
	Time   bool
}

// A Screen takes the output of a stream on its way to a view, which shows it in its own
// way, as the flags have it.
type Screen struct {
	bytes.Buffer
	Color, Pretty, Time bool
}

// A Recording takes frames until it is closed.
type Recording struct {
	Frame func(proto.FrameRecord)
	Close func() error
}

// Converse runs a stream with someone who talks back: what they type goes out, or is a
// command.
func Converse(ctx context.Context, c Config, o proto.Options, w *output.Writer) error {
	dead, bury := context.WithCancel(context.WithoutCancel(ctx))
	defer bury()
	t := newTalk(c)
	t.dead = dead
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
	if terr := t.cmdRecord("off"); terr != nil {
		return terr
	}
	if errors.Is(err, ErrQuit) && t.failure != nil {
		return t.failure
	}
	return err
}

// open takes the terminal over.
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
		ed: ed, color: t.color, pretty: t.Screen.Pretty, times: t.Screen.Time, words: &t.words, log: &t.log,
		w: w, buf: &t.Screen.Buffer,
	}
	return t.view, nil
}

// shut gives the terminal back.
func (t *talk) shut() {
	t.ed.Close()
	t.rescued()
	if t.StderrTerminal {
		t.Say.Restore()
	}
}
