//go:build unix

package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// Pending reports whether a pipe, a socket or a file has data that can be read now. It
// does not read.
func Pending(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		at, err := f.Seek(0, 1)
		return err == nil && at < info.Size()
	case mode&(os.ModeNamedPipe|os.ModeSocket) == 0:
		return false // a terminal, or /dev/null
	}
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLIN != 0
}
