//go:build !unix

package commands

import "os"

// pending cannot be known where there is no poll.
func pending(*os.File) bool { return false }
