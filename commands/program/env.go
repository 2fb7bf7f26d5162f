package program

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/hark-cli/hark/internal/lineedit"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/internal/terminal"
	"github.com/hark-cli/hark/output"
)

// An Env is the world of the program as it uses it, so that tests can make
// another one. All fields but Editor, Quit and HungUp are required.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// LookupEnv reads an environment variable, as os.LookupEnv does; Environ
	// lists all of them.
	LookupEnv func(name string) (string, bool)
	Environ   func() []string
	// Signals delivers what ends the program: the first politely, the second at
	// once.
	Signals <-chan os.Signal
	// Quit delivers the signal that ends the program at once and asks where it is.
	Quit <-chan os.Signal
	// Questions delivers a signal whenever someone wants to know how far the
	// program has come.
	Questions <-chan os.Signal
	// StderrTerminal: someone is watching.
	StderrTerminal bool
	// Screen is the size of the terminal that stdout is, in columns and rows; 0, 0
	// when it is none.
	Screen func() (columns, rows int)
	// StdoutTerminal: what is printed is for someone to read.
	StdoutTerminal bool
	// Editor takes over the terminal that stdin and stdout are; nil when they are none,
	// or one on which lines cannot be edited. In and Out are filled in.
	Editor func(lineedit.Config) (lineedit.Editor, error)
	// StdinTerminal: lines of stdin are typed by someone, not data of a program.
	StdinTerminal bool
	// PlainTerminal: stdin and stdout are a terminal on which lines cannot be edited by
	// us, only as the system does it.
	PlainTerminal bool
	// Pending reports whether stdin is a pipe or a file with data that nobody has read
	// yet; it reads nothing. nil: not known.
	Pending func() bool
	// Hangup calls gone, once, when nobody will ever read stdout again, until ctx
	// ends.
	Hangup func(ctx context.Context, gone func())
	// HungUp reports whether the terminal that stdout is has hung up; nil never does.
	HungUp func() bool
}

// System is the world of a process.
func System() Env {
	// net/http logs what servers send out of turn, which is not for stderr.
	log.SetOutput(io.Discard)
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		// nohup, and a shell that starts a job in the background, have the
		// program ignore one of them, and mean it.
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	quit := make(chan os.Signal, 1)
	if !signal.Ignored(syscall.SIGQUIT) {
		signal.Notify(quit, syscall.SIGQUIT)
	}
	// A write to a pipe that nobody reads, or beyond a limit of the system for the
	// size of a file, must come back as an error instead of
	// ending the process; unlike a signal that is ignored, one that is caught is
	// not ignored by the commands that we start.
	signal.Notify(make(chan os.Signal, 1), process.DeadWrites()...)
	editor := systemEditor()
	shown := terminal.Shows(os.Stdout)
	return Env{
		Stdin:          os.Stdin,
		Stdout:         systemStdout(),
		Stderr:         os.Stderr,
		LookupEnv:      os.LookupEnv,
		Environ:        os.Environ,
		Signals:        signals,
		Quit:           quit,
		Questions:      process.USR1(),
		StderrTerminal: terminal.Shows(os.Stderr),
		Screen:         func() (columns, rows int) { return terminal.Size(os.Stdout) },
		StdoutTerminal: shown,
		Editor:         editor,
		StdinTerminal:  terminal.Shows(os.Stdin),
		PlainTerminal:  editor == nil && terminal.Is(os.Stdin) && terminal.Is(os.Stdout),
		Pending:        func() bool { return terminal.Pending(os.Stdin) },
		Hangup: func(ctx context.Context, gone func()) {
			terminal.WatchHangup(ctx, os.Stdout, gone)
		},
		HungUp: func() bool { return shown && terminal.HungUp(os.Stdout) },
	}
}

// systemStdout is the stdout of the process. A pipe may be that of several processes,
// whose lines are to stay whole, and its reader may go away.
func systemStdout() io.Writer {
	if info, err := os.Stdout.Stat(); err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0 {
		return output.NewPipe(os.Stdout)
	}
	return os.Stdout
}

// Inherited is w as a command gets it that is started: a pipe itself, not what
// we do to write to it.
func Inherited(w io.Writer) io.Writer {
	if p, ok := w.(*output.Pipe); ok {
		return p.File()
	}
	return w
}

// systemEditor edits lines on the terminal of the process.
func systemEditor() func(lineedit.Config) (lineedit.Editor, error) {
	if !terminal.Is(os.Stdin) || !terminal.Is(os.Stdout) || os.Getenv("TERM") == "dumb" || runtime.GOOS == "windows" {
		return nil
	}
	return func(c lineedit.Config) (lineedit.Editor, error) {
		c.In, c.Out = os.Stdin, os.Stdout
		return lineedit.New(c)
	}
}
