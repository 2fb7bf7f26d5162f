package commands

import (
	"context"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/output"
)

// outputFlags say what a stream prints.
type outputFlags struct {
	format string
	jq     string
	args   []string
	jsons  []string
	raw    bool
	null   bool
	pretty bool
	color  string
	time   bool
	// timeTyped: --time stands on the command line; otherwise it is for terminals.
	timeTyped bool
	jqError   string
	reports   []string
	verbose   bool
	quiet     bool
}

func newOutputFlags() outputFlags {
	return outputFlags{format: string(output.FormatMessage), color: "auto", jqError: "continue"}
}

func (f *outputFlags) flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "jq", Group: catOutput, Value: cmdline.String(&f.jq),
			Usage: "print what the jq expression `EXPR` makes of each event"},
		{Name: "arg", Group: catOutput, Value: cmdline.Strings(&f.args),
			Usage: "set the jq variable $NAME to a string: `NAME=VALUE`"},
		{Name: "argjson", Group: catOutput, Value: cmdline.Strings(&f.jsons),
			Usage: "set the jq variable $NAME to a JSON value: `NAME=JSON`"},
		{Name: "raw-output", Aliases: []string{"r"}, Group: catOutput, Value: cmdline.Bool(&f.raw),
			Usage: "print strings that --jq makes without quotes"},
		{Name: "jq-error", Rare: true, Group: catOutput, Value: cmdline.String(&f.jqError),
			Usage: "what an error inside an expression does: `continue|fail`"},
		{Name: "format", Group: catOutput, Value: cmdline.String(&f.format),
			Usage: "what is printed for an event, `message|cloudevents|frames`: what the service sent, a CloudEvent, or every frame in both directions"},
		{Name: "null", Rare: true, Aliases: []string{"0"}, Group: catOutput, Value: cmdline.Bool(&f.null),
			Usage: "end each record with a NUL character instead of a line feed"},
		{Name: "pretty", Group: catOutput, Value: cmdline.Bool(&f.pretty),
			Usage: "print JSON over several lines, indented"},
		{Name: "color", Rare: true, Group: catOutput, Value: cmdline.String(&f.color),
			Usage: "colour JSON: `auto|always|never`; auto colours on a terminal, as NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM allow"},
		{Name: "time", Rare: true, Group: catOutput, Value: cmdline.Bool(&f.time),
			Usage: "put the time of receipt in front of each record, on a terminal or with -r"},
		{Name: "report", Group: catOutput, Value: cmdline.Strings(&f.reports),
			Usage: "write what came of each condition to a file: `junit=FILE|tap=FILE|json=FILE`"},
		{Name: "verbose", Aliases: []string{"v"}, Group: catOutput, Value: cmdline.Bool(&f.verbose),
			Usage: "tell on stderr what happens, heartbeats and acknowledgements included"},
		{Name: "quiet", Aliases: []string{"q"}, Group: catOutput, Value: cmdline.Bool(&f.quiet),
			Usage: "no warnings on stderr, only errors"},
	}
}

func (f *outputFlags) check(ctx context.Context, line *cmdline.Line) error {
	if f.jqError != "continue" && f.jqError != "fail" {
		return cmdline.FlagErrorf(line.GivenAs("jq-error"), " %q: expected continue or fail", cmdline.Cut(f.jqError, 24))
	}
	if _, err := output.ParseFormat(f.format); err != nil {
		return cmdline.FlagErrorf(line.GivenAs("format"), " %q: %v", cmdline.Cut(f.format, 24), err)
	}
	if !slices.Contains([]string{"auto", "always", "never"}, f.color) {
		return cmdline.FlagErrorf(line.GivenAs("color"), " %q: expected auto, always or never", cmdline.Cut(f.color, 24))
	}
	if f.raw && f.jq == "" {
		if f.jq = "."; line.TypedAs("raw-output") == "" { // a setting that does not apply
			f.jq, f.raw = "", false
		}
	}
	f.timeTyped = line.TypedAs("time") != ""
	return nil
}

// variables are what --arg and --argjson define.
func (f *outputFlags) variables() ([]jq.Var, error) {
	var out []jq.Var
	for _, list := range []struct {
		flag  string
		items []string
		make  func(name, text string) (jq.Var, error)
	}{{"--arg", f.args, jq.Arg}, {"--argjson", f.jsons, jq.ArgJSON}} {
		for _, item := range list.items {
			name, text, ok := strings.Cut(item, "=")
			if !ok {
				return nil, cmdline.FlagErrorf(list.flag, " %q: expected NAME=VALUE", cmdline.Cut(item, 24))
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

// tryExpressions compiles what a stream compiles when it begins, and looks at the forms
// of its reports, whose files it does not touch.
func (f *streamFlags) tryExpressions(p *program) error {
	named, err := f.variables()
	if err != nil {
		return err
	}
	vars := jq.Vars{Named: named, Environ: p.Environ, Stderr: p.say}
	if f.jq != "" {
		if _, err := jq.Compile("--jq", f.jq, vars); err != nil {
			return err
		}
	}
	if _, err := f.conditions(vars); err != nil {
		return err
	}
	for _, text := range f.outputFlags.reports {
		if _, err := reportTarget(text); err != nil {
			return err
		}
	}
	return nil
}

// style is how records are shown.
func (p *program) style(f *outputFlags) (output.Style, error) {
	if f.time && !f.raw && !p.StdoutTerminal && !f.timeTyped {
		f.time = false
	}
	if f.time && !f.raw && !p.StdoutTerminal {
		return output.Style{}, &cmdline.UsageError{
			Message: "--time makes lines that are not JSON, and stdout is not a terminal",
			Advice:  "add --jq EXPR -r for lines of text, or use --format cloudevents, which has the time as recordedtime",
		}
	}
	return output.Style{
		Pretty:  f.pretty,
		Color:   p.colored(f.color),
		Visible: p.StdoutTerminal,
		Time:    f.time,
	}, nil
}

// colored decides about colour. NO_COLOR (no-color.org) weighs more than
// CLICOLOR_FORCE and CLICOLOR (bixense.com/clicolors), and a flag more than any.
func (p *program) colored(flag string) bool {
	if flag != "auto" {
		return flag == "always"
	}
	variable := func(name string) string {
		v, _ := p.LookupEnv(name)
		return v
	}
	switch force := variable("CLICOLOR_FORCE"); {
	case variable("NO_COLOR") != "":
		return false
	case force != "" && force != "0":
		return true
	}
	return p.StdoutTerminal && variable("TERM") != "dumb" && variable("CLICOLOR") != "0"
}

// writer is the end of the stream: filter, conditions, stdout. ctx ends an
// expression that runs too long; it is not the context of the stream, whose last
// events are still to be filtered when it has ended.
func (s *stream) writer(ctx context.Context) (*output.Writer, error) {
	o, vars, err := s.outputOptions(ctx)
	if err != nil {
		return nil, err
	}
	if o.Conditions, err = s.flags.conditions(vars); err != nil {
		return nil, err
	}
	return output.New(s.Stdout, o), nil
}

// outputOptions are what the flags say about what is printed, without conditions,
// and the variables of expressions.
func (s *stream) outputOptions(ctx context.Context) (o output.Options, vars jq.Vars, err error) {
	f := s.flags
	named, err := f.variables()
	if err != nil {
		return o, vars, err
	}
	vars = jq.Vars{Named: named, Environ: s.Environ, Stderr: s.say}
	o = output.Options{
		Format:      output.Format(f.format),
		Describe:    s.describe,
		Run:         s.runID,
		Raw:         f.raw,
		Null:        f.null,
		Limit:       s.valuesLimit,
		JQErrorFail: f.jqError == "fail",
		Redact:      s.say.Bytes,
		Context:     ctx,
		Warn:        func(text string) { s.warn("%s", text) },
	}
	if len(f.reports) > 0 {
		o.Keep = reportedEvents
	}
	if o.Style, err = s.style(&f.outputFlags); err != nil {
		return o, vars, err
	}
	if f.jq != "" {
		o.Filter, err = jq.Compile("--jq", f.jq, vars)
	}
	return o, vars, err
}
