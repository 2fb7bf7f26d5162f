//go:build unix

package process

import (
	"os"
	"os/signal"
	"syscall"
)

// USR1 delivers USR1.
func USR1() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	return c
}

// DeadWrites are the signals of failed writes.
func DeadWrites() []os.Signal { return []os.Signal{syscall.SIGPIPE, syscall.SIGXFSZ} }
