package stream

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/internal/prompt"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/output/view"
)

// OutputFlags define what a stream prints.
type OutputFlags struct {
	prompt.Shape
	args  []string
	jsons []string
	null  bool
	Color string
	// timeTyped: --time is on the command line; otherwise it applies to terminals only.
	timeTyped bool
	jqError   string
	view      string
	reports   []string
	Verbose   bool
	Quiet     bool
}

func newOutputFlags() OutputFlags {
	return OutputFlags{Shape: prompt.Shape{Format: string(output.FormatMessage)}, Color: "auto", jqError: "continue", view: "json"}
}

// Flags declares them.
func (f *OutputFlags) Flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "jq", Group: program.CatOutput, Value: cmdline.String(&f.JQ),
			Usage: "apply the jq filter `EXPR` to each event"},
		{Name: "arg", Rare: true, Group: program.CatOutput, Value: cmdline.Strings(&f.args),
			Usage: "set the jq variable $NAME to a string: `NAME=VALUE`"},
		{Name: "argjson", Rare: true, Group: program.CatOutput, Value: cmdline.Strings(&f.jsons),
			Usage: "set the jq variable $NAME to a JSON value: `NAME=JSON`"},
		{Name: "raw-output", Aliases: []string{"r"}, Group: program.CatOutput, Value: cmdline.Bool(&f.Raw),
			Usage: "print strings without quotes"},
		{Name: "jq-error", Rare: true, Group: program.CatOutput, Value: cmdline.String(&f.jqError),
			Usage: "on an error in a jq expression: `continue|fail`"},
		{Name: "format", Group: program.CatOutput, Value: cmdline.String(&f.Format),
			Usage: "output format: `message|cloudevents|frames`", Detail: " (as received, as CloudEvents, or every frame in both directions)"},
		{Name: "null", Rare: true, Aliases: []string{"0"}, Group: program.CatOutput, Value: cmdline.Bool(&f.null),
			Usage: "end each record with NUL instead of a line feed"},
		{Name: "pretty", Rare: true, Group: program.CatOutput, Value: cmdline.Bool(&f.Pretty),
			Usage: "indent JSON over several lines"},
		{Name: "view", Rare: true, Group: program.CatOutput, Value: cmdline.String(&f.view),
			Usage: "on a terminal, show an event as: `json|pretty|brief`", Detail: " (as JSON, as with --pretty, or on one line with as much of its data as fits)"},
		{Name: "color", Rare: true, Group: program.CatOutput, Value: cmdline.String(&f.Color),
			Usage: "color JSON: `auto|always|never`", Detail: "; auto colors on a terminal, as NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM allow"},
		{Name: "time", Rare: true, Group: program.CatOutput, Value: cmdline.Bool(&f.Time),
			Usage: "prefix each record with the time of receipt, on a terminal or with -r"},
		{Name: "report", Group: program.CatOutput, Value: cmdline.Strings(&f.reports),
			Usage: "write a report: `junit=FILE|tap=FILE|json=FILE`"},
		{Name: "verbose", Aliases: []string{"v"}, Group: program.CatOutput, Value: cmdline.Bool(&f.Verbose),
			Usage: "log to stderr", Detail: "; heartbeats and acknowledgments included"},
		{Name: "quiet", Rare: true, Aliases: []string{"q"}, Group: program.CatOutput, Value: cmdline.Bool(&f.Quiet),
			Usage: "log errors only"},
	}
}

// Check returns an error for an invalid value.
func (f *OutputFlags) Check(ctx context.Context, line *cmdline.Line) error {
	if f.jqError != "continue" && f.jqError != "fail" {
		return cmdline.ValueErrorf(line.GivenAs("jq-error"), cmdline.Cut(f.jqError, 24), "expected continue or fail")
	}
	if _, err := output.ParseFormat(f.Format); err != nil {
		return cmdline.ValueErrorf(line.GivenAs("format"), cmdline.Cut(f.Format, 24), "%v", err)
	}
	if !slices.Contains([]string{"auto", "always", "never"}, f.Color) {
		return cmdline.ValueErrorf(line.GivenAs("color"), cmdline.Cut(f.Color, 24), "expected auto, always or never")
	}
	if !slices.Contains(prompt.Views, f.view) {
		return cmdline.ValueErrorf(line.GivenAs("view"), cmdline.Cut(f.view, 24), "expected json, pretty or brief")
	}
	if program.Of(ctx).StdoutTerminal {
		f.Pretty = f.Pretty || f.view == "pretty"
		f.Brief = f.view == "brief" && !f.Pretty
	}
	if f.Raw && f.JQ == "" {
		if f.JQ = "."; line.TypedAs("raw-output") == "" { // a setting that does not apply
			f.JQ, f.Raw = "", false
		}
	}
	f.timeTyped = line.TypedAs("time") != ""
	return nil
}

// variables returns the variables of --arg and --argjson.
func (f *OutputFlags) variables() ([]jq.Var, error) {
	var out []jq.Var
	for _, list := range []struct {
		flag  string
		items []string
		make  func(name, text string) (jq.Var, error)
	}{{"--arg", f.args, jq.Arg}, {"--argjson", f.jsons, jq.ArgJSON}} {
		for _, item := range list.items {
			name, text, ok := strings.Cut(item, "=")
			if !ok {
				return nil, cmdline.ValueErrorf(list.flag, cmdline.Cut(item, 24), "expected NAME=VALUE")
			}
			v, err := list.make(name, text)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
	}
	return out, nil
}

// TryExpressions compiles the expressions of a stream, and checks the flags of its
// reports without touching their files.
func (f *Flags) TryExpressions(p *program.Program) error {
	named, err := f.variables()
	if err != nil {
		return err
	}
	vars := jq.Vars{Named: named, Environ: p.Environ, Stderr: p.Say}
	if f.JQ != "" {
		if _, err := jq.Compile("--jq", f.JQ, vars); err != nil {
			return err
		}
	}
	if _, err := f.conditions(vars, nil); err != nil {
		return err
	}
	if _, _, err := f.tableFlags.filters(vars); err != nil {
		return err
	}
	if _, err := f.DeliverFlags.Extracts(vars); err != nil {
		return err
	}
	if _, err := f.numbering(nil); err != nil {
		return err
	}
	for _, text := range f.OutputFlags.reports {
		if _, err := reportTarget(text); err != nil {
			return err
		}
	}
	return nil
}

// style returns the style of records.
func style(p *program.Program, f *OutputFlags) (output.Style, error) {
	if f.Time && !f.Raw && !p.StdoutTerminal && !f.timeTyped {
		f.Time = false
	}
	if f.Time && !f.Raw && !p.StdoutTerminal {
		return output.Style{}, &cmdline.UsageError{
			Message: "--time prints lines that are not JSON, and requires a terminal on stdout",
			Advice:  "add --jq EXPR -r for lines of text, or use --format cloudevents, which has the time as recordedtime",
		}
	}
	return output.Style{
		Pretty:  f.Pretty,
		Color:   p.Colored(f.Color),
		Visible: p.StdoutTerminal,
		Time:    f.Time,
	}, nil
}

// Writer returns the sink of the stream: filter, conditions, stdout. ctx cancels a
// running expression; it is not the context of the stream, because its last events are
// filtered after that is done.
func (s *Stream) Writer(ctx context.Context) (*output.Writer, error) {
	o, vars, err := s.outputOptions(ctx)
	if err != nil {
		return nil, err
	}
	var acknowledged func() uint64
	if s.delivering != nil {
		acknowledged = func() uint64 { return s.tracking.order.Counts().Acknowledged }
	}
	if o.Conditions, err = s.Flags.conditions(vars, acknowledged); err != nil {
		return nil, err
	}
	if s.delivering != nil {
		if s.delivering.extracts, err = s.Flags.DeliverFlags.Extracts(vars); err != nil {
			return nil, err
		}
		o.Conditions = append(o.Conditions, s.delivering.extracts.Conditions()...)
		o.Null, o.Style, o.Line = true, output.Style{}, nil
		return output.New(&s.delivering.records, o), nil
	}
	if s.tracking == nil && !s.talks() {
		o.Parallel = runtime.GOMAXPROCS(0) // each event counts by itself otherwise
	}
	w := output.New(s.Stdout, o)
	s.evaluates = w.Evaluates()
	s.tuneCollector()
	return w, nil
}

// outputOptions returns the output options of the flags, without conditions, and the
// variables of expressions.
func (s *Stream) outputOptions(ctx context.Context) (o output.Options, vars jq.Vars, err error) {
	f := s.Flags
	named, err := f.variables()
	if err != nil {
		return o, vars, err
	}
	vars = jq.Vars{Named: named, Environ: s.Environ, Stderr: s.Say}
	o = output.Options{
		Format:      output.Format(f.Format),
		Describe:    s.describe,
		Run:         s.RunID,
		Raw:         f.Raw,
		Null:        f.null,
		Limit:       s.valuesLimit,
		JQErrorFail: f.jqError == "fail",
		Redact:      s.Say.Bytes,
		Context:     ctx,
		Warn:        func(text string) { s.Warn("%s", text) },
	}
	if len(f.reports) > 0 {
		o.Keep = reportedEvents
	}
	if f.Brief && s.StdoutTerminal {
		o.Line = s.brief().Append
	}
	if o.Style, err = style(s.Program, &f.OutputFlags); err != nil {
		return o, vars, err
	}
	if f.JQ != "" {
		o.Filter, err = jq.Compile("--jq", f.JQ, vars)
	}
	return o, vars, err
}

// brief returns what shows an event on one line.
func (s *Stream) brief() *view.Brief {
	return &view.Brief{
		Summary: s.summary, Color: s.Colored(s.Flags.Color),
		Width: func() int { columns, _ := s.Screen(); return columns },
	}
}

// watchFlags limit the cost of expressions.
type watchFlags struct{ jqTimeout time.Duration }

// JQTimeout is how long an expression may take for one event; 0 for no limit.
func (f *watchFlags) JQTimeout() time.Duration { return f.jqTimeout }

func newWatchFlags() watchFlags { return watchFlags{jqTimeout: 10 * time.Second} }

func (f *watchFlags) flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "jq-timeout", Rare: true, Group: program.CatOutput, Value: cmdline.Duration(&f.jqTimeout),
			Usage: "exit with an error if a jq expression takes longer than `D` for one event; 0 for no limit"},
	}
}

func (f *watchFlags) check(ctx context.Context, line *cmdline.Line) error {
	return program.CheckDuration(line, "jq-timeout", f.jqTimeout, true)
}
