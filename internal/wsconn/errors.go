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

// rescue stores a panic of the calling goroutine in err. It must be deferred.
func rescue(err *error) {
	if r := recover(); r != nil {
		*err = &PanicError{Value: r, Stack: debug.Stack()}
	}
}
