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

// An Env is the environment of the program, which tests can replace. All fields but
// Editor, Quit and HungUp are required.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// LookupEnv looks up an environment variable, like os.LookupEnv; Environ lists all
	// of them.
	LookupEnv func(name string) (string, bool)
	Environ   func() []string
	// Signals delivers the signals that end the program: the first one gracefully, the
	// second one at once.
	Signals <-chan os.Signal
	// Quit delivers the signal that ends the program at once and prints stacks.
	Quit <-chan os.Signal
	// Questions delivers a signal to print the counters.
	Questions <-chan os.Signal
	// StderrTerminal: stderr is a terminal.
	StderrTerminal bool
	// Screen returns the size of the terminal of stdout, in columns and rows; 0, 0 if
	// it is not one.
	Screen func() (columns, rows int)
	// StdoutTerminal: stdout is a terminal.
	StdoutTerminal bool
	// Editor opens the line editor on the terminal of stdin and stdout; nil if they are
	// not one, or it does not support line editing. It sets In and Out.
	Editor func(lineedit.Config) (lineedit.Editor, error)
	// StdinTerminal: stdin is a terminal.
	StdinTerminal bool
	// PlainTerminal: stdin and stdout are a terminal without support for the line
	// editor.
	PlainTerminal bool
	// Pending reports whether stdin is a pipe or a file with unread data, without
	// reading it. nil: unknown.
	Pending func() bool
	// Hangup calls gone, once, when the reader of stdout has closed it, until ctx is
	// done.
	Hangup func(ctx context.Context, gone func())
	// HungUp reports whether the terminal of stdout has hung up; it may be nil.
	HungUp func() bool
}

// System returns the Env of the process.
func System() Env {
	// net/http logs unsolicited responses of servers, which do not belong on stderr.
	log.SetOutput(io.Discard)
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		// nohup, and shells for background jobs, make the program ignore one of them,
		// which must stay ignored.
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	quit := make(chan os.Signal, 1)
	if !signal.Ignored(syscall.SIGQUIT) {
		signal.Notify(quit, syscall.SIGQUIT)
	}
	// A write to a closed pipe, or beyond a limit of the file size, must return an
	// error instead of ending the process. The signals are caught rather than ignored,
	// because started commands would inherit ignored signals.
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

// systemStdout is the stdout of the process. A pipe may be shared by several processes,
// whose lines must not be interleaved, and its reader may close it.
func systemStdout() io.Writer {
	if info, err := os.Stdout.Stat(); err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0 {
		return output.NewPipe(os.Stdout)
	}
	return os.Stdout
}

// Inherited returns w for a command: the pipe itself, without hark's wrapper.
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
