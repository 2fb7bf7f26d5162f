package commands

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/hark-cli/hark/internal/config"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
	"github.com/urfave/cli/v2"
)

// configPath is where the configuration file is: $HARK_CONFIG, or
// hark/config.toml in $XDG_CONFIG_HOME or ~/.config (%AppData% on Windows).
func (p *program) configPath() (string, error) {
	if path, ok := p.LookupEnv("HARK_CONFIG"); ok && path != "" {
		return path, nil
	}
	for _, base := range []struct{ variable, folder string }{
		{"XDG_CONFIG_HOME", ""}, {"AppData", ""}, {"HOME", ".config"},
	} {
		if dir, ok := p.LookupEnv(base.variable); ok && filepath.IsAbs(dir) {
			return filepath.Join(dir, base.folder, "hark", "config.toml"), nil
		}
	}
	return "", usagef("no place for the configuration file: neither HARK_CONFIG nor XDG_CONFIG_HOME nor HOME is set")
}

// addConfig adds the settings of the configuration file to a command line: those
// of the profile, then those that hold without one. A flag or a variable wins.
func (p *program) addConfig(ctx context.Context, l *commandLine) error {
	if l.node.child("config") != nil || strings.HasPrefix(l.node.path, "hark config") {
		return nil // it must work on a file with mistakes
	}
	profile := l.value("profile")
	path, err := p.configPath()
	if err != nil {
		if profile == "" {
			return nil
		}
		return err
	}
	p.maxTime = l.maxTime()
	ctx, stop := p.limited(ctx, "content of "+path)
	defer stop()
	f, err := config.Read(ctx, path)
	switch {
	case interrupts(err):
		return credentialFailure(err)
	case err != nil:
		return &UsageError{Message: err.Error(), Advice: "'hark config check' looks for mistakes"}
	}
	if err := checkConfig(l.node.root(), f); err != nil {
		return err
	}
	return l.addSettings(f, profile)
}

// value is that of a flag as given so far, or "".
func (l *commandLine) value(name string) string {
	value := ""
	for _, s := range l.settings {
		if s.opt.name() == name {
			value = s.value
		}
	}
	return value
}

// addSettings adds what the file says about the flags of the command that are not
// set yet.
func (l *commandLine) addSettings(f *config.File, profile string) error {
	if profile != "" && !slices.Contains(f.Profiles, profile) {
		e := usagef("there is no profile %q in %s", cut(profile, 24), f.Path)
		e.Suggestion = nearest(profile, f.Profiles)
		if e.Suggestion == "" && len(f.Profiles) > 0 {
			e.Advice = "there are: " + strings.Join(f.Profiles, ", ")
		}
		return e
	}
	given := make(map[*option]bool)
	for _, s := range l.settings {
		given[s.opt] = true
	}
	for _, of := range []string{profile, ""} {
		for _, s := range f.Settings {
			opt, at := l.node.named(s)
			if opt == nil || s.Profile != of || given[opt] {
				continue
			}
			given[opt] = true
			for _, v := range s.Values {
				l.settings = append(l.settings, setting{opt: opt, at: at, value: v, as: origin(f, s)})
			}
		}
		if profile == "" {
			break
		}
	}
	return nil
}

func origin(f *config.File, s config.Setting) string {
	return fmt.Sprintf("%s:%d: %s", f.Path, s.Line, s.Key())
}

// named finds the flag that a setting is about, at n or above it.
func (n *node) named(s config.Setting) (*option, *node) {
	opt, at := n.lookup(s.Name)
	if opt == nil || opt.builtin || opt.variable != variableName(s.Service, s.Name) {
		return nil, nil
	}
	return opt, at
}

// checkConfig finds settings that no command has, and values of a wrong type.
func checkConfig(root *node, f *config.File) error {
	for _, s := range f.Settings {
		var opt *option
		var names []string
		root.walk(func(n *node) {
			for _, o := range n.options {
				if o.builtin {
					continue
				}
				if o.variable == variableName(s.Service, o.name()) {
					names = append(names, o.name())
				}
			}
			if o, _ := n.named(s); o != nil {
				opt = o
			}
		})
		if opt == nil {
			e := &UsageError{Message: fmt.Sprintf("%s:%d: unknown setting %s", f.Path, s.Line, s.Key()), Advice: "'hark help config' tells what the file may hold"}
			general := false
			root.walk(func(n *node) {
				o, _ := n.named(config.Setting{Name: s.Name})
				general = general || o != nil
			})
			if near := nearest(s.Name, names); near != "" {
				e.Advice = fmt.Sprintf("did you mean %s?", near)
			} else if s.Service != "" && general {
				e.Advice = fmt.Sprintf("%s is a setting of all commands: write it above the first table", s.Name)
			}
			return e
		}
		if err := opt.accepts(s, f, root); err != nil {
			return err
		}
	}
	return nil
}

// accepts tries the values of a setting on a flag that nobody uses.
func (o *option) accepts(s config.Setting, f *config.File, root *node) error {
	if len(s.Values) > 1 && !o.repeats {
		return &UsageError{Message: fmt.Sprintf("%s: expected one value", origin(f, s))}
	}
	for _, v := range s.Values {
		if cause := o.rejects(v); cause != "" {
			return setting{opt: o, value: v, as: origin(f, s)}.complain(cause, root)
		}
	}
	return nil
}

func (p *program) configCommand() (*cli.Command, []branch) {
	return &cli.Command{
			Name:      "config",
			Usage:     "look at the configuration file and change it",
			UsageText: "hark config path\nhark config explain octave subscribe",
		}, []branch{
			leaf("path", p.configPathCommand), leaf("show", p.configShowCommand), leaf("explain", p.configExplainCommand),
			leaf("check", p.configCheckCommand), leaf("edit", p.configEditCommand), leaf("init", p.configInit),
		}
}

func (p *program) configPathCommand() *cli.Command {
	return &cli.Command{
		Name: "path", Usage: "print where the configuration file is", UsageText: "hark config path",
		Action: func(*cli.Context) error {
			path, err := p.configPath()
			if err != nil {
				return err
			}
			return writeLine(p.Stdout, []byte(path))
		},
	}
}

func (p *program) configShowCommand() *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "print the settings of the file, credentials withheld", UsageText: "hark config show",
		Action: func(c *cli.Context) error { return p.configShow(c.Context, lineOf(c.Context).node.root()) },
	}
}

func (p *program) configExplainCommand() *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "print each setting of a command and where it comes from",
		UsageText: "hark config explain octave subscribe\nhark config explain drogue tail --profile staging -- --count 5",
		ArgsUsage: "COMMAND… [-- FLAGS…]\nCOMMAND\tthe words of a command, such as drogue tail\nFLAGS\twhat the command would be given",
		Action: func(c *cli.Context) error {
			words, flags, _ := dashArgs(c)
			return p.configExplain(c.Context, lineOf(c.Context), words, flags)
		},
	}
}

func (p *program) configCheckCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "look for mistakes in the file", UsageText: "hark config check",
		Action: func(c *cli.Context) error { return p.configCheck(c.Context, lineOf(c.Context).node.root()) },
	}
}

func (p *program) configEditCommand() *cli.Command {
	return &cli.Command{
		Name: "edit", Usage: "open the file in $VISUAL or $EDITOR, and check it", UsageText: "hark config edit",
		Action: func(c *cli.Context) error { return p.configEdit(c) },
	}
}

func (p *program) readConfig(ctx context.Context) (*config.File, error) {
	path, err := p.configPath()
	if err != nil {
		return nil, err
	}
	f, err := config.Read(ctx, path)
	if err != nil {
		return nil, mistake(err, "%v", err)
	}
	return f, nil
}

// shownValue is a value as it may be shown: of a credential only where it comes
// from. A setting that is not known may be a credential whose name is misspelled.
func shownValue(o *option, v string) string {
	switch {
	case isReference(v):
		return v
	case o == nil || o.secret:
		return secret.Mask
	case o.name() == "header":
		if name, value, ok := strings.Cut(v, ":"); ok && credential.Header(strings.TrimSpace(name)) {
			return name + ": " + harmlessHeader(name, strings.TrimSpace(value))
		}
	case o.name() == "subprotocol":
		var r secret.Redactor
		r.Add(credential.Subprotocols([]string{v})...)
		return r.String(v)
	case strings.Contains(v, "://"):
		var r secret.Redactor
		r.Add(sensitiveAddress(v)...)
		return r.String(v)
	}
	return v
}

func (p *program) configShow(ctx context.Context, root *node) error {
	f, err := p.readConfig(ctx)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(p.Stdout)
	for _, s := range f.Settings {
		var opt *option
		root.walk(func(n *node) {
			if o, _ := n.named(s); o != nil {
				opt = o
			}
		})
		for _, v := range s.Values {
			fmt.Fprintf(w, "%s = %s\n", s.Key(), shownValue(opt, v))
		}
	}
	return flushed(w)
}

func flushed(w *bufio.Writer) error {
	if err := w.Flush(); err != nil {
		return &output.WriteError{Err: err}
	}
	return nil
}

func (p *program) configCheck(ctx context.Context, root *node) error {
	f, err := p.readConfig(ctx)
	if err != nil {
		return err
	}
	if err := checkConfig(root, f); err != nil {
		return err
	}
	if err := p.checkUse(ctx, f); err != nil {
		return err
	}
	if f.Exposed && literalSecret(root, f) {
		p.say.warning("%s holds a credential and others may read it; 'chmod 600' it, or write env:NAME, file:PATH or cmd:COMMAND", f.Path)
	}
	return nil
}

// checked is the panic with which a command that is only checked ends, where a stream
// would begin, with the mistake that it would find then.
type checked struct{ err error }

// checkedCommands are those whose flags the file may set, with arguments.
var checkedCommands = [][]string{
	{"connect", "ws://127.0.0.1:1"}, {"octave", "subscribe", "/x"}, {"drogue", "tail", "x"}, {"doshii", "listen"},
}

// checkUse has each command check the settings of the file, of each of its profiles, as
// it does when it is used, up to where it would begin. Nothing is run or asked.
func (p *program) checkUse(ctx context.Context, f *config.File) error {
	q := &program{Env: p.Env, say: &printer{home: io.Discard, w: io.Discard}, rescues: p.rescues, noQuestions: true, checking: true}
	q.Stdout, q.Stderr = io.Discard, io.Discard
	q.LookupEnv = func(name string) (string, bool) {
		if name == "HARK_CONFIG" {
			return f.Path, true
		}
		if strings.HasPrefix(name, "HARK_") {
			return "", false
		}
		return p.LookupEnv(name)
	}
	for _, profile := range append([]string{""}, f.Profiles...) {
		for _, words := range checkedCommands {
			if profile != "" {
				words = append(slices.Clone(words), "--profile", profile)
			}
			err := q.check(ctx, words)
			if ctx.Err() != nil || is[*proto.OverdueError](err) {
				return err
			}
			u, ok := errors.AsType[*UsageError](err)
			if is[*output.ExprError](err) {
				u, ok = &UsageError{Message: err.Error()}, true
			}
			if ok {
				if err := ofFile(u, f, profile); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// ofFile returns u, with its line, if it is about a setting of the file. What the file
// leaves out may be set elsewhere.
func ofFile(u *UsageError, f *config.File, profile string) error {
	if strings.HasPrefix(u.Message, f.Path+":") {
		return u
	}
	for _, s := range f.Settings {
		rest, ok := strings.CutPrefix(u.Message, "--"+s.Name)
		if ok && (s.Profile == "" || s.Profile == profile) && strings.ContainsAny(rest[:min(len(rest), 1)], " :") && !strings.Contains(rest, " needs ") {
			return &UsageError{Message: fmt.Sprintf("%s:%d: %s", f.Path, s.Line, u.Message), Advice: u.Hint()}
		}
	}
	return nil
}

// check runs a command line up to where it would begin.
func (p *program) check(ctx context.Context, words []string) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case checked:
			err = r.err
		default:
			panic(r)
		}
	}()
	return p.app().Run(context.WithValue(ctx, programKey{}, p), words)
}

func literalSecret(root *node, f *config.File) bool {
	found := false
	for _, s := range f.Settings {
		root.walk(func(n *node) {
			if o, _ := n.named(s); o != nil && slices.ContainsFunc(s.Values, func(v string) bool { return shownValue(o, v) != v }) {
				found = true
			}
		})
	}
	return found
}

// configExplain prints, for each flag of a command, its value and who set it, when
// the command is given these flags.
func (p *program) configExplain(ctx context.Context, line *commandLine, words, flags []string) error {
	n := line.node.root()
	for _, word := range words {
		c := n.child(word)
		if c == nil {
			return unknownCommand(n, word)
		}
		n = c
	}
	if n.isGroup() {
		return usagef("%s needs a command", n.path)
	}
	f, err := p.readConfig(ctx)
	if err != nil {
		return err
	}
	l, err := permute(n.root(), slices.Concat(words, flags))
	if err != nil {
		return err
	}
	l.addEnvironment(p.LookupEnv)
	profile := cmp.Or(line.value("profile"), l.value("profile"))
	if err := l.addSettings(f, profile); err != nil {
		return err
	}
	w := bufio.NewWriter(p.Stdout)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, at := range n.chain() {
		for _, o := range at.options {
			if o.builtin || o.hidden {
				continue
			}
			rows := 0
			for _, s := range l.settings {
				if s.opt == o {
					rows++
					fmt.Fprintf(table, "%s\t%s\t%s\n", dashed(o.name()), shownValue(o, s.value), s.as)
				}
			}
			if rows == 0 {
				fmt.Fprintf(table, "%s\t%s\t%s\n", dashed(o.name()), o.deflt, "default")
			}
		}
	}
	table.Flush()
	return flushed(w)
}

// configEdit opens the editor on the file, makes it if there is none, and checks
// it afterwards.
func (p *program) configEdit(c *cli.Context) error {
	path, err := p.configPath()
	if err != nil {
		return err
	}
	if err := makeConfig(path); err != nil {
		return err
	}
	editor := "vi"
	for _, name := range []string{"EDITOR", "VISUAL"} {
		if v, ok := p.LookupEnv(name); ok && v != "" {
			editor = v
		}
	}
	// An editor may have arguments of its own, so the shell takes it apart.
	cmd := process.Shell(c.Context, editor+` "$HARK_CONFIG_FILE"`)
	cmd.Env = append(p.Environ(), "HARK_CONFIG_FILE="+path)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.Stdin, inherited(p.Stdout), p.Stderr
	if err := cmd.Run(); err != nil {
		return usagef("the editor %q failed: %v", editor, err)
	}
	return p.configCheck(c.Context, lineOf(c.Context).node.root())
}

// makeConfig makes the file, which only its owner may read, unless it is there.
func makeConfig(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}
