package prompt

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/lineedit"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// A view shows events above the line being edited: the proto.Sink of a terminal. An
// output.Writer that prints into a buffer applies filters and conditions.
type view struct {
	ed    lineedit.Editor
	color bool
	words *words
	log   *transcript

	mu     sync.Mutex
	w      *output.Writer
	buf    *bytes.Buffer
	asIs   bool // messages are shown unchanged
	frames bool // all frames are shown
	pretty bool
	brief  bool
	line   func(dst []byte, ev *proto.Event) []byte
	times  bool
	last   time.Time
	out    []byte
}

// change implements reshaper.
func (v *view) change(f *Shape, change func(*output.Writer) error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asIs, v.frames = asIs(f), f.Format == string(output.FormatFrames)
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

// show appends one event in the format for a terminal.
func (v *view) show(ev *proto.Event) {
	mark := Paint(v.color, Received, "< ")
	if ev.Direction == proto.Out {
		mark = Paint(v.color, Sent, "> ")
	}
	if v.brief && v.asIs && received(ev) {
		v.out = append(v.line(append(v.out, mark...), ev), '\n')
		return
	}
	if v.times {
		at := ev.Time.Format("15:04:05.000")
		if !v.last.IsZero() {
			at += fmt.Sprintf(" +%.3fs", ev.Time.Sub(v.last).Seconds())
		}
		v.last = ev.Time
		mark += Paint(v.color, dim, at+" ")
	}
	if v.asIs {
		isJSON, _ := eventjson.Valid(ev.Data)
		switch {
		case isJSON:
		case ev.Binary:
			v.out = append(append(v.out, mark+Dump(ev.Data)...), '\n')
			return
		default:
			v.add(mark, Visible(string(ev.Data)))
			return
		}
	}
	for line := range strings.Lines(v.buf.String()) {
		line = strings.TrimSuffix(line, "\n")
		isJSON, _ := eventjson.Valid([]byte(line))
		line = Visible(line)
		if isJSON && (v.pretty || v.color) {
			line = string(output.AppendStyled(nil, []byte(line), output.Style{Pretty: v.pretty, Color: v.color}))
		}
		v.add(mark, line)
	}
}

// add appends a text; its second and later lines are indented, so that none of them can
// be mistaken for another message.
func (v *view) add(mark, text string) {
	v.out = append(v.out, mark...)
	v.out = append(v.out, strings.ReplaceAll(text, "\n", "\n  ")...)
	v.out = append(v.out, '\n')
}
