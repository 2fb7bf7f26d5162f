package stream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/jsontext"
	"github.com/hark-cli/hark/internal/lineedit"
	"github.com/hark-cli/hark/internal/prompt"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// A view shows events above the line that is being typed: the proto.Sink of a
// terminal. Filters and conditions are those of an output.Writer that prints into
// a buffer.
type view struct {
	ed     lineedit.Editor
	colour bool
	words  *prompt.Words
	log    *prompt.Transcript

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
func (v *view) change(f *Flags, change func(*output.Writer) error) error {
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
		v.words.See(ev.Data)
		v.log.Add(proto.In, ev.Binary, ev.Data)
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
	mark := prompt.Paint(v.colour, prompt.Received, "< ")
	if ev.Direction == proto.Out {
		mark = prompt.Paint(v.colour, prompt.Sent, "> ")
	}
	if v.times {
		at := ev.Time.Format("15:04:05.000")
		if !v.last.IsZero() {
			at += fmt.Sprintf(" +%.3fs", ev.Time.Sub(v.last).Seconds())
		}
		v.last = ev.Time
		mark += prompt.Paint(v.colour, prompt.Dim, at+" ")
	}
	if v.asIs {
		isJSON, _ := jsontext.Scan(ev.Data)
		switch {
		case isJSON:
		case ev.Binary:
			v.out = append(append(v.out, mark+prompt.Dump(ev.Data)...), '\n')
			return
		default:
			v.add(mark, prompt.Visible(string(ev.Data)))
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
		v.add(mark, prompt.Visible(line))
	}
}

// add appends a text; its second and later lines are indented, so that none of
// them can pass for another message.
func (v *view) add(mark, text string) {
	v.out = append(v.out, mark...)
	v.out = append(v.out, strings.ReplaceAll(text, "\n", "\n  ")...)
	v.out = append(v.out, '\n')
}
