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

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/config"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
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
	return "", cmdline.Usagef("no place for the configuration file: neither HARK_CONFIG nor XDG_CONFIG_HOME nor HOME is set")
}

// addConfig adds the settings of the configuration file to a command line: those
// of the profile, then those that hold without one. A flag or a variable wins.
func (p *program) addConfig(ctx context.Context, l *cmdline.Line) error {
	if l.Command.Parent() == nil || strings.HasPrefix(l.Command.Path(), "hark config") {
		return nil // it must work on a file with mistakes
	}
	profile := l.Value("profile")
	path, err := p.configPath()
	if err != nil {
		if profile == "" {
			return nil
		}
		return err
	}
	p.maxTime = maxTime(l)
	ctx, stop := p.limited(ctx, "content of "+path)
	defer stop()
	f, err := config.Read(ctx, path)
	switch {
	case interrupts(err):
		return credentialFailure(err)
	case err != nil:
		return &cmdline.UsageError{Message: err.Error(), Advice: "'hark config check' looks for mistakes"}
	}
	if err := checkConfig(l.Command.Root(), f); err != nil {
		return err
	}
	return addSettings(l, f, profile)
}

// addSettings adds what the file says about the flags of the command that are not
// set yet.
func addSettings(l *cmdline.Line, f *config.File, profile string) error {
	if profile != "" && !slices.Contains(f.Profiles, profile) {
		e := cmdline.Usagef("there is no profile %q in %s", cmdline.Cut(profile, 24), f.Path)
		e.Suggestion = cmdline.Nearest(profile, f.Profiles)
		if e.Suggestion == "" && len(f.Profiles) > 0 {
			e.Advice = "there are: " + strings.Join(f.Profiles, ", ")
		}
		return e
	}
	given := l.Given()
	for _, of := range []string{profile, ""} {
		for _, s := range f.Settings {
			opt, at := named(l.Command, s)
			if opt == nil || s.Profile != of || given[opt] {
				continue
			}
			given[opt] = true
			for _, v := range s.Values {
				l.Settings = append(l.Settings, cmdline.Setting{Flag: opt, At: at, Value: v, As: origin(f, s)})
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
func named(n *cmdline.Command, s config.Setting) (*cmdline.Flag, *cmdline.Command) {
	opt, at := n.Lookup(s.Name)
	if opt == nil || opt.Variable() != cmdline.VariableName(s.Service, s.Name) {
		return nil, nil
	}
	return opt, at
}

// checkConfig finds settings that no command has, and values of a wrong type.
func checkConfig(root *cmdline.Command, f *config.File) error {
	for _, s := range f.Settings {
		var opt *cmdline.Flag
		var names []string
		root.Walk(func(n *cmdline.Command) {
			for _, o := range n.Flags {
				if o.Variable() == cmdline.VariableName(s.Service, o.Name) {
					names = append(names, o.Name)
				}
			}
			if o, _ := named(n, s); o != nil {
				opt = o
			}
		})
		if opt == nil {
			e := &cmdline.UsageError{Message: fmt.Sprintf("%s:%d: unknown setting %s", f.Path, s.Line, s.Key()), Advice: "'hark help config' tells what the file may hold"}
			general := false
			root.Walk(func(n *cmdline.Command) {
				o, _ := named(n, config.Setting{Name: s.Name})
				general = general || o != nil
			})
			if near := cmdline.Nearest(s.Name, names); near != "" {
				e.Advice = fmt.Sprintf("did you mean %s?", near)
			} else if s.Service != "" && general {
				e.Advice = fmt.Sprintf("%s is a setting of all commands: write it above the first table", s.Name)
			}
			return e
		}
		if err := accepts(opt, s, f, root); err != nil {
			return err
		}
	}
	return nil
}

// accepts tries the values of a setting on a flag that nobody uses.
func accepts(o *cmdline.Flag, s config.Setting, f *config.File, root *cmdline.Command) error {
	if len(s.Values) > 1 && !o.Repeats() {
		return &cmdline.UsageError{Message: fmt.Sprintf("%s: expected one value", origin(f, s))}
	}
	for _, v := range s.Values {
		if err := o.Rejects(v); err != nil {
			return cmdline.Setting{Flag: o, Value: v, As: origin(f, s)}.Complain(err, root)
		}
	}
	return nil
}

func (p *program) configCommand(all serviceList) *cmdline.Command {
	return &cmdline.Command{
		Name:     "config",
		Usage:    "look at the configuration file and change it",
		Examples: "hark config path\nhark config explain octave subscribe",
		Commands: func() []*cmdline.Command {
			return []*cmdline.Command{
				p.configPathCommand(), p.configShowCommand(), p.configExplainCommand(),
				p.configCheckCommand(all), p.configEditCommand(all), p.configInit(all),
			}
		},
	}
}

func (p *program) configPathCommand() *cmdline.Command {
	return &cmdline.Command{
		Name: "path", Usage: "print where the configuration file is", Examples: "hark config path",
		Run: func(context.Context, *cmdline.Line) error {
			path, err := p.configPath()
			if err != nil {
				return err
			}
			return writeLine(p.Stdout, []byte(path))
		},
	}
}

func (p *program) configShowCommand() *cmdline.Command {
	return &cmdline.Command{
		Name: "show", Usage: "print the settings of the file, credentials withheld", Examples: "hark config show",
		Run: func(ctx context.Context, line *cmdline.Line) error { return p.configShow(ctx, line.Command.Root()) },
	}
}

func (p *program) configExplainCommand() *cmdline.Command {
	return &cmdline.Command{
		Name: "explain", Usage: "print each setting of a command and where it comes from",
		Examples: "hark config explain octave subscribe\nhark config explain drogue tail --profile staging -- --count 5",
		Complete: func(_ context.Context, line *cmdline.Line) []cmdline.Candidate {
			if line == nil {
				return nil
			}
			if c := line.Command.Root().Below(line.Args()); c != nil {
				return c.Candidates()
			}
			return nil
		},
		Args: "COMMAND… [-- FLAGS…]\nCOMMAND\tthe words of a command, such as drogue tail\nFLAGS\twhat the command would be given",
		Run: func(ctx context.Context, line *cmdline.Line) error {
			words, flags, _ := line.Split()
			return p.configExplain(ctx, line, words, flags)
		},
	}
}

func (p *program) configCheckCommand(all serviceList) *cmdline.Command {
	return &cmdline.Command{
		Name: "check", Usage: "look for mistakes in the file", Examples: "hark config check",
		Run: func(ctx context.Context, line *cmdline.Line) error {
			return p.configCheck(ctx, line.Command.Root(), all)
		},
	}
}

func (p *program) configEditCommand(all serviceList) *cmdline.Command {
	return &cmdline.Command{
		Name: "edit", Usage: "open the file in $VISUAL or $EDITOR, and check it", Examples: "hark config edit",
		Run: func(ctx context.Context, line *cmdline.Line) error { return p.configEdit(ctx, line, all) },
	}
}

func (p *program) readConfig(ctx context.Context) (*config.File, error) {
	path, err := p.configPath()
	if err != nil {
		return nil, err
	}
	f, err := config.Read(ctx, path)
	if err != nil {
		return nil, mistake(err, cmdline.Usagef("%v", err))
	}
	return f, nil
}

// shownValue is a value as it may be shown: of a credential only where it comes
// from. A setting that is not known may be a credential whose name is misspelled.
func shownValue(o *cmdline.Flag, v string) string {
	switch {
	case credential.IsReference(v):
		return v
	case o == nil || o.Secret:
		return secret.Mask
	case o.Name == "header":
		if name, value, ok := strings.Cut(v, ":"); ok && credential.Header(strings.TrimSpace(name)) {
			return name + ": " + credential.MaskHeader(name, strings.TrimSpace(value))
		}
	case o.Name == "subprotocol":
		var r secret.Redactor
		r.Add(credential.Subprotocols([]string{v})...)
		return r.String(v)
	case strings.Contains(v, "://"):
		var r secret.Redactor
		r.Add(credential.AddressParts(v)...)
		return r.String(v)
	}
	return v
}

func (p *program) configShow(ctx context.Context, root *cmdline.Command) error {
	f, err := p.readConfig(ctx)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(p.Stdout)
	for _, s := range f.Settings {
		var opt *cmdline.Flag
		root.Walk(func(n *cmdline.Command) {
			if o, _ := named(n, s); o != nil {
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

func (p *program) configCheck(ctx context.Context, root *cmdline.Command, all serviceList) error {
	f, err := p.readConfig(ctx)
	if err != nil {
		return err
	}
	if err := checkConfig(root, f); err != nil {
		return err
	}
	if err := p.checkUse(ctx, f, all); err != nil {
		return err
	}
	if f.Exposed && literalSecret(root, f) {
		p.say.warning("%s holds a credential and others may read it; 'chmod 600' it, or write env:NAME, file:PATH or cmd:COMMAND", f.Path)
	}
	return nil
}

// checkUse has each command check the settings of the file, of each of its profiles, as
// it does when it is used, up to where it would begin. Nothing is run or asked.
func (p *program) checkUse(ctx context.Context, f *config.File, all serviceList) error {
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
	// What is wrong with a setting of all commands is a mistake in connect, not in some
	// service.
	general := func(s service) int { return min(1, len(s.settings)) }
	order := slices.SortedStableFunc(slices.Values(all), func(a, b service) int { return general(a) - general(b) })
	for _, profile := range append([]string{""}, f.Profiles...) {
		for _, sv := range order {
			err := q.tryProfile(ctx, sv, f, profile)
			if ctx.Err() != nil || is[*proto.OverdueError](err) {
				return err
			}
			u, ok := errors.AsType[*cmdline.UsageError](err)
			if e, bad := errors.AsType[*jq.Error](err); bad {
				as, _, _ := strings.Cut(e.Flag, " ") // --argjson NAME
				u, ok = &cmdline.UsageError{As: as, Message: e.Error()}, true
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
func ofFile(u *cmdline.UsageError, f *config.File, profile string) error {
	for _, s := range f.Settings {
		switch {
		case s.Profile != "" && s.Profile != profile:
		case u.As == origin(f, s): // which the message begins with
			return u
		case u.As == "--"+s.Name:
			return &cmdline.UsageError{Message: fmt.Sprintf("%s:%d: %s", f.Path, s.Line, u.Message), Advice: u.Hint()}
		}
	}
	return nil
}

// tryProfile has the command of a service that streams check the settings of a profile.
func (p *program) tryProfile(ctx context.Context, sv service, f *config.File, profile string) error {
	v := sv.stream(p)
	words := sv.words(v)
	var expressions error // they may come from several places, so no command's help is about them
	tree := v.tried(func() { expressions = v.flags.tryExpressions(p) })
	if len(words) > 1 {
		tree = &cmdline.Command{Name: sv.name, Commands: func() []*cmdline.Command { return []*cmdline.Command{v.command} }}
	}
	a := cmdline.New(cmdline.Config{
		Root:      &cmdline.Command{Name: "hark", Flags: globalFlags(p), Commands: func() []*cmdline.Command { return []*cmdline.Command{tree} }},
		Settings:  func(_ context.Context, l *cmdline.Line) error { return addSettings(l, f, profile) },
		Before:    p.observe,
		Stdout:    io.Discard,
		Stderr:    io.Discard,
		LookupEnv: p.LookupEnv,
	})
	if err := a.Run(context.WithValue(ctx, programKey{}, p), append(words, sv.arguments...)); err != nil {
		return err
	}
	return expressions
}

func literalSecret(root *cmdline.Command, f *config.File) bool {
	found := false
	for _, s := range f.Settings {
		root.Walk(func(n *cmdline.Command) {
			if o, _ := named(n, s); o != nil && slices.ContainsFunc(s.Values, func(v string) bool { return shownValue(o, v) != v }) {
				found = true
			}
		})
	}
	return found
}

// configExplain prints, for each flag of a command, its value and who set it, when
// the command is given these flags.
func (p *program) configExplain(ctx context.Context, line *cmdline.Line, words, flags []string) error {
	n := line.Command.Root()
	for _, word := range words {
		c := n.Child(word)
		if c == nil {
			return cmdline.UnknownCommand(n, word)
		}
		n = c
	}
	if n.IsGroup() {
		return cmdline.Usagef("%s needs a command", n.Path())
	}
	f, err := p.readConfig(ctx)
	if err != nil {
		return err
	}
	l, err := n.Root().Parse(slices.Concat(words, flags))
	if err != nil {
		return err
	}
	l.AddEnvironment(p.LookupEnv)
	profile := cmp.Or(line.Value("profile"), l.Value("profile"))
	if err := addSettings(l, f, profile); err != nil {
		return err
	}
	w := bufio.NewWriter(p.Stdout)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, at := range n.Chain() {
		for _, o := range at.Flags {
			if o.Variable() == "" || o.Hidden {
				continue
			}
			rows := 0
			for _, s := range l.Settings {
				if s.Flag == o {
					rows++
					fmt.Fprintf(table, "%s\t%s\t%s\n", cmdline.Dashed(o.Name), shownValue(o, s.Value), s.As)
				}
			}
			if rows == 0 {
				fmt.Fprintf(table, "%s\t%s\t%s\n", cmdline.Dashed(o.Name), o.DefaultText(), "default")
			}
		}
	}
	table.Flush()
	return flushed(w)
}

// configEdit opens the editor on the file, makes it if there is none, and checks
// it afterwards.
func (p *program) configEdit(ctx context.Context, line *cmdline.Line, all serviceList) error {
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
	cmd := process.Shell(ctx, editor+` "$HARK_CONFIG_FILE"`)
	cmd.Env = append(p.Environ(), "HARK_CONFIG_FILE="+path)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.Stdin, inherited(p.Stdout), p.Stderr
	if err := cmd.Run(); err != nil {
		return cmdline.Usagef("the editor %q failed: %v", editor, err)
	}
	return p.configCheck(ctx, line.Command.Root(), all)
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
