//go:build !unix

package process

import "context"

// WatchHangup does nothing where there is no poll: the next write finds out.
func WatchHangup(context.Context, int, func()) {}

// HungUp is for systems on which a window that is closed ends its programs.
func HungUp(int) bool { return false }
