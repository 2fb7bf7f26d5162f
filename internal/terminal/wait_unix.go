//go:build unix

package terminal

import "golang.org/x/sys/unix"

// Wait waits until one of two descriptors can be read or has hung up, and returns which
// of them can or has. After a number of milliseconds, -1 for no limit, it returns
// neither.
func Wait(one, two, milliseconds int) (first, second bool, err error) {
	fds := []unix.PollFd{{Fd: int32(one), Events: unix.POLLIN}, {Fd: int32(two), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, milliseconds); err != nil {
		return false, false, err
	}
	return fds[0].Revents != 0, fds[1].Revents != 0, nil
}
