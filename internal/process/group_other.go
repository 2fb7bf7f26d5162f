//go:build !unix

package process

import (
	"os"
	"os/exec"
)

func ownGroup(*exec.Cmd) {}

// send kills the process: there is no other signal.
func send(cmd *exec.Cmd, _ bool, _ *tree, _ os.Signal) error { return cmd.Process.Kill() }

func kill(cmd *exec.Cmd, _ bool, _ *tree) error { return cmd.Process.Kill() }
