//go:build unix

package commands

import (
	"bytes"
	"fmt"
	"os"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/lineedit"
	"github.com/hark-cli/hark/internal/secret"
)

// crashHark is hark with bugs. With $CRASH it panics when it prints, with that text. At
// the prompt, the line "crash" panics in the goroutine that reads lines, and completing
// it in the editor's.
func crashHark(args []string) int {
	env := program.System()
	if how := os.Getenv("CRASH"); how != "" {
		env.Stdout = crasher{how}
	}
	if open := env.Editor; open != nil {
		env.Editor = func(c lineedit.Config) (lineedit.Editor, error) {
			complete := c.Complete
			c.Complete = func(line []rune, pos int) (int, []string) {
				if string(line) == "crash" {
					panic("asked for in completion")
				}
				return complete(line, pos)
			}
			ed, err := open(c)
			return crashingEditor{ed}, err
		}
	}
	return Main(args, env)
}

type crashingEditor struct{ lineedit.Editor }

func (e crashingEditor) Line() (string, error) {
	text, err := e.Editor.Line()
	if text == "crash" {
		panic("asked for by a line")
	}
	return text, err
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
