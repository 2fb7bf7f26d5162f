package wsconn

import (
	"fmt"
	"runtime/debug"
)

// A PanicError is a panic of a goroutine of the connection.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// rescue puts a panic of the calling goroutine into err. It is for defer.
func rescue(err *error) {
	if r := recover(); r != nil {
		*err = &PanicError{Value: r, Stack: debug.Stack()}
	}
}
