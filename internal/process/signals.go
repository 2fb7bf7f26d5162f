package process

import (
	"context"
	"fmt"
	"os"
	"syscall"
)

// A SignalError is the cause of an end by a signal.
type SignalError struct{ Signal os.Signal }

func (e *SignalError) Error() string { return fmt.Sprintf("ended by signal %v", e.Signal) }

// SignalExit is the exit code to which the number of a signal is added.
const SignalExit = 128

// ExitCode returns 128 plus the number of the signal, as in shells.
func (e *SignalError) ExitCode() int {
	if n, ok := e.Signal.(syscall.Signal); ok {
		return SignalExit + int(n)
	}
	return 1
}

// Obey cancels ctx, with a *SignalError as its cause, at the first signal, and closes
// kill at the second. stop ends the goroutine.
func Obey(parent context.Context, signals <-chan os.Signal) (ctx context.Context, kill <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	killed := make(chan struct{})
	done := make(chan struct{})
	go func() {
		select {
		case s := <-signals:
			cancel(&SignalError{s})
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
