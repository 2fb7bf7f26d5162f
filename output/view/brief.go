// Package view shows events to people at a terminal.
package view

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
)

// A Brief shows each event on one line: the local time, what it is, who it is from, and
// as much of its data as fits.
type Brief struct {
	// Summary says what people want to see of a message; nil if nothing is known of it.
	Summary func(proto.Message) proto.Summary
	// Width returns the columns of the terminal, 0 if that is unknown. It is asked for
	// each event, because terminals are resized.
	Width func() int
	// Indent is how many columns stand before the line.
	Indent int
	// Color colors the parts by ECMA-48, section 8.3.117 (SGR).
	Color bool

	line line
}

// The colors, as parameters of SGR.
const (
	faint  = "\x1b[2m"
	strong = "\x1b[1m"
	off    = "\x1b[0m"
)

// colors are those of values, by their kind.
var colors = map[eventjson.Kind]string{
	eventjson.KindString: "\x1b[32m", eventjson.KindNumber: "\x1b[36m",
	eventjson.KindTrue: "\x1b[33m", eventjson.KindFalse: "\x1b[33m", eventjson.KindNull: "\x1b[90m",
}

// defaultWidth is that of a terminal that does not tell its own.
const defaultWidth = 80

// Append appends the line of an event, without a line feed.
func (b *Brief) Append(dst []byte, ev *proto.Event) []byte {
	width := b.Width()
	if width <= 0 {
		width = defaultWidth
	}
	l := &b.line
	*l = line{out: dst, left: width - b.Indent - 1, color: b.Color}
	l.add(faint, ev.Time.Local().Format(time.TimeOnly))
	var s proto.Summary
	if b.Summary != nil {
		s = b.Summary(ev.Message)
	}
	data := ev.Data
	if s.Data != nil {
		data = s.Data
	}
	l.word(strong, s.What)
	l.word("", s.From)
	switch ok, _ := eventjson.Valid(data); {
	case len(data) == 0:
	case ok:
		l.values("", bytes.TrimSpace(data), 0)
	case ev.Binary && s.Data == nil:
		l.word(faint, strconv.Itoa(len(data))+" bytes")
	default:
		l.word("", string(data[:min(len(data), 4*width)]))
	}
	return l.out
}

// A line is cut where it is full.
type line struct {
	out   []byte
	left  int // columns, without the last one
	color bool
	full  bool // nothing more is added
}

// word adds text after a space, unless it is empty.
func (l *line) word(color, text string) {
	if text == "" || l.full {
		return
	}
	l.add("", " ")
	l.add(color, text)
}

// add adds text without control characters. The last column is kept for the mark of what
// was cut, and so that no terminal breaks the line.
func (l *line) add(color, text string) {
	if l.full {
		return
	}
	text = console.Line(text)
	if !l.color {
		color = ""
	}
	l.out = append(l.out, color...)
	for _, r := range text {
		columns := console.Columns(r)
		if columns > l.left {
			l.out, l.full = append(l.out, "…"...), true
			break
		}
		l.out = utf8.AppendRune(l.out, r)
		l.left -= columns
	}
	if color != "" {
		l.out = append(l.out, off...)
	}
}

// maxDepth is how deep objects are taken apart.
const maxDepth = 4

// values adds a value under a name: an object as its members, anything else as it is.
func (l *line) values(name string, value []byte, depth int) {
	if l.full || len(value) == 0 {
		return
	}
	kind := eventjson.KindOf(value)
	if kind == eventjson.KindObject && depth < maxDepth {
		empty := true
		eventjson.Members(value, func(member, value []byte) bool {
			empty = false
			path := string(member)
			if name != "" {
				path = name + "." + path
			}
			l.values(path, value, depth+1)
			return !l.full
		})
		if !empty {
			return
		}
	}
	l.word(faint, name)
	if kind == eventjson.KindString {
		text, _ := eventjson.String(value)
		if text == "" {
			text = `""`
		}
		l.word(colors[kind], text)
		return
	}
	l.word(colors[kind], string(value[:min(len(value), 4*max(l.left, 1))]))
}
