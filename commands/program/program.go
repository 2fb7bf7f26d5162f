// Package program is one run of hark: its environment, what it says on stderr, its
// signals, and what commands of every kind do with them. It is the only home of isatty.
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
	// Queue is Env.Stderr for lines of our own: anyone who writes them must not be held
	// up by its reader. Commands that are started get Env.Stderr itself.
	Queue *console.Queue
	// App is the tree of commands, for one that runs another.
	App  func(*Program) *cmdline.App
	Kill <-chan struct{} // closed by the second signal
	// Rescues give back what is ours when nothing else can.
	Rescues *process.Rescues
	// MaxTime is that of --max-time, which counts before there is a stream, too; 0 is none.
	MaxTime time.Duration
	// quiet: warnings are not wanted.
	quiet bool
	// Reference opens the value of a flag that is a reference to a credential; nil is
	// OpenReference.
	Reference func(flag, ref string) (get Getter, renewable bool, err error)
	// AddTo opens a file to add to it; nil is as os.OpenFile does.
	AddTo func(path string) (io.Writer, error)
	// warnedFiles are files with credentials that others can read.
	warnedFiles sync.Map
}

// Version is how hark names itself to servers: "devel" or the module's version.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// FlushTimeout is how long the end of the program waits for a reader of stderr that
// takes nothing.
const FlushTimeout = 2 * time.Second

// Unwritten says that lines of a file were dropped.
func Unwritten(file string, lines int) string {
	if lines == 1 {
		return "1 line was not written to " + file + ", which was not read in time"
	}
	return fmt.Sprintf("%d lines were not written to %s, which was not read in time", lines, file)
}

type programKey struct{}

// Within is a context in which Of finds the program.
func (p *Program) Within(ctx context.Context) context.Context {
	return context.WithValue(ctx, programKey{}, p)
}

// Of is the program that runs an Action, from its context.
func Of(ctx context.Context) *Program {
	p, _ := ctx.Value(programKey{}).(*Program)
	return p
}
