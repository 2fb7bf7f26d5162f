//go:build unix

package process

import (
	"os"
	"os/signal"
	"syscall"
)

// OnSuspend calls before when the user suspends the program (Ctrl-Z), suspends it, and
// calls after when it continues. stop ends that.
func OnSuspend(before, after func()) (stop func()) {
	if signal.Ignored(syscall.SIGTSTP) { // by a shell without job control
		return func() {}
	}
	suspend, over := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(suspend, syscall.SIGTSTP)
	go func() {
		for {
			select {
			case <-suspend:
			case <-over:
				return
			}
			before()
			resumed := make(chan os.Signal, 1)
			signal.Notify(resumed, syscall.SIGCONT)
			// SIGTSTP is caught; the shell sees the same from SIGSTOP.
			if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err == nil {
				<-resumed
			}
			signal.Stop(resumed)
			after()
		}
	}()
	return func() {
		signal.Stop(suspend)
		close(over)
	}
}
