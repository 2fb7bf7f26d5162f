// Package lineedit reads lines from a terminal with editing, and prints above the line
// being edited.
//
// It uses github.com/chzyer/readline for keys and the editing of a buffer, and does the
// rest itself, because that library draws wrapped lines and wide characters in the
// wrong place, shares its buffer between goroutines, writes its history readable by all
// users, and submits each line of a paste. So here
//
//   - everything, drawing and the printing of others included, happens in the
//     library's own loop; a pump of ours feeds it the keys, and a rune of ours
//     wakes it up when there is something else to do;
//
//   - the library gets no terminal, so that it draws nothing;
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
	// Line returns the next line, without its line ending. It returns io.EOF at the
	// end: Ctrl-D on an empty line, a terminal that has hung up, or Close. With
	// ErrInterrupt it returns the discarded text.
	Line() (string, error)
	// Print writes text above the line being edited, with a line ending. It blocks
	// while much text waits to be written.
	Print(text []byte)
	// Post is Print without blocking.
	Post(text []byte)
	// SetPrompt changes the prompt, which may have color.
	SetPrompt(prompt string)
	// Remember adds a line to the history of this session.
	Remember(line string)
	// Lend calls f with the terminal in its original modes.
	Lend(f func() error) error
	// Close writes all printed text and restores the terminal.
	Close() error
}

// A Config configures an Editor. In and Out are required and must be a terminal.
type Config struct {
	In, Out *os.File
	Prompt  string
	// History has the lines of earlier sessions, the oldest first.
	History []string
	// Complete, if not nil, returns the candidates for the word at the cursor, and
	// where that word begins in the line, both in runes.
	Complete func(line []rune, pos int) (start int, words []string)
}
