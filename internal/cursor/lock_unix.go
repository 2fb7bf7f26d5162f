//go:build unix

package cursor

import (
	"errors"
	"os"
	"syscall"
)

// tryLock acquires the lock of a file, which is released with the file or the process. ok
// is false if another process has it.
func tryLock(path string) (f *os.File, ok bool, err error) {
	if f, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, false, err
	}
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
		case err == nil:
			return f, true, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return nil, false, f.Close()
		default:
			return nil, false, errors.Join(&os.PathError{Op: "lock", Path: path, Err: err}, f.Close())
		}
	}
}
