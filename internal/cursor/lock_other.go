//go:build !unix && !windows

package cursor

import "os"

// tryLock always succeeds: processes are not synchronized on this system.
func tryLock(path string) (f *os.File, ok bool, err error) {
	f, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	return f, err == nil, err
}
