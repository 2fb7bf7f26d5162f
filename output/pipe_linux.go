package output

import (
	"os"
	"strconv"
	"syscall"
)

// A pipeLock is an advisory lock of a pipe (flock). It belongs to the open file, which
// processes of one pipeline have from their shell and share; each therefore opens the
// pipe anew, through /proc.
type pipeLock struct{ f *os.File }

// newPipeLock returns nil where there is no /proc, or the pipe is that of another user.
func newPipeLock(f *os.File) *pipeLock {
	// For writing, because as a reader we would keep it open; without waiting for a
	// reader, who may be gone.
	name := "/proc/self/fd/" + strconv.Itoa(int(f.Fd()))
	own, err := os.OpenFile(name, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	return &pipeLock{own}
}

// lock waits for the lock.
func (l *pipeLock) lock() error {
	for {
		if err := syscall.Flock(int(l.f.Fd()), syscall.LOCK_EX); err != syscall.EINTR {
			return err
		}
	}
}

// try is lock without waiting: an error when another has the lock.
func (l *pipeLock) try() error { return syscall.Flock(int(l.f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// close ends what was opened, and with it the lock.
func (l *pipeLock) close() { l.f.Close() }

// unlock gives the lock back. It cannot fail while the file is open.
func (l *pipeLock) unlock() { _ = syscall.Flock(int(l.f.Fd()), syscall.LOCK_UN) }

// Operations of fcntl(2) that package syscall does not name.
const (
	setPipeSize = 1031 // F_SETPIPE_SZ
	getPipeSize = 1032 // F_GETPIPE_SZ
)

// growPipe makes the pipe f hold at least size bytes, if the system allows that: there
// is a limit for the pipes of a user. It never makes a pipe smaller.
func growPipe(f *os.File, size int) {
	has, _, err := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), getPipeSize, 0)
	if err == 0 && int(has) < size {
		_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), setPipeSize, uintptr(size))
	}
}
