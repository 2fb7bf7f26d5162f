package main

import (
	"bytes"
	"fmt"
	"html"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hinshun/vt10x"
)

// The measures of the picture, in pixels. Most fonts of fixed width are 0.6 em wide;
// where one is not, textLength stretches the text to its place.
const (
	fontSize   = 14.0
	cellWidth  = fontSize * 0.6
	cellHeight = 19.0
	margin     = 14.0

	// Changes within this time are one step of the animation.
	stepTime = 80 * time.Millisecond
)

// palette has the 16 colors of a terminal, chosen to be read on the background.
const (
	background = "#1b1f27"
	foreground = "#d5dae3"
)

var palette = [16]string{
	"#4b5263", "#ef7b85", "#98c379", "#e5c07b", "#61afef", "#c98bdd", "#56b6c2", "#d5dae3",
	"#7f889b", "#ff949e", "#b5e08f", "#f5d08b", "#7fc4ff", "#dda3ef", "#70d3df", "#ffffff",
}

// modeBold is a bit of vt10x.Glyph.Mode, which that package does not export.
const modeBold = 1 << 2

// A frame is a screen, as indexes into the list of different rows, and when it begins.
type frame struct {
	at   time.Duration
	rows [height]int
}

// A film is the animation: distinct rows, frames of them, and its length.
type film struct {
	rows   []string
	index  map[string]int
	frames []frame
	length time.Duration
}

// newFilm plays events on a terminal and records its content after each step.
func newFilm(events []event) *film {
	f := &film{rows: []string{""}, index: map[string]int{"": 0}}
	terminal := vt10x.New(vt10x.WithSize(width, height))
	for i, e := range events {
		if e.kind == "o" {
			_, _ = terminal.Write([]byte(e.data))
		}
		f.length = e.at
		if i+1 < len(events) && events[i+1].at-f.lastAt() < stepTime {
			continue
		}
		f.add(e.at, terminal)
	}
	return f
}

func (f *film) lastAt() time.Duration {
	if len(f.frames) == 0 {
		return -stepTime
	}
	return f.frames[len(f.frames)-1].at
}

// add adds the content of the terminal, unless nothing has changed.
func (f *film) add(at time.Duration, terminal vt10x.Terminal) {
	next := frame{at: at}
	for y := range height {
		row := drawRow(terminal, y)
		if _, ok := f.index[row]; !ok {
			f.index[row] = len(f.rows)
			f.rows = append(f.rows, row)
		}
		next.rows[y] = f.index[row]
	}
	if n := len(f.frames); n == 0 || f.frames[n-1].rows != next.rows {
		f.frames = append(f.frames, next)
	}
}

// drawRow draws a row of the terminal: runs of characters that look the same.
func drawRow(terminal vt10x.Terminal, y int) string {
	var b strings.Builder
	for x := 0; x < width; {
		if isSpace(terminal.Cell(x, y)) {
			x++
			continue
		}
		style := styleOf(terminal.Cell(x, y))
		var text []rune
		start := x
		for ; x < width; x++ {
			cell := terminal.Cell(x, y)
			if isSpace(cell) { // looks like what is alongside it
				cell.Char = ' '
			} else if styleOf(cell) != style {
				break
			}
			text = append(text, cell.Char)
		}
		run := strings.TrimRight(string(text), " ")
		fmt.Fprintf(&b, `<text x="%.1f" textLength="%.1f"%s>%s</text>`,
			float64(start)*cellWidth, float64(utf8.RuneCountInString(run))*cellWidth, style, html.EscapeString(run))
	}
	return b.String()
}

func isSpace(g vt10x.Glyph) bool { return g.Char == ' ' || g.Char == 0 }

// styleOf returns the style of a character as SVG attributes.
func styleOf(g vt10x.Glyph) string {
	if isSpace(g) {
		return ""
	}
	var style string
	if g.FG < 16 {
		style += fmt.Sprintf(` fill="%s"`, palette[g.FG])
	}
	if g.Mode&modeBold != 0 {
		style += ` font-weight="bold"`
	}
	return style
}

// draw draws events as SVG: a strip of frames that moves past a window. If animations
// are disabled or not supported, the last frame is shown.
func draw(events []event) []byte {
	f := newFilm(events)
	w, h := width*cellWidth+2*margin, height*cellHeight+2*margin
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" aria-label="A terminal: hark streams events, filters them with jq, and waits for an expectation">`+"\n", w, h, w, h)
	b.WriteString("<style>\n")
	fmt.Fprintf(&b, "text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:%.0fpx;white-space:pre}\n", fontSize)
	fmt.Fprintf(&b, "@media (prefers-reduced-motion:no-preference){#film{animation:film %.2fs steps(1,end) infinite}}\n@keyframes film{\n", f.length.Seconds())
	for i, fr := range f.frames {
		fmt.Fprintf(&b, "%.3f%%{transform:translateY(-%.0fpx)}\n", 100*fr.at.Seconds()/f.length.Seconds(), float64(i)*h)
	}
	fmt.Fprintf(&b, "}\n</style>\n<defs>\n")
	for i, row := range f.rows[1:] {
		fmt.Fprintf(&b, "<g id=\"r%d\">%s</g>\n", i+1, row)
	}
	fmt.Fprintf(&b, "</defs>\n<rect width=\"100%%\" height=\"100%%\" rx=\"8\" fill=\"%s\"/>\n<g id=\"film\" fill=\"%s\" transform=\"translate(0,-%.0f)\">\n", background, foreground, float64(len(f.frames)-1)*h)
	for i, fr := range f.frames {
		for y, row := range fr.rows {
			if row != 0 {
				fmt.Fprintf(&b, "<use href=\"#r%d\" x=\"%.0f\" y=\"%.0f\"/>", row, margin, float64(i)*h+margin+float64(y)*cellHeight+fontSize)
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}
