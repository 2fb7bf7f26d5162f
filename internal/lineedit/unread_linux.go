package lineedit

import "golang.org/x/sys/unix"

// unread is how many bytes wait to be read from a terminal.
func unread(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}
