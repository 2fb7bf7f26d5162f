// Package process runs the commands that hark starts, so that they end with hark and
// leave nothing behind. It is a leaf: standard library only.
package process

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Options say how a command ends when its context does.
type Options struct {
	// Shared leaves the command in hark's own process group, which it needs to use a
	// terminal. Where it is not Linux, what it has started may outlive it then.
	Shared bool
	// Signal is what the command, and all that it has started, get first; nil for TERM.
	// When it returns nil, they are not sent any.
	Signal func() os.Signal
	// Grace is how long they have until they are killed.
	Grace time.Duration
	// Rescue, if not nil, is given a function that kills them, for a program that ends
	// at once; done is called when that is over.
	Rescue func(kill func()) (done func())
	// Drain is how long output may come in a pipe from what has outlived the command.
	Drain time.Duration
}

// Shell returns the command that runs a line of the user's shell language.
func Shell(ctx context.Context, line string) *exec.Cmd {
	if runtime.GOOS == "windows" {
		return exec.CommandContext(ctx, "cmd", "/c", line)
	}
	return exec.CommandContext(ctx, "sh", "-c", line)
}

// Run runs cmd, which was made with ctx, and returns as exec.Cmd.Run does, except that
// output in a pipe that has outlived the command is no error. When ctx ends, the command
// and all that it has started get the signal, and what is left of them after Grace, or
// when the command itself has ended, is killed.
func Run(ctx context.Context, cmd *exec.Cmd, o Options) error {
	if !o.Shared {
		ownGroup(cmd)
	}
	var all *tree // of a command in hark's group
	started, over := make(chan struct{}), make(chan struct{})
	cmd.Cancel = func() error {
		<-started
		var sig os.Signal = syscall.SIGTERM
		if o.Signal != nil {
			sig = o.Signal()
		}
		if o.Grace <= 0 || sig == os.Kill {
			return kill(cmd, o.Shared, all)
		}
		go func() {
			t := time.NewTimer(o.Grace)
			defer t.Stop()
			select {
			case <-over:
			case <-t.C:
				_ = kill(cmd, o.Shared, all)
			}
		}()
		if sig == nil {
			return nil
		}
		return send(cmd, o.Shared, all, sig)
	}
	// It begins when ctx ends, too.
	cmd.WaitDelay = o.Grace + max(o.Drain, time.Second)
	if o.Drain > 0 && o.Grace <= 0 {
		cmd.WaitDelay = o.Drain
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if o.Shared {
		all = newTree(cmd.Process.Pid)
	}
	if o.Rescue != nil {
		defer o.Rescue(func() { _ = kill(cmd, o.Shared, all) })()
	}
	close(started)
	err := cmd.Wait()
	close(over)
	if ctx.Err() != nil {
		_ = kill(cmd, o.Shared, all) // what has outlived the command
	}
	if err == exec.ErrWaitDelay {
		err = nil
	}
	return err
}

// OnTerminal reports whether there is a terminal that a command could ask the user
// something on.
func OnTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	f.Close()
	return true
}
