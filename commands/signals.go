package commands

import (
	"context"
	"fmt"
	"os"
	"syscall"
)

// A signalError says which signal ended the program.
type signalError struct{ signal os.Signal }

func (e *signalError) Error() string { return fmt.Sprintf("ended by signal %v", e.signal) }

// signalExit is the exit code to which the number of a signal is added.
const signalExit = 128

// exitCode is 128 and the number of the signal, as shells have it.
func (e *signalError) exitCode() int {
	if n, ok := e.signal.(syscall.Signal); ok {
		return signalExit + int(n)
	}
	return exitInternal
}

// obey turns signals into the end of ctx, with a *signalError as its cause, at
// the first and into the closing of kill at the second. stop ends the goroutine.
func obey(parent context.Context, signals <-chan os.Signal) (ctx context.Context, kill <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	killed := make(chan struct{})
	done := make(chan struct{})
	go func() {
		select {
		case s := <-signals:
			cancel(&signalError{s})
		case <-done:
			return
		}
		select {
		case <-signals:
			close(killed)
		case <-done:
		}
	}()
	return ctx, killed, func() { close(done); cancel(nil) }
}
