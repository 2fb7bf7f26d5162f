//go:build !unix

package commands

import "context"

// watchHangup does nothing where there is no poll: the next write finds out.
func watchHangup(context.Context, int, func()) {}

// hungUp is for systems on which a window that is closed ends its programs.
func hungUp(int) bool { return false }
