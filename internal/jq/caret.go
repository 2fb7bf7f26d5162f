package jq

import (
	"strings"
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
// contains it, and a caret under its first character. It is "" when the place of
// the mistake is not known. There is no line feed at the end.
func (e *Error) Caret() string {
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
		line.WriteRune(visible(r))
		if r == '\t' { // as wide here as above, wherever the tab stops are
			pad.WriteByte('\t')
			continue
		}
		pad.WriteString(strings.Repeat(" ", columns(r)))
	}
	for _, r := range after {
		line.WriteRune(visible(r))
	}
	if more {
		line.WriteString(ellipsis)
	}
	return line.String() + "\n" + pad.String() + "^"
}

// visible returns r, or U+FFFD when a terminal would take it for an order.
func visible(r rune) rune {
	if r != '\t' && console.Acts(r) {
		return utf8.RuneError
	}
	return r
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

// columns returns how many columns of a terminal r takes.
func columns(r rune) int {
	if r == '\t' {
		return 1
	}
	return console.Columns(visible(r))
}
