//go:build unix

package commands

import (
	"os/exec"
	"syscall"
)

// ownGroup lets the end of a shell command reach what the shell has started, too.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}
