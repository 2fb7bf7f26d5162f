//go:build unix

package terminal

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

// WatchHangup calls gone when the reader of a pipe or socket has closed it, which a
// program that does not write would not notice. It returns then, or when ctx is done.
func WatchHangup(ctx context.Context, f *os.File, gone func()) {
	r, w, err := os.Pipe()
	if err != nil {
		return // then the next write fails
	}
	defer r.Close()
	stop := context.AfterFunc(ctx, func() { w.Close() })
	defer func() {
		if stop() {
			w.Close()
		}
	}()
	// No event is requested: POLLERR and POLLHUP are always reported.
	fds := []unix.PollFd{{Fd: int32(f.Fd())}, {Fd: int32(r.Fd()), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		switch {
		case err == unix.EINTR:
		case err != nil || fds[1].Revents != 0 || ctx.Err() != nil:
			return
		case fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0:
			gone()
			return
		default:
			return // POLLNVAL, or a system that reports something else
		}
	}
}

// HungUp reports whether a terminal has hung up.
func HungUp(f *os.File) bool {
	fds := []unix.PollFd{{Fd: int32(f.Fd())}}
	for {
		_, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return err == nil && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
		}
	}
}
