package commands

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/jsontext"
	"github.com/hark-cli/hark/internal/lineedit"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
)

// Colours of a terminal (ECMA-48, Select Graphic Rendition).
const (
	sgrReceived = "36"
	sgrSent     = "32"
	sgrDim      = "2"
)

// paint puts text in a colour, where there is any.
func paint(colour bool, sgr, text string) string {
	if !colour {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

// A view shows events above the line that is being typed: the proto.Sink of a
// terminal. Filters and conditions are those of an output.Writer that prints into
// a buffer.
type view struct {
	ed     lineedit.Editor
	colour bool
	words  *words
	log    *transcript

	mu     sync.Mutex
	w      *output.Writer
	buf    *bytes.Buffer
	asIs   bool // nothing shapes the messages, so they are shown as they came
	frames bool // all frames are shown
	pretty bool
	times  bool
	last   time.Time
	out    []byte
}

// change implements reshaper.
func (v *view) change(f *streamFlags, change func(*output.Writer) error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asIs, v.frames = asIs(f), f.format == string(output.FormatFrames)
	return change(v.w)
}

// Event implements proto.Sink.
func (v *view) Event(ev *proto.Event) error {
	v.mu.Lock()
	if stray(ev, v.frames) {
		v.mu.Unlock()
		return nil
	}
	v.buf.Reset()
	err := v.w.Event(ev)
	if ferr := v.w.Flush(); err == nil {
		err = ferr
	}
	if v.buf.Len() > 0 {
		v.show(ev)
	}
	var out []byte
	if len(v.out) > 32<<10 || err != nil {
		out, v.out = v.out, nil
	}
	v.mu.Unlock()
	if received(ev) {
		v.words.see(ev.Data)
		v.log.add(proto.In, ev.Binary, ev.Data)
	}
	if out != nil {
		v.ed.Print(out)
	}
	return err
}

// Flush implements proto.Sink.
func (v *view) Flush() error {
	v.mu.Lock()
	out := v.out
	v.out = nil
	v.mu.Unlock()
	if len(out) > 0 {
		v.ed.Print(out)
	}
	return nil
}

// show appends one event as people see it.
func (v *view) show(ev *proto.Event) {
	mark := paint(v.colour, sgrReceived, "< ")
	if ev.Direction == proto.Out {
		mark = paint(v.colour, sgrSent, "> ")
	}
	if v.times {
		at := ev.Time.Format("15:04:05.000")
		if !v.last.IsZero() {
			at += fmt.Sprintf(" +%.3fs", ev.Time.Sub(v.last).Seconds())
		}
		v.last = ev.Time
		mark += paint(v.colour, sgrDim, at+" ")
	}
	if v.asIs {
		isJSON, _ := jsontext.Scan(ev.Data)
		switch {
		case isJSON:
		case ev.Binary:
			v.out = append(append(v.out, mark+dump(ev.Data)...), '\n')
			return
		default:
			v.add(mark, visible(string(ev.Data)))
			return
		}
	}
	for line := range strings.Lines(v.buf.String()) {
		line = strings.TrimSuffix(line, "\n")
		if v.pretty {
			var b bytes.Buffer
			if json.Indent(&b, []byte(line), "", "  ") == nil {
				line = b.String()
			}
		}
		v.add(mark, visible(line))
	}
}

// add appends a text; its second and later lines are indented, so that none of
// them can pass for another message.
func (v *view) add(mark, text string) {
	v.out = append(v.out, mark...)
	v.out = append(v.out, strings.ReplaceAll(text, "\n", "\n  ")...)
	v.out = append(v.out, '\n')
}

// visible makes control characters visible: those of ASCII as their pictures, line
// feeds as they are, others by their number. Bidirectional overrides are among
// them, because they make a text look like another one.
func visible(text string) string {
	clean := func(r rune) bool {
		return r == '\n' || r == '\t' || !console.Acts(r) && r != utf8.RuneError
	}
	if strings.IndexFunc(text, func(r rune) bool { return !clean(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case clean(r) || r == utf8.RuneError:
			b.WriteRune(r)
		case r < ' ':
			b.WriteRune(0x2400 + r)
		case r == 0x7f:
			b.WriteRune(0x2421)
		default:
			fmt.Fprintf(&b, "<U+%04X>", r)
		}
	}
	return b.String()
}

// dump shows bytes in hexadecimal, with their number; of many only the first.
func dump(b []byte) string {
	const most = 256
	unit := "bytes"
	if len(b) == 1 {
		unit = "byte"
	}
	text := fmt.Sprintf("[%d %s]", len(b), unit)
	if len(b) == 0 {
		return text
	}
	if len(b) > most {
		return fmt.Sprintf("%s % x …", text, b[:most])
	}
	return fmt.Sprintf("%s % x", text, b)
}

// toUTF8 is a text as a text message must be.
func toUTF8(b []byte) []byte { return bytes.ToValidUTF8(b, []byte("\uFFFD")) }

// frameOf makes a message of the content of a file: text if it is any.
func frameOf(b []byte, binary bool) proto.Frame {
	if binary || !utf8.Valid(b) {
		return proto.Frame{Opcode: frame.OpBinary, Payload: b}
	}
	return proto.Text(b)
}
