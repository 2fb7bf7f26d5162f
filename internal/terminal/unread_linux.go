package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// Unread returns how many bytes wait to be read from a terminal.
func Unread(f *os.File) int {
	n, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}
