package process

import (
	"context"
	"fmt"
	"os"
	"syscall"
)

// A SignalError says which signal ended the program.
type SignalError struct{ Signal os.Signal }

func (e *SignalError) Error() string { return fmt.Sprintf("ended by signal %v", e.Signal) }

// SignalExit is the exit code to which the number of a signal is added.
const SignalExit = 128

// ExitCode is 128 and the number of the signal, as shells have it.
func (e *SignalError) ExitCode() int {
	if n, ok := e.Signal.(syscall.Signal); ok {
		return SignalExit + int(n)
	}
	return 1
}

// Obey turns signals into the end of ctx, with a *SignalError as its cause, at
// the first and into the closing of kill at the second. stop ends the goroutine.
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
