//go:build !unix

package process

import "os/exec"

// Signalled returns 0 on systems without signals.
func Signalled(*exec.ExitError) int { return 1 }
