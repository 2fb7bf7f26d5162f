package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"
)

// An app is the command line: a tree of urfave/cli commands behind the shims
// that make it behave as users of Unix tools expect. The library only sees
// argument lists that permute has put in order, so none of its own messages,
// help texts or exits is ever reached:
//
//	argv ─ permute ─▶ commandLine ─ environment, number of arguments ─▶ library ─▶ Action
//	                    └─ --help, --help-all, --version: answered here, the library is not run
//
// What a command declares, and where it is used:
//
//   - Usage: one line, lower case, no full stop.
//   - UsageText: examples for the help text, printed as they are; the first must
//     run without an account.
//   - ArgsUsage: the first line is the synopsis of the arguments: "APP[/CHANNEL]",
//     "STREAM…", "[URL]". Their number is checked against it before Action runs;
//     without a synopsis a command takes none, and "[-- COMMAND…]" is about what
//     follows the two dashes. Each further line explains one of them: a name, a
//     tab, a text.
//   - Description: paragraphs, wrapped; indented lines stay as they are.
//   - Category: the heading under which the help of the parent lists the command.
//   - Flags: the library's own types, without EnvVars, Required and Action. Usage
//     names the placeholder in backquotes. Category is the heading in the help.
//     ownFlags and secretFlag add what the library has no field for.
//   - a command has either branches or an Action, and neither Subcommands nor Aliases.
type app struct {
	config appConfig
	root   *node
}

// An appConfig is what newApp needs. All fields but Topics and Width are required.
type appConfig struct {
	// Root carries the name of the program and its global flags. newApp takes
	// possession of it.
	Root *cli.Command
	// Commands are those of the program.
	Commands []branch
	// Before, if not nil, is told of each command line that is carried out.
	Before func(*commandLine)
	// Topics are what "help TOPIC" knows besides the commands.
	Topics []topic
	// Settings adds the settings of the configuration file to a command line; nil
	// adds none.
	Settings func(context.Context, *commandLine) error
	// Words are what the arguments of a command ("emulate") may be, for
	// completion.
	Words map[string][]string
	// Names lists what there is of a kind of names, for completion; nil knows none.
	Names func(ctx context.Context, kind string, line *commandLine) []string
	// Version is the line that --version prints.
	Version string
	// Stdout gets help that was asked for, and the version. Stderr gets help that
	// was not asked for.
	Stdout, Stderr io.Writer
	// LookupEnv reads an environment variable, as os.LookupEnv does.
	LookupEnv func(name string) (value string, ok bool)
	// Width of help texts in columns; 0 means 80.
	Width int
	// Page shows a help text that was asked for; nil writes it to Stdout.
	Page func(text string) error
}

// newApp makes the command line of c. It adds the command help and the flags
// --help (-h), --help-all and --version.
func newApp(c appConfig) *app {
	a := &app{config: c}
	a.root = newNode(nil, c.Root, append(c.Commands, grouped("About hark", leaf("help", a.helpCommand))...))
	a.root.options = append(a.root.options,
		&option{names: []string{"help", "h"}, usage: "show this help", builtin: true},
		&option{names: []string{"help-all"}, usage: "show all of it", builtin: true},
		&option{names: []string{"version"}, usage: "show the version", builtin: true})
	return a
}

func (a *app) helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "explain a command or a topic",
		UsageText: a.config.Root.Name + " help",
		ArgsUsage: "[COMMAND…|TOPIC]",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print all commands and flags as JSON, for programs"},
		},
		Action: func(ctx *cli.Context) error {
			if ctx.Bool("json") {
				return a.writeJSON()
			}
			return a.helpFor(ctx.Args().Slice())
		},
	}
}

// library is the program as the library sees it: of all commands, the one that
// line names.
func (a *app) library(line *commandLine) *cli.App {
	lib := &cli.App{
		Name:  a.root.cmd.Name,
		Flags: a.root.cmd.Flags,
		// Without it "-H 'Accept: a, b'" would be two headers.
		DisableSliceFlagSeparator: true,
		HideHelp:                  true,
		HideHelpCommand:           true,
		HideVersion:               true,
		Writer:                    a.config.Stdout,
		ErrWriter:                 a.config.Stderr,
		OnUsageError:              keepParseError,
		// The default one calls os.Exit for errors that carry an exit code.
		ExitErrHandler: func(*cli.Context, error) {},
	}
	commands := &lib.Commands
	for _, n := range line.node.chain()[1:] {
		*commands = []*cli.Command{n.cmd}
		commands = &n.cmd.Subcommands
	}
	return lib
}

// Run carries out the command line argv, without the name of the program. The
// error is what the command's Action returned, or a *UsageError for a line that
// does not fit the tree. Nothing but help that was asked for is written to
// Stdout here.
func (a *app) Run(ctx context.Context, argv []string) error {
	if len(argv) > 0 && argv[0] == completeCommand {
		return a.complete(ctx, a.config.Stdout, argv[1:])
	}
	line, err := permute(a.root, argv)
	if err != nil {
		return err
	}
	switch {
	case line.asksHelp():
		return a.show(a.helpText(line.node, line.asks("help-all")))
	case line.asks("version"):
		_, err := fmt.Fprintln(a.config.Stdout, a.config.Version)
		return err
	case line.node.isGroup():
		if _, err := io.WriteString(a.config.Stderr, a.helpText(line.node, false)); err != nil {
			return err
		}
		return &UsageError{Message: line.node.path + " needs a command", Command: line.node.path, Shown: true}
	}
	line.addEnvironment(a.config.LookupEnv)
	if a.config.Settings != nil {
		if err := a.config.Settings(ctx, line); err != nil {
			return err
		}
	}
	if err := line.checkArguments(); err != nil {
		return err
	}
	if a.config.Before != nil {
		a.config.Before(line)
	}
	err = a.library(line).RunContext(context.WithValue(ctx, lineKey{}, line), line.argv())
	if raw, ok := errors.AsType[*parseError](err); ok {
		return line.explain(raw.cause)
	}
	if usage, ok := errors.AsType[*UsageError](err); ok && usage.Command == "" {
		usage.Command = line.node.path
	}
	return err
}

// A UsageError says that the command line, or an environment variable that stands
// in for a flag, cannot be carried out. It ends the program with exit code 2, and
// is shown as:
//
//	hark: error: MESSAGE
//	hark: hint: HINT
type UsageError struct {
	// Message says what is wrong. It shows no credential: neither the value of a
	// secret flag, nor a URL, nor a long word out of place.
	Message string
	// Suggestion is what the user may have meant: "--count", "hark octave
	// subscribe"; empty if nothing is near.
	Suggestion string
	// Advice is the hint in full, where "did you mean" would not fit.
	Advice string
	// Command is the command whose help tells more: "hark drogue tail". Run fills
	// it in for errors of an Action that leave it empty.
	Command string
	// Shown: the help is on stderr already, nothing is left to print.
	Shown bool
}

// usagef makes a *UsageError from an Action: bad arguments, flags that exclude
// each other. Run adds the command.
func usagef(format string, args ...any) *UsageError {
	return &UsageError{Message: fmt.Sprintf(format, args...)}
}

func (e *UsageError) Error() string { return e.Message }

// Hint returns the text for the hint line, or "".
func (e *UsageError) Hint() string {
	switch {
	case e.Shown:
		return ""
	case e.Advice != "":
		return e.Advice
	case strings.Contains(e.Suggestion, " "):
		return "did you mean '" + e.Suggestion + "'?"
	case e.Suggestion != "":
		return "did you mean " + e.Suggestion + "?"
	case e.Command != "":
		return "see '" + e.Command + " --help'"
	}
	return ""
}

type lineKey struct{}

// lineOf returns the command line that led to an Action, from its context.
func lineOf(ctx context.Context) *commandLine {
	line, _ := ctx.Value(lineKey{}).(*commandLine)
	return line
}

// dashArgs splits the arguments of a command at the two dashes: "emulate octave --
// make test" has octave before and make test after them. dashed tells "emulate
// octave --" from "emulate octave". Context.Args has all of them in one list.
func dashArgs(ctx *cli.Context) (before, after []string, dashed bool) {
	line := lineOf(ctx.Context)
	return line.args, line.rest, line.dashed
}

// givenAs tells how the user gave the flag of that (long) name the last time:
// "-n", "--count" or "HARK_COUNT"; "" if not at all. Messages about a value
// should name it so.
func givenAs(ctx *cli.Context, name string) string {
	as := ""
	for _, s := range lineOf(ctx.Context).settings {
		if s.opt.name() == name {
			as = s.as
		}
	}
	return as
}

// typedAs is givenAs for a flag that stands on the command line; "" for one that a
// variable or the configuration file sets. Those hold for many commands: what needs
// another flag, or cannot be used with one, is a mistake where somebody typed it, and
// otherwise a setting that does not apply, and is left unused.
func typedAs(ctx *cli.Context, name string) string {
	if as := givenAs(ctx, name); strings.HasPrefix(as, "-") {
		return as
	}
	return ""
}

// rivals settles two flags that cannot be used together, of which both are set: when
// only one was typed, drop is called with the name of the other; otherwise it is an
// error.
func rivals(c *cli.Context, one, other string, drop func(name string)) error {
	a, b := typedAs(c, one), typedAs(c, other)
	switch {
	case a != "" && b == "":
		drop(other)
	case b != "" && a == "":
		drop(one)
	default:
		return usagef("%s cannot be used with %s", givenAs(c, one), givenAs(c, other))
	}
	return nil
}

// A parseError is what the library found wrong with the value of a flag. It
// travels through the library as it is, because OnUsageError keeps the library
// from printing it with the help on stdout.
type parseError struct{ cause error }

func (e *parseError) Error() string { return e.cause.Error() }

func keepParseError(_ *cli.Context, err error, _ bool) error { return &parseError{err} }

// versionLine is what --version prints, from what the linker left in the binary:
// "hark version v1.2.3 (go1.26.8 linux/amd64)". info is nil when there is none.
func versionLine(name string, info *debug.BuildInfo) string {
	version, revision, modified := "devel", "", ""
	if info != nil {
		if v := info.Main.Version; v != "" && v != "(devel)" {
			version = v
		}
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = " " + s.Value[:min(12, len(s.Value))]
			case s.Key == "vcs.modified" && s.Value == "true":
				modified = "+dirty"
			}
		}
	}
	if version == "devel" && revision != "" {
		version += revision + modified
	}
	return fmt.Sprintf("%s version %s (%s %s/%s)", name, version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
