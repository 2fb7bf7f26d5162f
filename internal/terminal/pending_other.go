//go:build !unix

package terminal

import "os"

// Pending cannot be known where there is no poll.
func Pending(*os.File) bool { return false }
