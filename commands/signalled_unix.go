//go:build unix

package commands

import (
	"os/exec"
	"syscall"
)

// signalled is the exit code of a command that a signal has ended, as shells have
// it.
func signalled(e *exec.ExitError) int {
	if s, ok := e.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal())
	}
	return exitInternal
}
