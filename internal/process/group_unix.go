//go:build unix

package process

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup puts cmd into its own process group, whose number is that of its process.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// send signals cmd and all its descendants: its group, or, if it shares hark's group,
// the processes in all, which is nil if they are unknown.
func send(cmd *exec.Cmd, shared bool, all *tree, sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	switch {
	case ok && all != nil:
		all.signal(s)
		return nil
	case !ok || shared:
		return cmd.Process.Signal(sig)
	}
	if err := syscall.Kill(-cmd.Process.Pid, s); err != syscall.ESRCH {
		return err
	}
	return os.ErrProcessDone
}

// kill is send with SIGKILL.
func kill(cmd *exec.Cmd, shared bool, all *tree) error {
	if all != nil {
		all.kill()
		return nil
	}
	return send(cmd, shared, nil, syscall.SIGKILL)
}
