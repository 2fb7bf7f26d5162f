//go:build !unix

package terminal

import "os"

// Pending returns false on systems without poll.
func Pending(*os.File) bool { return false }
