package recipe

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/internal/tomlfile"
)

// An Error is a mistake in a recipe.
type Error struct {
	// File is the name that the recipe was read under.
	File string
	// Position is where the mistake is; its zero value means that it is not known.
	Position tomlfile.Position
	// Msg says what is wrong: "[[on]] 2, when: function not defined: env".
	Msg string

	line string // that the mistake is on
}

func (e *Error) Error() string {
	if e.Position.Line == 0 {
		return e.File + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Position.Line, e.Position.Column, e.Msg)
}

// Caret returns two lines that show the mistake: the line of the file that it is on, and
// a caret under its first character. It is "" when the place is not known.
func (e *Error) Caret() string {
	if e.Position.Line == 0 {
		return ""
	}
	offset, column := len(e.line), 1
	for i := range e.line {
		if column == e.Position.Column {
			offset = i
			break
		}
		column++
	}
	return (&jq.Error{Expr: e.line, Offset: offset}).Caret()
}

// Errors are the mistakes in a recipe, in the order of the file; there is at least one.
type Errors []*Error

func (list Errors) Error() string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "\n")
}

// Unwrap returns the mistakes, for errors.As.
func (list Errors) Unwrap() []error {
	all := make([]error, len(list))
	for i, e := range list {
		all[i] = e
	}
	return all
}

// syntaxError is the error for a text that is not TOML.
func syntaxError(file string, src []byte, err error) error {
	e := &Error{File: file, Msg: err.Error()}
	if t, ok := errors.AsType[*tomlfile.Error](err); ok {
		e.Position, e.Msg = t.Position, t.Msg
		if lines := strings.Split(string(src), "\n"); t.Position.Line > 0 && t.Position.Line <= len(lines) {
			e.line = strings.TrimSuffix(lines[t.Position.Line-1], "\r")
		}
	}
	return Errors{e}
}
