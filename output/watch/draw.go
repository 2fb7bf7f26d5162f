package watch

import (
	"fmt"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/console"
)

// The colors, as parameters of SGR (ECMA-48, section 8.3.117).
const (
	faint   = "\x1b[2m"
	strong  = "\x1b[1m"
	reverse = "\x1b[7m"
	off     = "\x1b[0m"
)

// fadeAfter is after what time without an event a row is faint.
const fadeAfter = time.Minute

// A column is shown from a width of the screen on. Key and value share what is left.
type column struct {
	title string
	width int
	from  int
	left  bool // aligned
	text  func(r *Row, now time.Time) string
}

var columns = []column{
	{"AGE", 4, 0, false, func(r *Row, now time.Time) string { return age(now.Sub(r.Last)) }},
	{"COUNT", 8, 50, false, func(r *Row, _ time.Time) string { return fmt.Sprint(r.Count) }},
	{"RATE", 8, 50, false, func(r *Row, now time.Time) string { return rate(r.Rate(now)) }},
	{"MIN", 9, 100, false, func(r *Row, _ time.Time) string { return ofNumbers(r, r.Min) }},
	{"MAX", 9, 100, false, func(r *Row, _ time.Time) string { return ofNumbers(r, r.Max) }},
	{"LAST MINUTE", slots, 72, true, func(r *Row, now time.Time) string { return r.Sparkline(now) }},
}

func ofNumbers(r *Row, x float64) string {
	if r.Numbers == 0 {
		return ""
	}
	return number(x)
}

// Draw returns the table as lines of a screen: at most rows, each of at most width
// columns. note is a message for the last line. Text from outside does nothing to a
// terminal.
func (t *Table) Draw(width, rows int, color bool, note string, now time.Time) []string {
	width, rows = max(width, 1), max(rows, 1)
	paint := func(sgr, text string) string {
		if !color {
			return text
		}
		return sgr + text + off
	}
	head := fmt.Sprintf("%s, %s, %s", plural(t.Events, "event"), rate(t.Rate(now)), plural(uint64(len(t.order)), "key"))
	if t.Other > 0 {
		head += fmt.Sprintf(" (%s of further keys)", plural(t.Other, "event"))
	}
	out := []string{cell(head, width, true)}
	rest := width
	for _, c := range columns {
		if width >= c.from {
			rest -= c.width + 1
		}
	}
	key := max(rest*2/5, 1)
	value := max(rest-key-1, 1)
	line := func(keyText, valueText string, text func(c column) string) string {
		var b strings.Builder
		b.WriteString(cell(keyText, key, true) + " " + cell(valueText, value, true))
		for _, c := range columns {
			if width >= c.from {
				b.WriteString(" " + cell(text(c), c.width, c.left))
			}
		}
		return cell(b.String(), width, true)
	}
	if rows > 2 {
		out = append(out, paint(reverse, line("KEY", "VALUE", func(c column) string { return c.title })))
	}
	room := max(rows-len(out)-1, 0) // without the last line
	shown := t.order
	if len(shown) > room {
		shown = shown[:max(room-1, 0)]
	}
	for _, r := range shown {
		text := line(r.Key, r.Value, func(c column) string { return c.text(r, now) })
		switch since := now.Sub(r.Last); {
		case since >= fadeAfter:
			text = paint(faint, text)
		case since < time.Second:
			text = paint(strong, text)
		}
		out = append(out, text)
	}
	if n := len(t.order) - len(shown); n > 0 && room > 0 {
		out = append(out, cell("… "+plural(uint64(n), "more key"), width, true))
	}
	for len(out) < rows-1 {
		out = append(out, "")
	}
	if rows > 1 {
		out = append(out, paint(faint, cell(note, width, true)))
	}
	return out
}

// cell returns text in so many columns, cut or filled.
func cell(text string, width int, left bool) string {
	text = console.Line(text)
	var b strings.Builder
	used := 0
	if n := console.Width(text); n <= width {
		b.WriteString(text)
		used = n
	} else {
		for _, r := range text {
			n := console.Columns(r)
			if used+n > width-1 { // the last column is for the mark of what was cut
				break
			}
			b.WriteRune(r)
			used += n
		}
		b.WriteString("…")
		used++
	}
	fill := strings.Repeat(" ", max(width-used, 0))
	if left {
		return b.String() + fill
	}
	return fill + b.String()
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
