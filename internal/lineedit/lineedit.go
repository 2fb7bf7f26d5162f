// Package lineedit reads lines from a person at a terminal, and prints above the
// line that they are typing without damaging it.
//
// It uses github.com/chzyer/readline for what it is good at, keys and the editing
// of a buffer, and does the rest itself, because of what that library does wrong
// from outside its own loop: it draws wrapped lines and wide characters in the
// wrong place, shares its buffer between goroutines, writes its history for all to
// read, and submits each line of a paste. So here
//
//   - everything, drawing and the printing of others included, happens in the
//     library's own loop; a pump of ours feeds it the keys, and a rune of ours
//     wakes it up when there is something else to do;
//
//   - the library is told that there is no terminal, so that it draws nothing;
//
//   - a paste in brackets is one insertion, with its line ends folded to spaces.
//
//     terminal ─▶ pump ─▶ readline's loop ─▶ filter, listener: editor ─▶ screen
//     ▲ wake                  │
//     Print, resize, resume ──┘                       └─▶ Line
package lineedit

import (
	"errors"
	"os"
)

// ErrInterrupt is returned for Ctrl-C.
var ErrInterrupt = errors.New("interrupted")

// An Editor reads lines. Its methods may be called from several goroutines; Line
// from one at a time.
type Editor interface {
	// Line returns the next line, without its end. io.EOF says that there will be
	// none any more: Ctrl-D on an empty line, a terminal that is gone, or Close.
	// With ErrInterrupt it returns the text that was thrown away.
	Line() (string, error)
	// Print writes text above the line that is being typed. A line end is added when
	// there is none. It blocks while much waits to be written.
	Print(text []byte)
	// Post is Print for those who must not block.
	Post(text []byte)
	// SetPrompt changes what stands before the line; it may have color.
	SetPrompt(prompt string)
	// Remember adds a line to the history of this session.
	Remember(line string)
	// Lend gives the terminal to f, in the modes in which it was found.
	Lend(f func() error) error
	// Close gives the terminal back for good. What was printed before is on it then.
	Close() error
}

// A Config says how a line is edited. In and Out are required and are a terminal.
type Config struct {
	In, Out *os.File
	Prompt  string
	// History has the lines of earlier sessions, the oldest first.
	History []string
	// Complete returns the words that may stand at the cursor, and where in the line
	// the word begins that they replace, both in runes. nil completes nothing.
	Complete func(line []rune, pos int) (start int, words []string)
}
