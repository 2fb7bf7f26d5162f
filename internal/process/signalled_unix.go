//go:build unix

package process

import (
	"os/exec"
	"syscall"
)

// Signalled is the exit code of a command that a signal has ended, as shells have
// it.
func Signalled(e *exec.ExitError) int {
	if s, ok := e.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal())
	}
	return 1
}
