// Package settings adds the configuration file to command lines, and checks it.
package settings

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/config"
)

// Path returns the path of the configuration file: $HARK_CONFIG, or hark/config.toml in
// $XDG_CONFIG_HOME or ~/.config (%AppData% on Windows).
func Path(p *program.Program) (string, error) {
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

// Add adds the settings of the configuration file to a command line: those of the
// profile, then all others. Flags and variables take precedence.
func Add(ctx context.Context, p *program.Program, l *cmdline.Line) error {
	if l.Command.Parent() == nil || strings.HasPrefix(l.Command.Path(), "hark config") {
		return nil // it must work on a file with errors
	}
	profile := l.Value("profile")
	path, err := Path(p)
	if err != nil {
		if profile == "" {
			return nil
		}
		return err
	}
	p.MaxTime = program.MaxTimeOf(l)
	ctx, stop := p.Limited(ctx, "content of "+path)
	defer stop()
	f, err := config.Read(ctx, path)
	switch {
	case program.Interrupts(err):
		return program.CredentialFailure(err)
	case err != nil:
		return &cmdline.UsageError{Message: err.Error(), Advice: "'hark config check' looks for mistakes"}
	}
	if err := Check(l.Command.Root(), f); err != nil {
		return err
	}
	return AddFile(l, f, profile)
}

// AddFile adds the settings of the file for flags of the command that are not set yet.
func AddFile(l *cmdline.Line, f *config.File, profile string) error {
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
		source := cmdline.Profile
		if of == "" {
			source = cmdline.File
		}
		for _, s := range f.Settings {
			opt, at := Named(l.Command, s)
			if opt == nil || s.Profile != of || given[opt] {
				continue
			}
			given[opt] = true
			for _, v := range s.Values {
				l.Settings = append(l.Settings, cmdline.Setting{Flag: opt, At: at, Value: v, As: Origin(f, s), Source: source})
			}
		}
		if profile == "" {
			break
		}
	}
	return nil
}

// Origin returns the position of a setting, for messages.
func Origin(f *config.File, s config.Setting) string {
	return fmt.Sprintf("%s:%d: %s", f.Path, s.Line, s.Key())
}

// Named returns the flag of a setting, at n or above it.
func Named(n *cmdline.Command, s config.Setting) (*cmdline.Flag, *cmdline.Command) {
	opt, at := n.Lookup(s.Name)
	if opt == nil || opt.Variable() != cmdline.VariableName(s.Service, s.Name) {
		return nil, nil
	}
	return opt, at
}

// Check returns an error for a setting that no command has, or a value of a wrong type.
func Check(root *cmdline.Command, f *config.File) error {
	for _, s := range f.Settings {
		var opt *cmdline.Flag
		var names []string
		root.Walk(func(n *cmdline.Command) {
			for _, o := range n.Flags {
				if o.Variable() == cmdline.VariableName(s.Service, o.Name) {
					names = append(names, o.Name)
				}
			}
			if o, _ := Named(n, s); o != nil {
				opt = o
			}
		})
		if opt == nil {
			e := &cmdline.UsageError{Message: fmt.Sprintf("%s:%d: unknown setting %s", f.Path, s.Line, s.Key()), Advice: "'hark help config' describes the file"}
			general := false
			root.Walk(func(n *cmdline.Command) {
				o, _ := Named(n, config.Setting{Name: s.Name})
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

// accepts tries the values of a setting on an unused flag.
func accepts(o *cmdline.Flag, s config.Setting, f *config.File, root *cmdline.Command) error {
	if len(s.Values) > 1 && !o.Repeats() {
		return &cmdline.UsageError{Message: fmt.Sprintf("%s: expected one value", Origin(f, s))}
	}
	for _, v := range s.Values {
		if err := o.Rejects(v); err != nil {
			return cmdline.Setting{Flag: o, Value: v, As: Origin(f, s)}.Complain(err, root)
		}
	}
	return nil
}

// Read reads the configuration file, which may be missing.
func Read(ctx context.Context, p *program.Program) (*config.File, error) {
	path, err := Path(p)
	if err != nil {
		return nil, err
	}
	f, err := config.Read(ctx, path)
	if err != nil {
		return nil, program.Mistake(err, cmdline.Usagef("%v", err))
	}
	return f, nil
}

// Readable returns the configuration file, or nil if it cannot be read, for optional
// uses.
func Readable(ctx context.Context, p *program.Program) *config.File {
	path, err := Path(p)
	if err != nil {
		return nil
	}
	f, err := config.Read(ctx, path)
	if err != nil {
		return nil
	}
	return f
}

// profileNames returns candidates for the name of a profile.
func profileNames(ctx context.Context, p *program.Program, _ *cmdline.Line) []cmdline.Candidate {
	if f := Readable(ctx, p); f != nil {
		return program.PlainNames(f.Profiles)
	}
	return nil
}

// Global returns the flags of every command. They are read from the Line.
func Global(p *program.Program) []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "profile", Value: cmdline.String(new(string)), Complete: func(ctx context.Context, line *cmdline.Line) []cmdline.Candidate { return profileNames(ctx, p, line) },
			Usage: "use the profile `NAME` of the configuration file"},
		{Name: "no-warn-secrets", Value: cmdline.Bool(new(bool)),
			Usage: "do not warn about a credential on the command line"},
	}
}
