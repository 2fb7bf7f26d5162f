//go:build !unix

package terminal

import (
	"context"
	"os"
)

// WatchHangup does nothing where there is no poll: the next write finds out.
func WatchHangup(context.Context, *os.File, func()) {}

// HungUp is for systems on which a window that is closed ends its programs.
func HungUp(*os.File) bool { return false }
