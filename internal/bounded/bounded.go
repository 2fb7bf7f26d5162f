// Package bounded reads what a user has named, however large it is and however long it
// takes: /dev/zero, a FIFO that nobody writes to, a daemon that hangs. It is a leaf:
// standard library only.
package bounded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Patience is how long a Call or a File may take.
const Patience = 30 * time.Second

// Limits of files, in bytes.
const (
	Secret       = 64 << 10
	Headers      = 1 << 20
	Certificates = 16 << 20
	Config       = 1 << 20
)

// A TimeoutError is a call that took longer than Patience.
type TimeoutError struct{ What string }

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s gave no answer within %s", e.What, Patience)
}

// A TooLargeError is a source that gave more than a limit.
type TooLargeError struct {
	What  string
	Limit int // bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s is too large: more than %d KiB", e.What, e.Limit>>10)
}

// Call returns what f, which nothing can interrupt, returns; the cause of ctx when that
// ends before, and a *TimeoutError for what after Patience. f goes on then, in a
// goroutine of its own, and its result is dropped.
func Call[T any](ctx context.Context, what string, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	patience := time.NewTimer(Patience)
	defer patience.Stop()
	var none T
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	case <-patience.C:
		return none, &TimeoutError{what}
	}
}

// File returns the content of a file of at most limit bytes; a larger one is a
// *TooLargeError.
func File(ctx context.Context, path string, limit int) ([]byte, error) {
	return Call(ctx, path, func() ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
		if err == nil && len(b) > limit {
			err = &TooLargeError{path, limit}
		}
		return b, err
	})
}

// A Buffer keeps what is written to it, up to Limit bytes.
type Buffer struct {
	Limit int
	b     []byte
	full  bool
}

// ErrFull is what a write that would exceed the limit of a Buffer returns.
var ErrFull = errors.New("too much data")

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	if len(b.b)+len(p) > b.Limit {
		b.full = true
		return 0, ErrFull
	}
	b.b = append(b.b, p...)
	return len(p), nil
}

// Full reports whether there was more than the limit.
func (b *Buffer) Full() bool { return b.full }

// String returns what was written.
func (b *Buffer) String() string { return string(b.b) }
