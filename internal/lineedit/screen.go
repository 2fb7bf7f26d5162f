package lineedit

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/hark-cli/hark/internal/console"
)

// A layout is a line wrapped to the columns of a screen: its rows, and the position of
// the cursor.
type layout struct {
	rows     []string
	row, col int
}

// arrange wraps prompt and line into rows. The prompt may have color (SGR sequences),
// which has no width.
func arrange(prompt string, line []rune, pos, columns int) layout {
	columns = max(columns, 2)
	var l layout
	var b strings.Builder
	col := 0
	end := func() {
		l.rows = append(l.rows, b.String())
		b.Reset()
		col = 0
	}
	put := func(text string, width int) {
		if col+width > columns {
			end()
		}
		b.WriteString(text)
		col += width
	}
	for i, runes := 0, []rune(prompt); i < len(runes); i++ {
		if runes[i] != '\x1b' {
			put(string(runes[i]), width(runes[i]))
			continue
		}
		for ; i < len(runes); i++ {
			b.WriteRune(runes[i])
			if runes[i] == 'm' {
				break
			}
		}
	}
	for i, r := range line {
		w := width(r)
		if i == pos {
			if col+w > columns {
				end()
			}
			l.row, l.col = len(l.rows), col
		}
		if r == '\t' {
			r = ' '
		}
		put(string(r), w)
	}
	if pos >= len(line) {
		if col >= columns {
			end()
		}
		l.row, l.col = len(l.rows), col
	}
	end()
	return l
}

// width returns the number of columns of a rune.
func width(r rune) int {
	if r == '\t' {
		return 1
	}
	return console.Columns(r)
}

// within reduces a layout to height rows around the cursor.
func (l layout) within(height int) layout {
	height = max(height, 1)
	if len(l.rows) <= height {
		return l
	}
	first := min(l.row, min(max(l.row-height+1, 0), len(l.rows)-height))
	l.rows, l.row = l.rows[first:first+height], l.row-first
	return l
}

// A screen draws the line below printed text. It must be used by one goroutine.
type screen struct {
	widths   []int // of the drawn rows
	row, col int   // of the cursor
}

// erase appends the sequence that removes the line from the screen and moves the cursor
// to the start of its first row. If the screen has become narrower, the terminal has
// wrapped the rows again, as almost all terminals do.
func (s *screen) erase(b []byte, columns int) []byte {
	if len(s.widths) == 0 {
		return b
	}
	columns = max(columns, 1)
	rows, up := 0, s.col/columns
	for i, w := range s.widths {
		n := max(1, (w+columns-1)/columns)
		if rows += n; i < s.row {
			up += n
		}
	}
	b = append(b, '\r')
	if up > 0 {
		b = fmt.Appendf(b, "\x1b[%dA", up)
	}
	*s = screen{widths: s.widths[:0]}
	b = append(b, "\x1b[K"...)
	if rows > 1 {
		// Not from the first row on: if it is the topmost one, tmux treats that as a
		// new screen and moves the old content to its scrollback.
		b = append(b, "\x1b[B\x1b[J\x1b[A"...)
	}
	return b
}

// draw appends the sequence that draws the line.
func (s *screen) draw(b []byte, l layout) []byte {
	for i, row := range l.rows {
		if i > 0 {
			b = append(b, "\r\n"...)
		}
		b = append(b, row...)
	}
	if up := len(l.rows) - 1 - l.row; up > 0 {
		b = fmt.Appendf(b, "\x1b[%dA", up)
	}
	b = append(b, '\r')
	if l.col > 0 {
		b = fmt.Appendf(b, "\x1b[%dC", l.col)
	}
	s.row, s.col = l.row, l.col
	for _, row := range l.rows {
		s.widths = append(s.widths, rowWidth(row))
	}
	return b
}

// rowWidth returns the number of columns of a row, without color sequences.
func rowWidth(row string) int {
	w := 0
	for {
		before, after, ok := strings.Cut(row, "\x1b")
		for _, r := range before {
			w += width(r)
		}
		if !ok {
			return w
		}
		_, row, _ = strings.Cut(after, "m")
	}
}

// lines appends text with the line endings of a terminal in raw mode.
func appendLines(b, text []byte) []byte {
	if len(text) == 0 {
		return b
	}
	b = append(b, bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))...)
	if text[len(text)-1] != '\n' {
		b = append(b, "\r\n"...)
	}
	return b
}

// columnsOf arranges candidates in columns, in at most the given number of rows.
func columnsOf(words []string, columns, rows int) string {
	widest := 0
	for _, w := range words {
		widest = max(widest, console.Width(w))
	}
	perRow := max(1, columns/(widest+2))
	more := 0
	if most := max(rows, 1) * perRow; len(words) > most {
		words, more = words[:most], len(words)-most
	}
	var b strings.Builder
	for i, w := range words {
		b.WriteString(w)
		if (i+1)%perRow == 0 || i == len(words)-1 {
			b.WriteByte('\n')
			continue
		}
		b.WriteString(strings.Repeat(" ", widest+2-console.Width(w)))
	}
	if more > 0 {
		fmt.Fprintf(&b, "… and %d more\n", more)
	}
	return b.String()
}
