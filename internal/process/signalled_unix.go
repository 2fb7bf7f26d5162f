//go:build unix

package process

import (
	"os/exec"
	"syscall"
)

// Signalled returns the exit code of a command terminated by a signal, as in shells.
func Signalled(e *exec.ExitError) int {
	if s, ok := e.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal())
	}
	return 1
}
