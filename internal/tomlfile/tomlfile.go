// Package tomlfile reads and writes TOML (toml.io, version 1.0). It is the only package
// that imports the library for it, and provides the position of each key, which the
// library does not.
package tomlfile

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// A Position is a position in a text. The zero value means unknown.
type Position struct {
	Line   int // from 1
	Column int // in characters, from 1
}

// An Error reports a text that is not valid TOML.
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

// A Document is a parsed text.
type Document struct {
	// Tree has the values: string, int64, float64, bool, time.Time, []any,
	// map[string]any for a table and []map[string]any for a list of tables.
	Tree      map[string]any
	text      string
	positions map[string]Position // by the path of a key, see path
	values    map[string]int      // where its value begins in text, in bytes
}

// Parse parses a text. It skips a byte order mark, which some editors write. The error
// is an *Error.
func Parse(text string) (*Document, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	d := &Document{text: text, positions: make(map[string]Position), values: make(map[string]int)}
	if _, err := toml.Decode(text, &d.Tree); err != nil {
		if pe, ok := errors.AsType[toml.ParseError](err); ok {
			return nil, &Error{Position{pe.Position.Line, pe.Position.Col}, pe.Message}
		}
		return nil, &Error{Msg: err.Error()}
	}
	s := scanner{text: text, line: 1, found: d.positions, values: d.values, lists: make(map[string]int)}
	s.document()
	return d, nil
}

// Position returns the first position of a key, or of a header of its table. The path
// begins with the keys of the enclosing tables; an element of a list is its index as
// text, from 0.
func (d *Document) Position(keys ...string) Position { return d.positions[path(keys)] }

// Value returns the position of the value of a key, or Position for a table with a
// header.
func (d *Document) Value(keys ...string) Position {
	at, ok := d.values[path(keys)]
	if !ok {
		return d.Position(keys...)
	}
	return d.at(at)
}

// Within returns the position of the byte at offset of value, the string value of a
// key. The offset may be len(value).
func (d *Document) Within(value string, offset int, keys ...string) Position {
	at, ok := d.values[path(keys)]
	if !ok {
		return d.Position(keys...)
	}
	return d.at(at + written(d.text[at:], value, offset))
}

// Line returns the text of a line, from 1, without its line break.
func (d *Document) Line(n int) string {
	text := d.text
	for ; n > 1; n-- {
		i := strings.IndexByte(text, '\n')
		if i < 0 {
			return ""
		}
		text = text[i+1:]
	}
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSuffix(line, "\r")
}

// at returns the position of a byte of the text.
func (d *Document) at(offset int) Position {
	start := strings.LastIndexByte(d.text[:offset], '\n') + 1
	return Position{strings.Count(d.text[:start], "\n") + 1, utf8.RuneCountInString(d.text[start:offset]) + 1}
}

// written returns the index in text, which begins with a quoted string, of the byte at
// offset of its value.
func written(text, value string, offset int) int {
	if text == "" || text[0] != '"' && text[0] != '\'' {
		return 0
	}
	quote := text[:1]
	i := 1
	if strings.HasPrefix(text, strings.Repeat(quote, 3)) {
		i = 3
		if rest := strings.TrimPrefix(text[i:], "\r"); strings.HasPrefix(rest, "\n") {
			i = len(text) - len(rest) + 1 // the first line break does not belong to it
		}
	}
	for v := 0; v < offset && i < len(text); {
		switch {
		case text[i] == '\\' && quote == "\"" && i+1 < len(text):
			n, size := 2, 1
			switch text[i+1] {
			case 'x':
				n, size = 4, runeSize(value[v:])
			case 'u':
				n, size = 6, runeSize(value[v:])
			case 'U':
				n, size = 10, runeSize(value[v:])
			case ' ', '\t', '\r', '\n': // the line continues after white space
				n, size = len(text[i+1:])-len(strings.TrimLeft(text[i+1:], " \t\r\n"))+1, 0
			}
			i, v = i+n, v+size
		case v < len(value) && text[i] == value[v]:
			i, v = i+1, v+1
		default: // the first byte of a line break that became one byte
			i++
		}
	}
	return min(i, len(text))
}

// runeSize returns the size of the first character of s in bytes.
func runeSize(s string) int {
	_, size := utf8.DecodeRuneInString(s)
	return max(size, 1)
}

// path returns the map key for a path.
func path(keys []string) string { return strings.Join(keys, "\x00") }

// Key returns the key of a table, quoted if required.
func Key(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !bare(r) }) < 0 {
		return s
	}
	return String(s)
}

// bare reports whether r may occur in a key without quotes.
func bare(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}

// String returns a quoted string.
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
