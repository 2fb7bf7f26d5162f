//go:build !unix

package commands

import "os/exec"

// signalled is for systems where no signal ends a command.
func signalled(*exec.ExitError) int { return exitInternal }
