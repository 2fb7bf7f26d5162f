//go:build !unix

package terminal

import (
	"context"
	"os"
)

// WatchHangup does nothing on systems without poll: the next write fails.
func WatchHangup(context.Context, *os.File, func()) {}

// HungUp returns false: closing the window ends the program.
func HungUp(*os.File) bool { return false }
