//go:build !unix

package process

import (
	"os"
	"syscall"
)

// USR1 is for systems without a signal for that.
func USR1() <-chan os.Signal { return nil }

// DeadWrites are the signals of a write that failed.
func DeadWrites() []os.Signal { return []os.Signal{syscall.SIGPIPE} }
