//go:build !unix && !windows

package lineedit

// HideInput does nothing where there are no terminals.
func HideInput(int) error { return nil }
