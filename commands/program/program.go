// Package program contains the state of one run of hark: its environment, stderr,
// signals, and credentials. It is the only package that imports isatty.
package program

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/process"
)

// A Program is one run of hark.
type Program struct {
	Env
	Say *console.Printer
	// Queue is Env.Stderr for hark's own lines, so that a slow reader does not block
	// hark. Started commands get Env.Stderr itself.
	Queue *console.Queue
	// App is the tree of commands, for one that runs another.
	App  func(*Program) *cmdline.App
	Kill <-chan struct{} // closed by the second signal
	// Rescues restores the terminal and other state when the program exits at once.
	Rescues *process.Rescues
	// MaxTime is the value of --max-time, which also applies before the stream starts;
	// 0 for none.
	MaxTime time.Duration
	// quiet: print no warnings.
	quiet bool
	// Reference opens the value of a flag that is a reference to a credential; nil
	// means OpenReference.
	Reference func(flag, ref string) (get Getter, renewable bool, err error)
	// AddTo opens a file for appending; nil means os.OpenFile.
	AddTo func(path string) (io.Writer, error)
	// warnedFiles are the files with credentials for which a warning has been printed.
	warnedFiles sync.Map
}

// Version returns the version in the User-Agent header: "devel" or the module's
// version.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// FlushTimeout is how long the program waits at its end for a reader of stderr that
// does not read.
const FlushTimeout = 2 * time.Second

// Unwritten returns the message for dropped lines of a file.
func Unwritten(file string, lines int) string {
	if lines == 1 {
		return "1 line was not written to " + file + ", which was not read in time"
	}
	return fmt.Sprintf("%d lines were not written to %s, which was not read in time", lines, file)
}

type programKey struct{}

// Within returns a context with the program, for Of.
func (p *Program) Within(ctx context.Context) context.Context {
	return context.WithValue(ctx, programKey{}, p)
}

// Of returns the program of a context.
func Of(ctx context.Context) *Program {
	p, _ := ctx.Value(programKey{}).(*Program)
	return p
}
