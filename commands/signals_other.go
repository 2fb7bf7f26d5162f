//go:build !unix

package commands

import (
	"os"
	"syscall"
)

// usr1 is for systems without a signal for that.
func usr1() <-chan os.Signal { return nil }

// deadWrites are the signals of a write that failed.
func deadWrites() []os.Signal { return []os.Signal{syscall.SIGPIPE} }
