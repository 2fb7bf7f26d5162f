//go:build !unix && !windows

package terminal

import "os"

// HideInput does nothing on systems without terminals.
func HideInput(*os.File) error { return nil }
