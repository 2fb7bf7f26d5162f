//go:build unix

package process

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup gives cmd a process group of its own, whose number is that of its process.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// send signals cmd and, unless it shares hark's group, all that it has started.
func send(cmd *exec.Cmd, shared bool, sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok || shared {
		return cmd.Process.Signal(sig)
	}
	if err := syscall.Kill(-cmd.Process.Pid, s); err != syscall.ESRCH {
		return err
	}
	return os.ErrProcessDone
}

// kill is send with a signal that nobody can refuse.
func kill(cmd *exec.Cmd, shared bool) error { return send(cmd, shared, syscall.SIGKILL) }
