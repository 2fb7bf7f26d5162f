package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/settings"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/lineedit"
	"github.com/hark-cli/hark/internal/prompt"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// promptFlags are about somebody who talks back, at a prompt or from a pipe.
type promptFlags struct {
	Interactive bool
	linger      linger
	hold        linger
	pings       bool
	slash       bool
	files       bool // --allow-files
	holds       bool // hold counts in place of linger
	lingerGiven bool

	Auto    bool     // on a terminal, the prompt opens by itself
	Execute []string // lines to carry out in place of stdin
}

func newPromptFlags() promptFlags { return promptFlags{linger: linger(time.Second), slash: true} }

func (f *promptFlags) flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "interactive", Essential: true, Aliases: []string{"i"}, Group: program.CatPrompt, Value: cmdline.Bool(&f.Interactive),
			Usage: "open a prompt; when stdin is no terminal, carry out its lines: see 'hark help prompt'"},
		{Name: "linger", Group: program.CatPrompt, Value: &f.linger,
			Usage: "after the last line of stdin, end when nothing has come for `D`; -1 for never"},
		{Name: "hold", Aliases: []string{"w"}, Group: program.CatPrompt, Value: &f.hold,
			Usage: "in place of --linger: end `D` after the last line, whatever comes; -1 for never"},
		{Name: "slash", Group: program.CatPrompt, Value: cmdline.Bool(&f.slash),
			Usage: "lines that begin with a slash are commands; --slash=false sends them, like all others"},
		{Name: "allow-files", Group: program.CatPrompt, Value: cmdline.Bool(&f.files),
			Usage: "with -i, let lines of a pipe read and write files: /file, /binary @FILE, /record, /save"},
		{Name: "show-ping-pong", Aliases: []string{"P"}, Group: program.CatPrompt, Value: cmdline.Bool(&f.pings),
			Usage: "at the prompt, show pings and pongs"},
	}
}

func (f *promptFlags) check(ctx context.Context, line *cmdline.Line) error {
	linger, hold := line.GivenAs("linger"), line.GivenAs("hold")
	for _, as := range []string{linger, hold, line.GivenAs("slash"), line.GivenAs("allow-files")} {
		if strings.HasPrefix(as, "-") && !f.Interactive && len(f.Execute) == 0 && !f.Auto {
			return cmdline.FlagErrorf(as, " needs --interactive")
		}
	}
	if strings.HasPrefix(linger, "-") && strings.HasPrefix(hold, "-") {
		return cmdline.FlagErrorf(linger, " and %s exclude each other: one counts from the last answer, the other from the last line", hold)
	}
	f.lingerGiven = linger != ""
	f.holds = hold != "" && !strings.HasPrefix(linger, "-") // what was typed counts
	return nil
}

// A linger is a time to wait, as a flag: a duration, seconds without a unit, or -1
// for ever.
type linger time.Duration

// forever is the linger that does not end.
const forever linger = -1

// Set implements flag.Value.
func (l *linger) Set(text string) error {
	if text == "-1" {
		*l = forever
		return nil
	}
	d, err := time.ParseDuration(text)
	if n, nerr := strconv.ParseFloat(text, 64); nerr == nil {
		d, err = time.Duration(n*float64(time.Second)), nil
	}
	if err != nil || d < 0 {
		return errors.New("expected a duration such as 500ms or 2s, or -1 for never")
	}
	*l = linger(d)
	return nil
}

// String implements flag.Value.
func (l *linger) String() string {
	if *l == forever {
		return "-1"
	}
	return time.Duration(*l).String()
}

// talks tells whether somebody talks back on this stream.
func (s *Stream) talks() bool {
	f := &s.Flags.promptFlags
	return f.Interactive || len(f.Execute) > 0 || f.Auto && (s.Editor != nil || s.PlainTerminal)
}

// A captured is the output of a stream on its way to a view.
type captured struct {
	bytes.Buffer
	colour, pretty, time bool // as the flags have them
}

// capture has what the stream prints go to a view, which shows it in its own way.
func (s *Stream) capture() {
	f := s.Flags
	s.screen = &captured{colour: s.Colored(f.Color), pretty: f.pretty, time: f.time}
	f.Color, f.pretty, f.time = "never", false, false
	s.Stdout, s.StdoutTerminal = s.screen, false
}

// converse is a stream with somebody who talks back: what they type goes out, or
// is a command.
func (s *Stream) converse(ctx context.Context, svc proto.Service, o proto.Options, w *output.Writer) error {
	dead, bury := context.WithCancel(context.WithoutCancel(ctx))
	defer bury()
	t := newTalk(s, svc, s.cancel)
	t.dead, t.cmdline, t.macroTexts = dead, cmdline.LineOf(ctx), macroTexts(ctx, s.Program)
	lines := s.StdinLines()
	out := &outlet{w: w, log: &t.log}
	var sink proto.Sink = out
	t.sink = out
	switch {
	case len(s.Flags.Execute) > 0:
		lines = given(s.Flags.Execute)
	case s.screen != nil:
		v, err := t.open(w)
		if err != nil {
			return err
		}
		defer t.shut()
		sink, lines, t.sink = v, t.ed.Line, v
	}
	_ = t.sink.change(t.Flags, func(*output.Writer) error { return nil })
	t.frames.Store(t.Flags.format == string(output.FormatFrames))
	if s.Wrap != nil {
		sink = s.Wrap(sink)
	}
	t.steer(&o)
	o.Frames = false // it is up to t.frames
	result := make(chan error, 1)
	go func() { result <- proto.Run(ctx, svc, sink, o) }()
	go t.read(ctx, lines)
	err := t.loop(ctx, result)
	t.up = false
	if terr := t.cmdRecord("off"); terr != nil {
		return terr
	}
	if errors.Is(err, ending.ErrQuit) && t.failure != nil {
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
		t.Warn("the history is not kept: %v", err)
	}
	t.past = past
	ed, err := t.Editor(lineedit.Config{Prompt: t.promptText(), History: past, Complete: t.complete})
	if err != nil {
		return nil, fmt.Errorf("opening the prompt: %w", err)
	}
	t.ed, t.terminal = ed, true
	t.rescued = t.Rescues.Add(func() { ed.Close() })
	if t.StderrTerminal {
		t.Say.Redirect(prompt.PostWriter{Editor: ed})
	}
	t.view = &view{
		ed: ed, colour: t.colour, pretty: t.screen.pretty, times: t.screen.time, words: &t.words, log: &t.log,
		w: w, buf: &t.screen.Buffer,
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

// macroTexts are the macros of the configuration file; a file with mistakes was
// found before.
func macroTexts(ctx context.Context, p *program.Program) map[string]string {
	if f := settings.Readable(ctx, p); f != nil {
		return f.Macros
	}
	return nil
}
