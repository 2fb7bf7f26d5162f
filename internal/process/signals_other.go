//go:build !unix

package process

import (
	"os"
	"syscall"
)

// USR1 does nothing on systems without that signal.
func USR1() <-chan os.Signal { return nil }

// DeadWrites are the signals of failed writes.
func DeadWrites() []os.Signal { return []os.Signal{syscall.SIGPIPE} }
