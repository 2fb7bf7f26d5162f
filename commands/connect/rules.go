package connect

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/internal/pattern"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/recipe"
)

// ruleFlags are a recipe on the command line: what to answer, and when the stream is
// ready. docs/recipes.md describes recipes.
type ruleFlags struct {
	on          []string
	every       []string
	readyWhen   string
	event       string
	params      []string
	ackTimeout  time.Duration
	printRecipe bool

	// What check has made of them.
	recipe  *recipe.Recipe // nil without rules
	values  map[string]any
	secrets map[string]proto.TokenSource
}

// rules are the names of the flags that make a recipe of a connection.
var rules = []string{"on", "every", "ready-when", "event", "param", "print-recipe"}

// flags declares them.
func (f *ruleFlags) flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "on", Rare: true, Group: program.CatDialog, Value: cmdline.Strings(&f.on),
			Usage: "answer messages that match: `'EXPR => JQ'`", Detail: "; the outputs of the jq expression JQ are sent, and the message is not printed"},
		{Name: "every", Rare: true, Group: program.CatDialog, Value: cmdline.Strings(&f.every),
			Usage: "send the outputs of JQ at intervals: `'D => JQ'`"},
		{Name: "ready-when", Rare: true, Group: program.CatDialog, Value: cmdline.String(&f.readyWhen),
			Usage: "the stream is ready with the first message that matches `EXPR`"},
		{Name: "event", Rare: true, Group: program.CatDialog, Value: cmdline.String(&f.event),
			Usage: "the events of a message are the outputs of `EXPR`", Detail: "; by default the message is one"},
		{Name: "param", Rare: true, Group: program.CatDialog, Value: cmdline.Strings(&f.params),
			Usage: "set $param.NAME: `NAME=VALUE`", Detail: "; the value may be a reference to a credential (env:NAME, file:PATH, cmd:COMMAND, keyring:SERVICE/NAME), or @FILE"},
		{Name: "ack-timeout", Rare: true, Group: program.CatDialog, Value: cmdline.Duration(&f.ackTimeout),
			Usage: "with --ready-when, wait at most `D` until a connection is ready"},
		{Name: "print-recipe", Rare: true, Group: program.CatDialog, Value: cmdline.Bool(&f.printRecipe),
			Usage: "print a recipe for 'hark run' that does the same, and exit"},
	}
}

// given is how the first of the rules was given, "" for none.
func (f *ruleFlags) given(line *cmdline.Line) string {
	for _, name := range rules {
		if as := line.GivenAs(name); as != "" {
			return as
		}
	}
	return ""
}

// literal is a string of jq or JSON, with the name of the member in front of it, if it
// has one.
var literal = pattern.Lazy(`(?:"?([A-Za-z_][\w-]*)"?\s*:\s*)?"((?:[^"\\]|\\.)*)"`)

// literals are the credentials that are written out in an expression.
func literals(expr string) (list []string) {
	for _, m := range literal().FindAllStringSubmatch(expr, -1) {
		if credential.Member(m[1]) {
			list = append(list, m[2])
		}
		list = append(list, credential.Values(m[2])...)
	}
	return list
}

// recipeLimits bound expressions while they are checked.
var recipeLimits = jq.Options{
	Vars:       []string{"param", "state", "cursor", "now", "now_ms", "attempt", "moved"},
	Funcs:      map[string]func() any{"random": func() any { return 0.5 }},
	MaxOutputs: 1000, MaxValue: 64 << 20,
}

// compiles finds mistakes in an expression of a flag.
func (f *ruleFlags) compiles(flag, expr string) error {
	p, err := jq.CompileProgram(flag, expr, recipeLimits)
	if err != nil {
		return err
	}
	var names []string
	for _, text := range f.params {
		name, _, _ := strings.Cut(text, "=")
		names = append(names, name)
	}
	return p.Undeclared("param", names)
}

// makeRecipe makes the recipe that the flags amount to, if there are any of them.
func (o *options) makeRecipe(ctx context.Context, line *cmdline.Line, p *program.Program, subprotocols []string, authorization string) error {
	f := &o.ruleFlags
	if f.given(line) == "" {
		return nil
	}
	if err := program.CheckDuration(line, "ack-timeout", f.ackTimeout, false); err != nil {
		return err
	}
	i := &recipe.Inline{Name: "inline", URL: o.url, Event: f.event, ReadyWhen: f.readyWhen}
	for _, text := range slices.Concat(o.send, f.on, f.every, []string{f.event}) {
		if values := literals(text); len(values) > 0 { // a recording contains the recipe
			p.Say.Add(values...)
			p.WarnSecret("an expression", "--param NAME=env:NAME")
		}
	}
	f.values, f.secrets = make(map[string]any), make(map[string]proto.TokenSource)
	for _, text := range o.send {
		if text != "-" {
			i.Open = append(i.Open, text)
		}
	}
	if len(o.sendFiles) > 0 {
		return cmdline.FlagErrorf("--send-file", " cannot be used with %s", f.given(line))
	}
	for _, text := range f.on {
		at := jq.Index(text, "=>")
		if at < 0 {
			return cmdline.ValueErrorf("--on", cmdline.Cut(text, 40), "expected 'EXPR => JQ'")
		}
		when, send := strings.TrimSpace(text[:at]), strings.TrimSpace(text[at+2:])
		for _, expr := range []string{when, send} {
			if err := f.compiles("--on", expr); err != nil {
				return err
			}
		}
		i.On = append(i.On, recipe.Pair{Left: when, Right: send})
	}
	for _, text := range f.every {
		d, send, ok := strings.Cut(text, "=>")
		every, err := time.ParseDuration(strings.TrimSpace(d))
		if !ok || err != nil || every <= 0 {
			return cmdline.ValueErrorf("--every", cmdline.Cut(text, 40), "expected 'D => JQ', such as '30s => {type: \"ping\"}'")
		}
		if send = strings.TrimSpace(send); send != "" {
			if err := f.compiles("--every", send); err != nil {
				return err
			}
		}
		i.Every = append(i.Every, recipe.InlineTimer{Every: every, Send: send})
	}
	for flag, expr := range map[string]string{"--ready-when": f.readyWhen, "--event": f.event} {
		if expr == "" {
			continue
		}
		if err := f.compiles(flag, expr); err != nil {
			return err
		}
	}
	if err := f.readParams(ctx, p, i); err != nil {
		return err
	}
	f.credentials(i, subprotocols, authorization)
	r, err := recipe.Parse("the recipe of the command line", i.Source())
	if err != nil {
		return cmdline.Usagef("%v", err)
	}
	f.recipe = r
	return nil
}

// readParams takes the values of --param.
func (f *ruleFlags) readParams(ctx context.Context, p *program.Program, i *recipe.Inline) error {
	for _, text := range f.params {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return cmdline.FlagErrorf("--param", ": expected NAME=VALUE") // it may be a credential
		}
		if slices.ContainsFunc(i.Params, func(q recipe.InlineParam) bool { return q.Name == name }) {
			return cmdline.FlagErrorf("--param", " %s is given twice", cmdline.Cut(name, 24))
		}
		if credential.IsReference(value) || credential.Member(name) {
			i.Params = append(i.Params, recipe.InlineParam{Name: name, Secret: true})
			if f.printRecipe { // which has no credential in it
				continue
			}
			source, _, err := p.Source("--param", value)
			if err != nil {
				return err
			}
			f.secrets[name] = source
			continue
		}
		if path, ok := strings.CutPrefix(value, "@"); ok {
			if value = path; !strings.HasPrefix(path, "@") {
				b, err := p.ReadNamed(ctx, "--param", path, bounded.Config)
				if err != nil {
					return err
				}
				value = strings.TrimRight(string(b), "\r\n")
			}
		}
		i.Params = append(i.Params, recipe.InlineParam{Name: name, Default: value})
	}
	return nil
}

// credentials makes parameters of what the recipe must not contain.
func (f *ruleFlags) credentials(i *recipe.Inline, subprotocols []string, authorization string) {
	withhold := func(name, value string) {
		f.secrets[name] = func(context.Context) (secret.Value, error) { return secret.Value(value), nil }
		i.Params = append(i.Params, recipe.InlineParam{Name: name, Secret: true})
	}
	if authorization != "" {
		withhold("authorization", authorization)
		i.Header = append(i.Header, recipe.Pair{Left: "Authorization", Right: "$param.authorization"})
	}
	for n, s := range subprotocols {
		if len(credential.Subprotocols(subprotocols)) == 0 {
			i.Subprotocols = append(i.Subprotocols, fmt.Sprintf("%q", s)) // a token: letters and a few signs
			continue
		}
		name := fmt.Sprintf("subprotocol-%d", n+1)
		withhold(name, s)
		i.Subprotocols = append(i.Subprotocols, fmt.Sprintf("$param[%q]", name))
	}
}

// print prints the recipe, if that was asked for, and ends the command.
func (f *ruleFlags) print(p *program.Program) error {
	if f.recipe == nil || !f.printRecipe {
		return nil
	}
	w := bufio.NewWriter(p.Stdout)
	_, _ = w.Write(p.Say.Bytes(f.recipe.Source)) // Flushed has the error
	if err := program.Flushed(w); err != nil {
		return err
	}
	return &ending.CommandExit{Code: ending.OK}
}

// open makes the service of the recipe.
func (f *ruleFlags) open(s *stream.Stream) (*stream.Opened, error) {
	svc, err := f.recipe.Service(recipe.Options{
		Values: f.values, Secrets: f.secrets, AckTimeout: f.ackTimeout,
		Client: s.Client(), Redirects: s.Flags.Dial().MaxRedirects > 0,
		Limits: recipe.Limits{Timeout: s.Flags.JQTimeout(), MaxValue: s.Flags.MaxMessage()},
	})
	if err != nil {
		return nil, err
	}
	return &stream.Opened{Service: svc, Recipe: string(f.recipe.Source)}, nil
}
