package cmdline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// An App is the command line: a tree of commands, with their environment.
type App struct {
	config Config
	root   *Command
}

// A Config is what New needs. Root, Stdout, Stderr and LookupEnv are required.
type Config struct {
	// Root has the name of the program, its commands and its global flags. The caller
	// must not use it after New.
	Root *Command
	// Before, if not nil, is called with each command line that is run.
	Before func(*Line)
	// Topics are the topics of "help TOPIC".
	Topics []Topic
	// Settings, if not nil, adds the settings of the configuration file to a command
	// line.
	Settings func(context.Context, *Line) error
	// Version is the line that --version prints.
	Version string
	// Stdout gets requested help, and the version. Stderr gets help that was not
	// requested.
	Stdout, Stderr io.Writer
	// LookupEnv looks up an environment variable, like os.LookupEnv.
	LookupEnv func(name string) (value string, ok bool)
	// Width of help texts in columns; 0 means 80.
	Width int
	// Page shows a requested help text; nil writes it to Stdout.
	Page func(text string) error
	// Rare reports whether the short help omits the explanation of a flag; nil: it
	// explains all.
	Rare func(*Flag) bool
	// Heading returns the group under which the short help lists a flag; nil: the
	// flag's own group.
	Heading func(*Flag) string
	// Foreign returns what to use with a command instead of a flag of another program,
	// "" if unknown; it may be nil.
	Foreign func(c *Command, name string) string
}

// New returns the command line of c. It adds the command help and the flags --help
// (-h), --help-all and --version.
func New(c Config) *App {
	a := &App{config: c, root: c.Root}
	own := c.Root.Commands
	c.Root.Commands = func() []*Command {
		var commands []*Command
		if own != nil {
			commands = own()
		}
		return append(commands, Grouped("About hark", a.helpCommand())...)
	}
	var answered bool // these flags are never set
	c.Root.Flags = append(c.Root.Flags,
		&Flag{Name: "help", Aliases: []string{"h"}, Usage: "show this help", Value: Bool(&answered), builtin: true},
		&Flag{Name: "help-all", Usage: "show this help with all flags", Value: Bool(&answered), builtin: true},
		&Flag{Name: "version", Usage: "show the version", Value: Bool(&answered), builtin: true})
	c.Root.adopt(nil)
	c.Root.config = &a.config
	return a
}

// Root returns the tree of commands.
func (a *App) Root() *Command { return a.root }

// Topics returns the topics of the Config.
func (a *App) Topics() []Topic { return a.config.Topics }

func (a *App) helpCommand() *Command {
	var asJSON bool
	return &Command{
		Name:     "help",
		Usage:    "explain a command or a topic",
		Examples: a.root.Name + " help",
		Args:     "[COMMAND…|TOPIC]",
		Flags: []*Flag{
			{Name: "json", Usage: "print all commands and flags as JSON, for programs", Value: Bool(&asJSON)},
		},
		Complete: a.completeHelp,
		Run: func(_ context.Context, line *Line) error {
			if asJSON {
				return a.writeJSON()
			}
			return a.helpFor(line.Args())
		},
	}
}

// Run runs the command line argv, without the name of the program. The error is that of
// the command's Run, or a *UsageError for an invalid line. Run itself writes only
// requested help to Stdout.
func (a *App) Run(ctx context.Context, argv []string) error {
	if len(argv) > 0 && argv[0] == completeCommand {
		return a.complete(ctx, a.config.Stdout, argv[1:])
	}
	line, err := a.root.Parse(argv)
	if err != nil {
		return err
	}
	switch {
	case line.asksHelp():
		return a.show(a.helpText(line.Command, line.asks("help-all")))
	case line.asks("version"):
		_, err := fmt.Fprintln(a.config.Stdout, a.config.Version)
		return err
	case line.Command.IsGroup():
		if _, err := io.WriteString(a.config.Stderr, a.helpText(line.Command, false)); err != nil {
			return err
		}
		return &UsageError{Message: "missing command after '" + line.Command.path + "'", Command: line.Command.path, Shown: true}
	}
	line.AddEnvironment(a.config.LookupEnv)
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
	err = a.runLibrary(context.WithValue(ctx, lineKey{}, line), line)
	if usage, ok := errors.AsType[*UsageError](err); ok && usage.Command == "" {
		usage.Command = line.Command.path
	}
	return err
}

// VersionLine returns the output of --version, from the build information in the
// binary: "hark version v1.2.3 (go1.26.8 linux/amd64)". info may be nil.
func VersionLine(name string, info *debug.BuildInfo) string {
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
