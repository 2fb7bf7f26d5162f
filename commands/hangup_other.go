//go:build !unix

package commands

import "context"

// watchHangup does nothing where there is no poll: the next write finds out.
func watchHangup(context.Context, int, func()) {}
