package stream

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/settings"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/prompt"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// promptFlags are the flags of the interactive mode.
type promptFlags struct {
	Interactive bool
	linger      linger
	hold        linger
	pings       bool
	slash       bool
	files       bool // --allow-files
	holds       bool // hold applies instead of linger
	lingerGiven bool

	Auto    bool     // on a terminal, open the prompt without -i
	Execute []string // lines to run instead of stdin
}

func newPromptFlags() promptFlags { return promptFlags{linger: linger(time.Second), slash: true} }

func (f *promptFlags) flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "interactive", Essential: true, Aliases: []string{"i"}, Group: program.CatPrompt, Value: cmdline.Bool(&f.Interactive),
			Usage: "open a prompt", Detail: "; without a terminal, run the lines of stdin as prompt input: see 'hark help prompt'"},
		{Name: "linger", Group: program.CatPrompt, Value: &f.linger,
			Usage: "after the last line of stdin, exit if nothing arrives for `D`; -1 for never"},
		{Name: "hold", Aliases: []string{"w"}, Group: program.CatPrompt, Value: &f.hold,
			Usage: "instead of --linger: exit `D` after the last line of stdin; -1 for never"},
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
			return cmdline.FlagErrorf(as, " requires --interactive")
		}
	}
	if strings.HasPrefix(linger, "-") && strings.HasPrefix(hold, "-") {
		return cmdline.FlagErrorf(linger, " cannot be used with %s: one counts from the last answer, the other from the last line", hold)
	}
	f.lingerGiven = linger != ""
	f.holds = hold != "" && !strings.HasPrefix(linger, "-") // the flag on the command line applies
	return nil
}

// A linger is a time to wait, as a flag: a duration, seconds without a unit, or -1
// for ever.
type linger time.Duration

// forever is the linger without a limit.
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

// talks reports whether the stream is interactive.
func (s *Stream) talks() bool {
	f := &s.Flags.promptFlags
	return f.Interactive || len(f.Execute) > 0 || f.Auto && (s.Editor != nil || s.PlainTerminal)
}

// capture passes the output of the stream to a view.
func (s *Stream) capture() {
	f := s.Flags
	b := s.brief()
	b.Indent = prompt.MarkWidth
	s.screen = &prompt.Screen{Color: s.Colored(f.Color), Pretty: f.Pretty, Brief: f.Brief, Time: f.Time, Line: func(dst []byte, ev *proto.Event) []byte {
		b.Summary = s.summary // known once the stream has begun
		return b.Append(dst, ev)
	}}
	f.Color, f.Pretty, f.Brief, f.Time = "never", false, false, false
	s.Stdout, s.StdoutTerminal = s.screen, false
}

// converse runs the stream interactively.
func (s *Stream) converse(ctx context.Context, svc proto.Service, o proto.Options, w *output.Writer) error {
	f := s.Flags
	wrap := func(sink proto.Sink) proto.Sink {
		if s.Wrap != nil {
			sink = s.Wrap(sink)
		}
		return s.Tracked(ctx, sink)
	}
	c := prompt.Config{
		Say: s.Say, Warn: s.Warn, LookupEnv: s.LookupEnv, Rescue: s.Rescues.Add, Editor: s.Editor,
		PlainTerminal: s.PlainTerminal, StdinTerminal: s.StdinTerminal, StderrTerminal: s.StderrTerminal,
		Service: svc, Place: s.place, Names: s.names, Line: cmdline.LineOf(ctx), Macros: macroTexts(ctx, s.Program),
		Lines: s.StdinLines(), Execute: f.Execute, Files: f.files, Slash: f.slash, Pings: f.pings,
		Limit: time.Duration(f.linger), Over: ending.ErrLinger, Hold: f.holds,
		Timeout: f.jqTimeout, MaxValue: f.MaxMessage(),
		Shape: &f.Shape, Options: s.outputOptions, Screen: s.screen, Wrap: wrap, End: s.cancel,
		Record: func(path string) (*prompt.Recording, error) {
			r, err := s.record(path, svc.Name(), s.cancel)
			if err != nil {
				return nil, err
			}
			return &prompt.Recording{Frame: r.frame, Close: func() error { return r.close(ending.Of(nil)) }}, nil
		},
		Explain: func(err error) (text string, below []string, hint string) {
			e := ending.Of(err)
			return e.Text, e.Below, e.Hint
		},
	}
	if f.holds {
		c.Limit, c.Over = time.Duration(f.hold), ending.ErrHold
	}
	return prompt.Converse(ctx, c, o, w)
}

// macroTexts returns the macros of the configuration file; errors in the file have been
// reported before.
func macroTexts(ctx context.Context, p *program.Program) map[string]string {
	if f := settings.Readable(ctx, p); f != nil {
		return f.Macros
	}
	return nil
}
