//go:build !unix

package process

import "os/exec"

// Signalled is for systems where no signal ends a command.
func Signalled(*exec.ExitError) int { return 1 }
