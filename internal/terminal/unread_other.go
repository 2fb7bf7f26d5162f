//go:build unix && !linux

package terminal

import "os"

// Unread is of use on Linux only: other systems keep Ctrl-D as it was typed.
func Unread(*os.File) int { return 0 }
