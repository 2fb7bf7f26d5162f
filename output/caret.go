package output

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/console"
)

const (
	caretIndent = "    "
	// caretBefore and caretAfter are how many columns of a long line are shown
	// on either side of the mistake, so that a terminal does not wrap it.
	caretBefore = 48
	caretAfter  = 24
	ellipsis    = "…"
)

// Caret returns two lines that show the mistake: the line of the expression that
// holds it, and a caret under its first character. It is "" when the place of
// the mistake is not known. There is no line feed at the end.
func (e *ExprError) Caret() string {
	if e.Offset < 0 || e.Offset > len(e.Expr) {
		return ""
	}
	start := strings.LastIndexAny(e.Expr[:e.Offset], "\r\n") + 1
	end := len(e.Expr)
	if i := strings.IndexAny(e.Expr[e.Offset:], "\r\n"); i >= 0 {
		end = e.Offset + i
	}
	before, cut := tail(e.Expr[start:e.Offset], caretBefore)
	after, more := head(e.Expr[e.Offset:end], caretAfter)

	var line, pad strings.Builder
	line.WriteString(caretIndent)
	pad.WriteString(caretIndent)
	if cut {
		line.WriteString(ellipsis)
		pad.WriteByte(' ')
	}
	for _, r := range before {
		writeVisible(&line, r)
		if r == '\t' { // as wide here as above, wherever the tab stops are
			pad.WriteByte('\t')
			continue
		}
		pad.WriteString(strings.Repeat(" ", columns(r)))
	}
	for _, r := range after {
		writeVisible(&line, r)
	}
	if more {
		line.WriteString(ellipsis)
	}
	return line.String() + "\n" + pad.String() + "^"
}

// writeVisible writes r, or U+FFFD when a terminal would take it for an order.
func writeVisible(b *strings.Builder, r rune) {
	if r != '\t' && console.Acts(r) {
		r = utf8.RuneError
	}
	b.WriteRune(r)
}

// tail returns the last part of s, at most n columns wide.
func tail(s string, n int) (part string, cut bool) {
	i := len(s)
	for i > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:i])
		if n -= columns(r); n < 0 {
			return s[i:], true
		}
		i -= size
	}
	return s, false
}

// head returns the first part of s, at most n columns wide.
func head(s string, n int) (part string, cut bool) {
	for i, r := range s {
		if n -= columns(r); n < 0 {
			return s[:i], true
		}
	}
	return s, false
}

// columns returns how many columns of a terminal r takes: two for what Unicode
// Standard Annex 11 calls wide or fullwidth, none for marks that combine.
func columns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me) || r == 0x200B || r == 0x200D:
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// wide has the blocks of characters that take two columns.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115F, Stride: 1}, // Hangul Jamo, leading consonants
		{Lo: 0x231A, Hi: 0x231B, Stride: 1}, // watch, hourglass
		{Lo: 0x23E9, Hi: 0x23EC, Stride: 1}, // arrows of players
		{Lo: 0x2E80, Hi: 0x303E, Stride: 1}, // CJK radicals, symbols, punctuation
		{Lo: 0x3041, Hi: 0x33FF, Stride: 1}, // kana, Bopomofo, enclosed and compatibility
		{Lo: 0x3400, Hi: 0x4DBF, Stride: 1}, // CJK extension A
		{Lo: 0x4E00, Hi: 0xA4CF, Stride: 1}, // CJK, Yi
		{Lo: 0xA960, Hi: 0xA97F, Stride: 1}, // Hangul Jamo extended A
		{Lo: 0xAC00, Hi: 0xD7A3, Stride: 1}, // Hangul
		{Lo: 0xF900, Hi: 0xFAFF, Stride: 1}, // CJK compatibility
		{Lo: 0xFE30, Hi: 0xFE6F, Stride: 1}, // vertical and small forms
		{Lo: 0xFF01, Hi: 0xFF60, Stride: 1}, // fullwidth forms
		{Lo: 0xFFE0, Hi: 0xFFE6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x16FE0, Hi: 0x18AFF, Stride: 1}, // Tangut
		{Lo: 0x1B000, Hi: 0x1B2FF, Stride: 1}, // kana supplements
		{Lo: 0x1F300, Hi: 0x1F64F, Stride: 1}, // pictographs, emoticons
		{Lo: 0x1F680, Hi: 0x1F6FF, Stride: 1}, // transport
		{Lo: 0x1F900, Hi: 0x1FAFF, Stride: 1}, // more pictographs
		{Lo: 0x20000, Hi: 0x3FFFD, Stride: 1}, // CJK extensions
	},
}
