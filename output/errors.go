package output

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"syscall"
)

// Ended says that the stream ended as it was asked to.
type Ended struct {
	// Condition is what came true: "count", "until", "expect" (all of them), or
	// "halt" (an expression called halt).
	Condition string
}

func (e Ended) Error() string { return "ended by " + e.Condition }

// ErrStdoutClosed says that stdout is no longer read: | head -1. It wraps
// syscall.EPIPE. It is not a failure: there is no reader left.
var ErrStdoutClosed = fmt.Errorf("stdout is closed: %w", syscall.EPIPE)

// A WriteError says that output could not be written: a full disk.
type WriteError struct{ Err error }

func (e *WriteError) Error() string { return "writing to stdout: " + e.Err.Error() }

func (e *WriteError) Unwrap() error { return e.Err }

// A FilterError says that an expression failed on one event.
type FilterError struct {
	Flag  string // of the expression: "--jq"
	Event uint64 // the number of the event in this run, from 1
	Err   error
}

func (e *FilterError) Error() string {
	return fmt.Sprintf("%s: event %d: %s", e.Flag, e.Event, e.Err)
}

func (e *FilterError) Unwrap() error { return e.Err }

// WriteFailure returns the error for one that a write returned, if it is not that already.
func WriteFailure(err error) error {
	if isWriteError(err) {
		return err
	}
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		return ErrStdoutClosed
	}
	if runtime.GOOS == "windows" {
		const brokenPipe, noData = syscall.Errno(109), syscall.Errno(232) // ERROR_BROKEN_PIPE, ERROR_NO_DATA
		if errors.Is(err, brokenPipe) || errors.Is(err, noData) {
			return ErrStdoutClosed
		}
	}
	return &WriteError{err}
}
