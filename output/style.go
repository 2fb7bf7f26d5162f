package output

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/console"
)

// A Style says how records are shown to people. The zero value leaves them as
// they are.
type Style struct {
	// Pretty gives each member and element of JSON a line of its own, indented.
	Pretty bool
	// Color colors JSON by ECMA-48, section 8.3.117 (SGR).
	Color bool
	// Visible shows control characters and those that change the direction of
	// writing as \uXXXX, so that a terminal does not act on them. JSON stays the
	// same value; in raw text, line feeds and tabs stay.
	Visible bool
	// Time puts the time of receipt in front of each record, which then is not JSON.
	Time bool
}

// The colors, as parameters of SGR.
const (
	colorKey    = "\x1b[1;34m"
	colorString = "\x1b[32m"
	colorNumber = "\x1b[36m"
	colorBool   = "\x1b[33m"
	colorNull   = "\x1b[90m"
	colorTime   = "\x1b[2m"
	colorOff    = "\x1b[0m"
)

// maxIndent is the deepest indentation, in levels: what is nested deeper would
// take far more room than it has text.
const maxIndent = 32

// TimeLayout is the form of the times that Style.Time prints, in UTC.
const TimeLayout = "2006-01-02T15:04:05.000Z07:00"

// style is Style at work on one record after the other. A record comes in pieces,
// none of which ends within a character.
type style struct {
	Style
	open    []byte // a stack of the brackets around, reused
	at      place
	fresh   bool // the last bracket has just been opened
	key     bool // the next string is the name of a member
	escaped bool // the next character of the string has a backslash before it
}

// A place is where in a record a style is.
type place int

const (
	between  place = iota // two tokens
	inString              // a string
	inWord                // a number, true, false or null
)

// AppendStyled appends a JSON value, which must be valid and on one line, in a style.
func AppendStyled(dst, b []byte, s Style) []byte {
	t := newStyle(s)
	if t == nil {
		return append(dst, b...)
	}
	t.begin()
	return t.end(t.feed(dst, b))
}

func newStyle(s Style) *style {
	if s == (Style{}) {
		return nil
	}
	return &style{Style: s}
}

func (s *style) appendTime(dst []byte, t time.Time) []byte {
	if !s.Time {
		return dst
	}
	if s.Color {
		dst = append(dst, colorTime...)
	}
	dst = t.UTC().AppendFormat(dst, TimeLayout)
	if s.Color {
		dst = append(dst, colorOff...)
	}
	return append(dst, ' ')
}

// appendRaw appends text that is not JSON.
func (s *style) appendRaw(dst []byte, text string) []byte {
	if !s.Visible {
		return append(dst, text...)
	}
	for _, r := range text {
		if console.Acts(r) && r != '\n' && r != '\t' {
			dst = fmt.Appendf(dst, `\u%04x`, r)
		} else {
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// begin starts a record.
func (s *style) begin() {
	s.open, s.at, s.fresh, s.key, s.escaped = s.open[:0], between, false, false, false
}

// feed appends a piece of a valid JSON value. Line breaks in it become spaces.
func (s *style) feed(dst, b []byte) []byte {
	for len(b) > 0 {
		n := 1
		switch s.at {
		case inString:
			var ended bool
			n, ended = s.stringEnd(b)
			dst = s.text(dst, b[:n])
			if ended {
				dst = s.end(dst)
			}
		case inWord:
			for n = 0; n < len(b) && wordByte(b[n]); n++ {
			}
			if dst = s.text(dst, b[:n]); n < len(b) {
				dst = s.end(dst)
			}
		default:
			dst, n = s.token(dst, b[0])
		}
		b = b[n:]
	}
	return dst
}

// stringEnd finds how much of b belongs to the string that it begins in.
func (s *style) stringEnd(b []byte) (n int, ended bool) {
	for i, c := range b {
		switch {
		case s.escaped:
			s.escaped = false
		case c == '\\':
			s.escaped = true
		case c == '"':
			return i + 1, true
		}
	}
	return len(b), false
}

// token takes a byte between two tokens, or the first one of a token that is not yet
// to be taken: n is 0 then.
func (s *style) token(dst []byte, c byte) (out []byte, n int) {
	switch c {
	case ' ', '\t', '\r', '\n':
		if s.Pretty {
			return dst, 1
		}
		if c != '\t' {
			c = ' '
		}
		return append(dst, c), 1
	case '}', ']':
		s.open = s.open[:len(s.open)-1]
		if !s.fresh {
			dst = s.newline(dst)
		}
		s.fresh = false
		return append(dst, c), 1
	}
	if s.fresh {
		s.fresh = false
		dst = s.newline(dst)
	}
	switch c {
	case '{', '[':
		s.open = append(s.open, c)
		s.fresh, s.key = true, c == '{'
		return append(dst, c), 1
	case ',':
		s.key = s.open[len(s.open)-1] == '{'
		return s.newline(append(dst, c)), 1
	case ':':
		s.key = false
		if dst = append(dst, c); s.Pretty {
			dst = append(dst, ' ')
		}
		return dst, 1
	case '"':
		s.at = inString
		color := colorString
		if s.key {
			color = colorKey
		}
		return append(s.start(dst, color), c), 1
	}
	s.at = inWord
	return s.start(dst, wordColor(c)), 0
}

func (s *style) start(dst []byte, color string) []byte {
	if s.Color {
		dst = append(dst, color...)
	}
	return dst
}

// end ends a token, if there is one: the record may end after it.
func (s *style) end(dst []byte) []byte {
	if s.at != between && s.Color {
		dst = append(dst, colorOff...)
	}
	s.at = between
	return dst
}

func (s *style) text(dst, b []byte) []byte {
	if s.Visible {
		return appendVisible(dst, b)
	}
	return append(dst, b...)
}

func (s *style) newline(dst []byte) []byte {
	if !s.Pretty {
		return dst
	}
	dst = append(dst, '\n')
	for range min(len(s.open), maxIndent) {
		dst = append(dst, "  "...)
	}
	return dst
}

// appendVisible appends a part of a token of JSON. What has to be escaped stands in strings,
// and all of it is below U+10000.
func appendVisible(dst, text []byte) []byte {
	for len(text) > 0 {
		if c := text[0]; c < 0x7F { // valid JSON has no control characters there
			dst = append(dst, c)
			text = text[1:]
			continue
		}
		r, n := utf8.DecodeRune(text)
		if console.Acts(r) {
			dst = fmt.Appendf(dst, `\u%04x`, r)
		} else {
			dst = append(dst, text[:n]...)
		}
		text = text[n:]
	}
	return dst
}

func wordByte(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'
}

func wordColor(c byte) string {
	switch c {
	case 't', 'f':
		return colorBool
	case 'n':
		return colorNull
	}
	return colorNumber
}
