package console

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// Columns returns how many columns of a terminal r takes: two for what Unicode
// Standard Annex 11 calls wide, none for marks that combine and for control characters.
func Columns(r rune) int { return runewidth.RuneWidth(r) }

// Width returns how many columns of a terminal text takes.
func Width(text string) int { return runewidth.StringWidth(text) }

// Acts reports whether a terminal, or a program that reads lines, would act upon r
// instead of showing it: the C0 and C1 control characters, the line and paragraph
// separators, and the characters that change the direction of writing.
func Acts(r rune) bool {
	return r < ' ' || 0x7F <= r && r <= 0x9F ||
		r == 0x061C || r == 0x200E || r == 0x200F || 0x2028 <= r && r <= 0x202E || 0x2066 <= r && r <= 0x2069
}

// Line returns text as one line that nothing acts upon: what breaks a line, and tabs,
// become a space, every other character that acts, and what is not UTF-8, U+FFFD.
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

// Lines is Line for text in which line feeds and tabs have their meaning. It is for
// text whose lines cannot pass for lines of hark's own.
func Lines(text string) string {
	return shown(text, func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return utf8.RuneError
	})
}

// shown returns text with each character that acts replaced by what instead says.
func shown(text string, instead func(rune) rune) string {
	return strings.Map(func(r rune) rune {
		if Acts(r) {
			return instead(r)
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// maxBrief is how long a message may be that quotes what a server sent, in
// characters.
const maxBrief = 500

// Brief makes a message that may quote what a server sent fit for one line of a
// terminal: not too long, and without characters that would act on it.
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
