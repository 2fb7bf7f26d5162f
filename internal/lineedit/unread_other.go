//go:build unix && !linux

package lineedit

// unread is of use on Linux only: other systems keep Ctrl-D as it was typed.
func unread(int) int { return 0 }
