// Package config is "hark config".
package config

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

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/settings"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/config"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
)

// Command is "hark config".
func Command(p *program.Program, all stream.Services) *cmdline.Command {
	return &cmdline.Command{
		Name:     "config",
		Usage:    "the configuration file",
		Examples: "hark config path\nhark config explain octave subscribe",
		Commands: func() []*cmdline.Command {
			return []*cmdline.Command{
				configPathCommand(p), configShowCommand(p), configExplainCommand(p),
				configCheckCommand(p, all), configEditCommand(p, all), configInit(p, all),
			}
		},
	}
}

func configPathCommand(p *program.Program) *cmdline.Command {
	return &cmdline.Command{
		Name: "path", Usage: "print the path of the configuration file", Examples: "hark config path",
		Run: func(context.Context, *cmdline.Line) error {
			path, err := settings.Path(p)
			if err != nil {
				return err
			}
			return program.WriteLine(p.Stdout, []byte(path))
		},
	}
}

func configShowCommand(p *program.Program) *cmdline.Command {
	return &cmdline.Command{
		Name: "show", Usage: "print the settings of the file, without credentials", Examples: "hark config show",
		Run: func(ctx context.Context, line *cmdline.Line) error { return configShow(ctx, p, line.Command.Root()) },
	}
}

func configExplainCommand(p *program.Program) *cmdline.Command {
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
		Args: "COMMAND… [-- FLAGS…]\nCOMMAND\ta command without hark, such as drogue tail\nFLAGS\tflags of the command",
		Run: func(ctx context.Context, line *cmdline.Line) error {
			words, flags, _ := line.Split()
			return configExplain(ctx, p, line, words, flags)
		},
	}
}

func configCheckCommand(p *program.Program, all stream.Services) *cmdline.Command {
	return &cmdline.Command{
		Name: "check", Usage: "check the configuration file for errors", Examples: "hark config check",
		Run: func(ctx context.Context, line *cmdline.Line) error {
			return configCheck(ctx, p, line.Command.Root(), all)
		},
	}
}

func configEditCommand(p *program.Program, all stream.Services) *cmdline.Command {
	return &cmdline.Command{
		Name: "edit", Usage: "open the configuration file in $VISUAL or $EDITOR, and check it", Examples: "hark config edit",
		Run: func(ctx context.Context, line *cmdline.Line) error { return configEdit(ctx, p, line, all) },
	}
}

// shownValue returns a value for output; for a credential, only a reference. An unknown
// setting may be a credential with a misspelled name.
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

func configShow(ctx context.Context, p *program.Program, root *cmdline.Command) error {
	f, err := settings.Read(ctx, p)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(p.Stdout)
	for _, s := range f.Settings {
		var opt *cmdline.Flag
		root.Walk(func(n *cmdline.Command) {
			if o, _ := settings.Named(n, s); o != nil {
				opt = o
			}
		})
		for _, v := range s.Values {
			fmt.Fprintf(w, "%s = %s\n", s.Key(), shownValue(opt, v))
		}
	}
	return program.Flushed(w)
}

func configCheck(ctx context.Context, p *program.Program, root *cmdline.Command, all stream.Services) error {
	f, err := settings.Read(ctx, p)
	if err != nil {
		return err
	}
	if err := settings.Check(root, f); err != nil {
		return err
	}
	if err := checkUse(ctx, p, f, all); err != nil {
		return err
	}
	if f.Exposed && literalSecret(root, f) {
		p.Say.Warning("%s contains a credential and other users can read it: run chmod 600, or use env:NAME, file:PATH or cmd:COMMAND", f.Path)
	}
	return nil
}

// checkUse has each command check the settings of the file, for each profile, as before
// a run. Nothing is run, and no credential is looked up.
func checkUse(ctx context.Context, p *program.Program, f *config.File, all stream.Services) error {
	q := &program.Program{
		Env: p.Env, Say: console.NewPrinter(io.Discard), Rescues: p.Rescues, Reference: placeholder,
		AddTo: func(string) (io.Writer, error) { return io.Discard, nil },
	}
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
	// An error in a setting of all commands is reported for connect, not for a service.
	general := func(s stream.Service) int { return min(1, len(s.Settings)) }
	order := slices.SortedStableFunc(slices.Values(all), func(a, b stream.Service) int { return general(a) - general(b) })
	for _, profile := range append([]string{""}, f.Profiles...) {
		for _, sv := range order {
			err := tryProfile(ctx, q, sv, f, profile)
			if ctx.Err() != nil || ending.Is[*proto.TimeoutError](err) {
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

// placeholder replaces a credential from elsewhere: its value is not in the file.
func placeholder(flag, _ string) (program.Getter, bool, error) {
	value := "x"
	if strings.HasSuffix(flag, "user") || strings.HasSuffix(flag, "-u") || strings.HasSuffix(flag, "-U") {
		value = "x:x"
	}
	return func(context.Context) (string, error) { return value, nil }, false, nil
}

// ofFile returns u, with its line, if it is about a setting of the file. Missing
// settings may be set elsewhere.
func ofFile(u *cmdline.UsageError, f *config.File, profile string) error {
	for _, s := range f.Settings {
		switch {
		case s.Profile != "" && s.Profile != profile:
		case u.As == settings.Origin(f, s): // which the message begins with
			return u
		case u.As == "--"+s.Name:
			return &cmdline.UsageError{Message: fmt.Sprintf("%s:%d: %s", f.Path, s.Line, u.Message), Advice: u.Hint()}
		}
	}
	return nil
}

// tryProfile has the streaming command of a service check the settings of a profile.
func tryProfile(ctx context.Context, p *program.Program, sv stream.Service, f *config.File, profile string) error {
	v := sv.Stream(p)
	words := sv.Words(v)
	var expressions error // they may come from several places, so no command's help is about them
	tree := v.Tried(func() { expressions = v.Flags.TryExpressions(p) })
	if len(words) > 1 {
		tree = &cmdline.Command{Name: sv.Name, Commands: func() []*cmdline.Command { return []*cmdline.Command{v.Command} }}
	}
	a := cmdline.New(cmdline.Config{
		Root:      &cmdline.Command{Name: "hark", Flags: settings.Global(p), Commands: func() []*cmdline.Command { return []*cmdline.Command{tree} }},
		Settings:  func(_ context.Context, l *cmdline.Line) error { return settings.AddFile(l, f, profile) },
		Before:    p.Observe,
		Stdout:    io.Discard,
		Stderr:    io.Discard,
		LookupEnv: p.LookupEnv,
	})
	if err := a.Run(p.Within(ctx), append(words, sv.Arguments...)); err != nil {
		return err
	}
	return expressions
}

func literalSecret(root *cmdline.Command, f *config.File) bool {
	found := false
	for _, s := range f.Settings {
		root.Walk(func(n *cmdline.Command) {
			if o, _ := settings.Named(n, s); o != nil && slices.ContainsFunc(s.Values, func(v string) bool { return shownValue(o, v) != v }) {
				found = true
			}
		})
	}
	return found
}

// configExplain prints, for each flag of a command with the given flags, its value and
// its source.
func configExplain(ctx context.Context, p *program.Program, line *cmdline.Line, words, flags []string) error {
	n := line.Command.Root()
	for _, word := range words {
		c := n.Child(word)
		if c == nil {
			return cmdline.UnknownCommand(n, word)
		}
		n = c
	}
	if n.IsGroup() {
		return cmdline.Usagef("missing command after '%s'", n.Path())
	}
	f, err := settings.Read(ctx, p)
	if err != nil {
		return err
	}
	l, err := n.Root().Parse(slices.Concat(words, flags))
	if err != nil {
		return err
	}
	l.AddEnvironment(p.LookupEnv)
	profile := cmp.Or(line.Value("profile"), l.Value("profile"))
	if err := settings.AddFile(l, f, profile); err != nil {
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
	return program.Flushed(w)
}

// configEdit opens the file in the editor, creates it if it does not exist, and checks
// it afterwards.
func configEdit(ctx context.Context, p *program.Program, line *cmdline.Line, all stream.Services) error {
	path, err := settings.Path(p)
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
	// $EDITOR may contain arguments, so it is run by the shell.
	cmd := process.Shell(ctx, editor+` "$HARK_CONFIG_FILE"`)
	cmd.Env = append(p.Environ(), "HARK_CONFIG_FILE="+path)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.Stdin, program.Inherited(p.Stdout), p.Stderr
	if err := cmd.Run(); err != nil {
		return cmdline.Usagef("the editor %q failed: %v", editor, err)
	}
	return configCheck(ctx, p, line.Command.Root(), all)
}

// makeConfig creates the file, which only its owner may read, if it does not exist.
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
