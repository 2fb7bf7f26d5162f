//go:build !unix

package process

// OnSuspend does nothing on systems without job control.
func OnSuspend(before, after func()) (stop func()) { return func() {} }
