//go:build !unix && !windows

package terminal

import "os"

// HideInput does nothing where there are no terminals.
func HideInput(*os.File) error { return nil }
