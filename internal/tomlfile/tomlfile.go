// Package tomlfile reads and writes TOML (toml.io, version 1.0). It is the only home of
// the library that does, and knows where each key of a text stands, which the library
// does not tell.
package tomlfile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"
)

// A Position is a place in a text. The zero value means that it is not known.
type Position struct {
	Line   int // from 1
	Column int // in characters, from 1
}

// An Error is a text that is not TOML.
type Error struct {
	Position Position
	Msg      string
}

func (e *Error) Error() string {
	if e.Position.Line == 0 {
		return e.Msg
	}
	return fmt.Sprintf("line %d: %s", e.Position.Line, e.Msg)
}

// A Document is a text that has been read.
type Document struct {
	// Tree has the values: string, int64, float64, bool, time.Time, []any,
	// map[string]any for a table and []map[string]any for a list of tables.
	Tree      map[string]any
	positions map[string]Position // by the path of a key, see path
}

// Parse reads a text. A byte order mark, which some editors put at the beginning, is no
// part of it. The error is an *Error.
func Parse(text string) (*Document, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	d := &Document{positions: make(map[string]Position)}
	if _, err := toml.Decode(text, &d.Tree); err != nil {
		if pe, ok := errors.AsType[toml.ParseError](err); ok {
			return nil, &Error{Position{pe.Position.Line, pe.Position.Col}, pe.Message}
		}
		return nil, &Error{Msg: err.Error()}
	}
	s := scanner{text: text, line: 1, found: d.positions, lists: make(map[string]int)}
	s.document()
	return d, nil
}

// Position returns where the key of a table stands: the first time that it, or a header
// of its table, is written. The path has the keys of the tables around it first; an
// element of a list is the text of its index, from 0.
func (d *Document) Position(keys ...string) Position { return d.positions[path(keys)] }

// path is the key of a map for a path.
func path(keys []string) string { return strings.Join(keys, "\x00") }

// Key writes the key of a table.
func Key(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !bare(r) }) < 0 {
		return s
	}
	return String(s)
}

// bare reports whether r may stand in a key without quotes.
func bare(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}

// String writes a string.
func String(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
