package console

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// Columns returns the width of r in columns of a terminal: two for wide characters
// (Unicode Standard Annex 11), zero for combining marks and control characters.
func Columns(r rune) int { return runewidth.RuneWidth(r) }

// Width returns the width of text in columns of a terminal.
func Width(text string) int { return runewidth.StringWidth(text) }

// Acts reports whether r is a control character for a terminal or a program that reads
// lines: C0 and C1 control characters, line and paragraph separators, and bidirectional
// formatting characters.
func Acts(r rune) bool {
	return r < ' ' || 0x7F <= r && r <= 0x9F ||
		r == 0x061C || r == 0x200E || r == 0x200F || 0x2028 <= r && r <= 0x202E || 0x2066 <= r && r <= 0x2069
}

// Line returns text as one line without control characters (see Acts): line breaks and
// tabs become spaces, other control characters and invalid UTF-8 become U+FFFD.
func Line(text string) string {
	text = strings.ReplaceAll(strings.TrimRight(text, "\r\n"), "\r\n", "\n")
	return shown(text, func(r rune) rune {
		switch r {
		case '\t', '\n', '\v', '\f', '\r', 0x85, 0x2028, 0x2029:
			return ' '
		}
		return utf8.RuneError
	})
}

// Lines is Line for text with line feeds and tabs. Its lines must not be mistaken for
// lines of hark.
func Lines(text string) string {
	return shown(text, func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return utf8.RuneError
	})
}

// shown returns text with each control character replaced by the result of instead.
func shown(text string, instead func(rune) rune) string {
	return strings.Map(func(r rune) rune {
		if Acts(r) {
			return instead(r)
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// maxBrief is the maximum length of a message that quotes a server, in characters.
const maxBrief = 500

// Brief returns a message that may quote a server as a short line without control
// characters.
func Brief(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > maxBrief {
			b.WriteString("…")
			break
		}
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case Acts(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
