// Package bounded reads files and other sources named by a user with limits of size and
// time: /dev/zero, a FIFO without a writer, a daemon that hangs. It imports only the
// standard library.
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

// A TimeoutError reports a call that took longer than Patience.
type TimeoutError struct{ What string }

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s gave no answer within %s", e.What, Patience)
}

// A TooLargeError reports a source larger than its limit.
type TooLargeError struct {
	What  string
	Limit int // bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s is too large: more than %d KiB", e.What, e.Limit>>10)
}

// Call calls f, which cannot be interrupted, and returns its result; or the cause of
// ctx if that is done before, or a *TimeoutError for what after Patience. In these
// cases f continues in its own goroutine, and its result is dropped.
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

// Open opens a file for reading; a FIFO blocks until it has a writer. If ctx is done,
// Open and reads of the result return its cause.
func Open(ctx context.Context, path string) (io.ReadCloser, error) {
	type result struct {
		f   *os.File
		err error
	}
	done := make(chan result)
	go func() {
		f, err := os.Open(path)
		select {
		case done <- result{f, err}:
		case <-ctx.Done():
			f.Close()
		}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, r.err
		}
		if info, err := r.f.Stat(); err == nil && info.Mode().IsRegular() {
			return r.f, nil
		}
		return &interruptible{ctx: ctx, r: r.f}, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Reader returns a reader of r whose reads return the cause of ctx when that is done. A
// read of r may still be active then, and r is not closed.
func Reader(ctx context.Context, r io.Reader) io.ReadCloser {
	return &interruptible{ctx: ctx, r: io.NopCloser(r)}
}

// An interruptible reads into its own buffer, which an abandoned read may still fill.
type interruptible struct {
	ctx  context.Context
	r    io.ReadCloser
	b    []byte
	rest []byte // of b, read and not yet returned
	err  error  // of reading, after rest
}

// Read implements io.Reader.
func (i *interruptible) Read(p []byte) (int, error) {
	if len(i.rest) == 0 && i.err == nil {
		type result struct {
			b   []byte
			err error
		}
		if i.b == nil {
			i.b = make([]byte, 64<<10)
		}
		done := make(chan result, 1)
		go func(b []byte) {
			n, err := i.r.Read(b)
			done <- result{b[:n], err}
		}(i.b)
		select {
		case r := <-done:
			i.rest, i.err = r.b, r.err
		case <-i.ctx.Done():
			i.b, i.err = nil, context.Cause(i.ctx)
		}
	}
	n := copy(p, i.rest)
	i.rest = i.rest[n:]
	if len(i.rest) > 0 {
		return n, nil
	}
	return n, i.err
}

// Close implements io.Closer. It does not wait for a read.
func (i *interruptible) Close() error {
	go i.r.Close()
	return nil
}

// A Buffer stores what is written to it, up to Limit bytes.
type Buffer struct {
	Limit int
	b     []byte
	full  bool
}

// ErrFull is returned by a write that would exceed the limit of a Buffer.
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

// Full reports whether a write has exceeded the limit.
func (b *Buffer) Full() bool { return b.full }

// String returns what was written.
func (b *Buffer) String() string { return string(b.b) }
