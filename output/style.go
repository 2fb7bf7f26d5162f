package output

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/jsontext"
)

// A Style says how records are shown to people. The zero value leaves them as
// they are.
type Style struct {
	// Pretty gives each member and element of JSON a line of its own, indented.
	Pretty bool
	// Color colours JSON by ECMA-48, section 8.3.117 (SGR).
	Color bool
	// Visible shows control characters and those that change the direction of
	// writing as \uXXXX, so that a terminal does not act on them. JSON stays the
	// same value; in raw text, line feeds and tabs stay.
	Visible bool
	// Time puts the time of receipt in front of each record, which is no JSON then.
	Time bool
}

// The colours, as parameters of SGR.
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

// style is Style at work.
type style struct {
	Style
	open []byte // a stack of the brackets around, reused
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

// appendRaw appends text that is no JSON.
func (s *style) appendRaw(dst []byte, text string) []byte {
	if !s.Visible {
		return append(dst, text...)
	}
	for _, r := range text {
		if isControl(r) && r != '\n' && r != '\t' {
			dst = fmt.Appendf(dst, `\u%04x`, r)
		} else {
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// appendJSON appends the JSON value in b, which is valid and on one line.
func (s *style) appendJSON(dst, b []byte) []byte {
	s.open = s.open[:0]
	key := false // the next string is the name of a member
	for i := 0; i < len(b); {
		switch c := b[i]; c {
		case '{', '[':
			dst = append(dst, c)
			if i = s.space(b, i+1); b[i] == c+2 { // } is { + 2, and ] is [ + 2
				dst = append(dst, b[i])
				i++
				continue
			}
			s.open = append(s.open, c)
			key = c == '{'
			dst = s.newline(dst)
			continue
		case '}', ']':
			s.open = s.open[:len(s.open)-1]
			dst = append(s.newline(dst), c)
		case ',':
			key = s.open[len(s.open)-1] == '{'
			dst = s.newline(append(dst, c))
		case ':':
			key = false
			if dst = append(dst, c); s.Pretty {
				dst = append(dst, ' ')
			}
		case ' ', '\t':
			if !s.Pretty {
				dst = append(dst, c)
			}
		case '"':
			end := i + jsontext.StringLen(b[i:])
			color := colorString
			if key {
				color = colorKey
			}
			dst = s.token(dst, b[i:end], color)
			i = end
			continue
		default:
			end := i + 1
			for end < len(b) && wordByte(b[end]) {
				end++
			}
			dst = s.token(dst, b[i:end], wordColor(c))
			i = end
			continue
		}
		i++
	}
	return dst
}

// space passes over the white space at i, unless it is to stay.
func (s *style) space(b []byte, i int) int {
	for j := i; ; j++ {
		switch b[j] {
		case ' ', '\t':
			continue
		case '}', ']':
			return j // empty: no space inside
		}
		if s.Pretty {
			return j
		}
		return i
	}
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

func (s *style) token(dst, text []byte, color string) []byte {
	if s.Color {
		dst = append(dst, color...)
	}
	if s.Visible {
		dst = appendVisible(dst, text)
	} else {
		dst = append(dst, text...)
	}
	if s.Color {
		dst = append(dst, colorOff...)
	}
	return dst
}

// appendVisible appends a token of JSON. What has to be escaped stands in strings,
// and all of it is below U+10000.
func appendVisible(dst, text []byte) []byte {
	for len(text) > 0 {
		if c := text[0]; c < 0x7F { // valid JSON has no control characters there
			dst = append(dst, c)
			text = text[1:]
			continue
		}
		r, n := utf8.DecodeRune(text)
		if isControl(r) {
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
