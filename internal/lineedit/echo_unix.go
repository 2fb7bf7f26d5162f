//go:build unix

package lineedit

import "golang.org/x/sys/unix"

// HideInput makes the terminal fd give lines and not show what is typed, until it is
// restored with term.Restore. It must be called before a question is printed: whoever
// answers at once would see the answer otherwise.
func HideInput(fd int) error {
	state, err := unix.IoctlGetTermios(fd, ioctlGetTermios)
	if err != nil {
		return err
	}
	state.Lflag &^= unix.ECHO
	state.Lflag |= unix.ICANON | unix.ISIG
	state.Iflag |= unix.ICRNL
	return unix.IoctlSetTermios(fd, ioctlSetTermios, state)
}
