package cmdline

import (
	"context"
	"errors"
	"flag"

	"github.com/urfave/cli/v2"
)

// runLibrary has the library run a line: it gets only the command of the line and those
// above it, with the flags required for one run, and an argument list that it cannot
// misread, so that none of its own messages, help texts or exits is reached.
func (a *App) runLibrary(ctx context.Context, line *Line) error {
	var rejected error
	lib := &cli.App{
		Name:            a.root.Name,
		HideHelp:        true,
		HideHelpCommand: true,
		HideVersion:     true,
		Writer:          a.config.Stdout,
		ErrWriter:       a.config.Stderr,
		OnUsageError:    keepParseError,
		// The default one calls os.Exit for errors that carry an exit code.
		ExitErrHandler: func(*cli.Context, error) {},
	}
	flags, commands := &lib.Flags, &lib.Commands
	for i, c := range line.Command.Chain() {
		if i > 0 {
			next := &cli.Command{
				Name: c.Name, HideHelp: true, HideHelpCommand: true,
				OnUsageError: keepParseError, // it is not inherited from the app
			}
			*commands = []*cli.Command{next}
			flags, commands = &next.Flags, &next.Subcommands
			if c.Run != nil {
				next.Action = func(ctx *cli.Context) error { return c.Run(ctx.Context, line) }
			}
		}
		for _, f := range c.Flags {
			if !f.builtin {
				*flags = append(*flags, &libraryFlag{flag: f, line: line, rejected: &rejected})
			}
		}
	}
	if line.Command.parent == nil && line.Command.Run != nil {
		lib.Action = func(ctx *cli.Context) error { return line.Command.Run(ctx.Context, line) }
	}
	err := lib.RunContext(ctx, line.argv())
	if parse, ok := errors.AsType[*parseError](err); ok {
		if rejected != nil {
			return rejected
		}
		return &UsageError{Message: parse.Error(), Command: line.Command.path}
	}
	return err
}

// A parseError is the library's error for an argument list. OnUsageError returns it
// unchanged, so that the library does not print it with the help on stdout.
type parseError struct{ cause error }

func (e *parseError) Error() string { return e.cause.Error() }

func keepParseError(_ *cli.Context, err error, _ bool) error { return &parseError{err} }

// argv returns the command line in a form that the library cannot misread: each flag by
// its long name, with "=", after the command that it belongs to, and the arguments
// after "--".
func (l *Line) argv() []string {
	var argv []string
	for _, c := range l.Command.Chain() {
		argv = append(argv, c.Name)
		for _, s := range l.Settings {
			if s.At == c && !s.Flag.builtin {
				argv = append(argv, "--"+s.Flag.Name+"="+s.Value)
			}
		}
	}
	return append(append(argv, "--"), l.Args()...)
}

// A libraryFlag is a flag as the library requires it, for one run. It has one name and no
// variable: the library would set it once more for each.
type libraryFlag struct {
	flag     *Flag
	line     *Line
	rejected *error // of the first value that the flag does not accept
}

// Apply implements cli.Flag.
func (l *libraryFlag) Apply(set *flag.FlagSet) error {
	set.Var(l, l.flag.Name, "")
	return nil
}

// Names implements cli.Flag.
func (l *libraryFlag) Names() []string { return []string{l.flag.Name} }

// IsSet implements cli.Flag.
func (l *libraryFlag) IsSet() bool { return false }

// String implements cli.Flag and flag.Value.
func (l *libraryFlag) String() string {
	if l.flag == nil {
		return "" // of the zero value, which package flag asks for
	}
	return l.flag.String()
}

// Set implements flag.Value. The library passes on the text of an error, not the error.
func (l *libraryFlag) Set(value string) error {
	err := l.flag.Value.Set(value)
	if err == nil {
		return nil
	}
	for _, s := range l.line.Settings {
		if s.Flag == l.flag && s.Value == value && *l.rejected == nil {
			*l.rejected = s.Complain(err, l.line.Command)
		}
	}
	return err
}
