//go:build unix

package commands

import (
	"bytes"
	"fmt"
	"os"

	"github.com/hark-cli/hark/internal/secret"
)

// crashHark is hark with a mistake: it panics when it prints, with what $CRASH says.
func crashHark(args []string) int {
	env := System()
	env.Stdout = crasher{os.Getenv("CRASH")}
	return Main(args, env)
}

// A crasher is a stdout that panics.
type crasher struct{ how string }

// Write implements io.Writer.
func (c crasher) Write(b []byte) (int, error) {
	held := secret.Value(os.Getenv("SECRET"))
	switch c.how {
	case "value":
		panic(held)
	case "error":
		panic(fmt.Errorf("what it held was %v, %+q", held, []secret.Value{held}))
	case "text": // of which the printer must take it out
		panic("what it held was " + held.Reveal())
	}
	return int(b[bytes.IndexByte(b, 0xff)]), nil // index out of range
}
