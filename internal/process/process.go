// Package process runs the commands that hark starts, so that they and their
// descendants end with hark. It imports only the standard library.
package process

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Options configure how a command is ended when its context is done.
type Options struct {
	// Shared leaves the command in hark's own process group, which it needs to use a
	// terminal. Except on Linux, its descendants may then outlive it.
	Shared bool
	// Signal returns the signal that the command and all its descendants get first; nil
	// for TERM. If it returns nil, none is sent.
	Signal func() os.Signal
	// Grace is the time between the signal and SIGKILL.
	Grace time.Duration
	// Rescue, if not nil, is called with a function that kills them, for a program that
	// exits at once; done must be called when the command has ended.
	Rescue func(kill func()) (done func())
	// Drain is how long to read a pipe of output from descendants that have outlived
	// the command.
	Drain time.Duration
}

// Shell returns the command that runs a line of shell.
func Shell(ctx context.Context, line string) *exec.Cmd {
	if runtime.GOOS == "windows" {
		return exec.CommandContext(ctx, "cmd", "/c", line)
	}
	return exec.CommandContext(ctx, "sh", "-c", line)
}

// Run runs cmd, which was made with ctx, and returns as exec.Cmd.Run does, except that
// a pipe of output that has outlived the command is not an error. When ctx is done, the
// command and all its descendants get the signal; those left after Grace, or when the
// command itself has exited, are killed.
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
	// It begins when ctx is done, too.
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
		_ = kill(cmd, o.Shared, all) // descendants that have outlived the command
	}
	if err == exec.ErrWaitDelay {
		err = nil
	}
	return err
}

// OnTerminal reports whether there is a terminal on which a command could ask the user.
func OnTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	f.Close()
	return true
}
