//go:build unix

package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// HideInput sets a terminal to line mode without echo, until it is set to another mode.
// It must be called before a question is printed, because an immediate answer would be
// echoed otherwise.
func HideInput(f *os.File) error {
	fd := int(f.Fd())
	state, err := unix.IoctlGetTermios(fd, ioctlGetTermios)
	if err != nil {
		return err
	}
	state.Lflag &^= unix.ECHO
	state.Lflag |= unix.ICANON | unix.ISIG
	state.Iflag |= unix.ICRNL
	return unix.IoctlSetTermios(fd, ioctlSetTermios, state)
}
