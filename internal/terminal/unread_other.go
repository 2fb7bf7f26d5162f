//go:build unix && !linux

package terminal

import "os"

// Unread returns 0: it is only needed on Linux.
func Unread(*os.File) int { return 0 }
