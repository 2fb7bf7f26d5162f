//go:build unix

package commands

import (
	"os"
	"os/signal"
	"syscall"
)

// usr1 delivers USR1.
func usr1() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	return c
}

// deadWrites are the signals of a write that failed.
func deadWrites() []os.Signal { return []os.Signal{syscall.SIGPIPE, syscall.SIGXFSZ} }
