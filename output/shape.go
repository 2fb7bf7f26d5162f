package output

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	collector "runtime/debug"
	"strings"
	"time"
	"unsafe"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
)

// A kind says what a message is printed as.
type kind int

const (
	kindJSON   kind = iota // itself
	kindText               // a JSON string
	kindBinary             // an object with Base64
)

// maxGrowth is more than how many times as much memory the values of an event can take
// as its text. What is smaller, by as much, than Options.Limit, needs no limit.
const maxGrowth = 64

// decode decodes what is printed for an event, unless that was done.
func (w *Writer) decode(s *eventView) {
	if !s.decoded {
		s.decoded = true
		w.value(s)
	}
}

// value decodes what is printed for an event, in the types of eventjson.Decoder. It
// is valid until the next call.
func (w *Writer) value(s *eventView) {
	if !s.rest.Done() { // because it is too large as a whole
		s.unseen = w.tooLarge()
		return
	}
	w.dec.Limit = w.opts.Limit
	if len(s.data) >= giant && w.dec.Limit > 0 && w.opts.Format != FormatMessage {
		w.dec.Limit = max(w.dec.Limit-len(s.data), 1) // it is there alongside the message
	}
	v, err := w.dec.DecodeSelected(s.data, w.selection)
	switch {
	case err == nil:
		s.value, s.kind = v, kindJSON
	case errors.Is(err, eventjson.ErrTooLarge):
		s.unseen = w.tooLarge()
	case s.binary:
		if n := base64.StdEncoding.EncodedLen(len(s.data)); w.opts.Limit > 0 && n > w.opts.Limit {
			s.unseen = w.tooLarge()
			return
		}
		s.value, s.kind = map[string]any{base64Member: base64Text(s.data)}, kindBinary
	default:
		s.value, s.kind = validText(s.data), kindText
	}
}

// tooLarge is why expressions do not see an event.
func (w *Writer) tooLarge() error {
	return fmt.Errorf("too large to filter: needs more than %s of memory; --max-message-size allows more",
		mebibytes(w.opts.Limit))
}

// mebibytes is a size for people.
func mebibytes(n int) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", max(n>>10, 1))
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// base64Text is base64.StdEncoding.EncodeToString, which makes the text twice.
func base64Text(b []byte) string {
	var text strings.Builder
	text.Grow(base64.StdEncoding.EncodedLen(len(b)))
	e := base64.NewEncoder(base64.StdEncoding, &text)
	_, _ = e.Write(b) // to memory
	_ = e.Close()
	return text.String()
}

// validText returns b with U+FFFD for each byte that is not part of valid UTF-8.
// strings.ToValidUTF8 would put one instead of several.
func validText(b []byte) string {
	return strings.Map(func(r rune) rune { return r }, string(b))
}

// event prints ev and asks the conditions.
func (w *Writer) event(ev *proto.Event, e *early) error {
	s := &w.sight
	*s = eventView{ev: ev, early: e}
	if e != nil {
		s.data = e.data
	} else {
		s.data, s.rest, s.binary = w.record(ev)
	}
	w.lines.at = ev.Time
	if len(w.memory.slots) > 0 {
		w.memory.keep(w, ev, s.data, s.rest)
	}
	var err error
	if w.sees || w.opts.Raw && mayBeString(s.data) {
		if w.natively && s.rest.Done() && (w.opts.Limit == 0 || len(s.data) <= w.opts.Limit/maxGrowth) {
			s.native, s.breaks = w.set.Load(s.data)
		}
		if err = w.look(s); err == nil {
			err = w.shape(s)
		}
	} else {
		err = w.whole(s, false)
	}
	if s.printed {
		w.printed++
	}
	if taken := max(w.dec.Taken(), len(ev.Data)); taken >= giant {
		w.forget(taken)
	}
	if err != nil && !errors.Is(err, jq.ErrHalt) {
		return err
	}
	return w.verdict(s, err != nil)
}

// giant is the size of an event, or of its values, from which on nothing that was made
// of it is kept until the next one comes, in bytes. gcThreshold is how much garbage is
// worth a collection at once: the collector would begin too late with what the next
// event uses up by a single allocation.
const (
	giant       = 1 << 20
	gcThreshold = 16 << 20
)

// forget lets go of the last event and its values, which took so many bytes.
func (w *Writer) forget(taken int) {
	w.sight.value, w.sight.data, w.sight.rest = nil, nil, eventjson.Tail{}
	if w.sees {
		w.dec = eventjson.Decoder{}
	}
	if w.filter != nil {
		w.filter.Forget()
	}
	if taken >= gcThreshold && (w.sees || w.opts.Format == FormatCloudEvents) {
		collector.FreeOSMemory()
	}
}

// verdict is how the stream ends with an event, if it does. All conditions are
// asked, because they count.
func (w *Writer) verdict(s *eventView, halt bool) error {
	var end error
	for _, c := range w.opts.Conditions {
		if e := c.verdict(s); end == nil {
			end = e
		}
	}
	if end == nil && halt {
		return Ended{Condition: "halt"}
	}
	return end
}

func (w *Writer) look(s *eventView) error {
	for _, c := range w.opts.Conditions {
		if err := c.look(w, s); err != nil {
			return err
		}
	}
	return nil
}

// message prints an event when nothing needs its value.
func (w *Writer) message(s *eventView) (bad, err error) {
	if !s.rest.Done() {
		return nil, w.lines.unfinished(s.data, s.rest)
	}
	ok, err := w.lines.message(s.data)
	switch {
	case ok || err != nil:
		return nil, err
	case s.binary:
		return nil, w.lines.binary(s.data)
	case w.opts.Raw:
		return w.lines.raw(validText(s.data))
	}
	return nil, w.lines.text(s.data)
}

// mayBeString reports whether b, if it is JSON, is a string.
func mayBeString(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == '"'
}

// whole prints an event when there is no filter; known reports whether it is known what
// it is.
func (w *Writer) whole(s *eventView, known bool) error {
	var bad, err error
	if w.opts.Line != nil && w.opts.Format != FormatFrames {
		w.scratch = w.opts.Line(w.scratch[:0], s.ev)
		err = w.lines.line(w.scratch)
	} else if known {
		bad, err = w.original(s)
	} else {
		bad, err = w.message(s)
	}
	if bad != nil {
		return w.failure(nil, s.ev, bad)
	}
	s.printed = true
	return err
}

// shape prints what the filter makes of an event.
func (w *Writer) shape(s *eventView) error {
	switch {
	case s.early != nil && s.early.ok:
		return w.early(s)
	case s.native && w.opts.Filter == nil:
		return w.whole(s, true)
	case s.native && w.native != nil:
		if outs, ok := w.native.Outputs(); ok {
			return w.outputs(s, outs)
		}
	}
	var began time.Time
	if w.parallel.batches > 0 && w.events%sampled == 0 {
		began = time.Now()
	}
	switch w.decode(s); {
	case s.unseen != nil && (w.opts.Filter != nil || w.opts.Raw):
		return w.failure(w.opts.Filter, s.ev, s.unseen)
	case w.opts.Filter == nil:
		return w.whole(s, s.unseen == nil)
	}
	if w.filter == nil {
		w.filter = w.opts.Filter.Pipeline(w.opts.Context)
	}
	w.filter.Run(s.value)
	if len(s.data) > bufferSize {
		defer w.filter.Forget()
	}
	for {
		out, ok, err := w.filter.Next()
		if !began.IsZero() {
			w.parallel.took(time.Since(began))
			began = time.Time{}
		}
		if err != nil {
			return w.failure(w.opts.Filter, s.ev, err)
		}
		if !ok {
			return nil
		}
		var bad error
		if same(s.value, out) {
			bad, err = w.original(s)
		} else {
			bad, err = w.made(out, len(s.data) >= giant)
		}
		if bad != nil {
			return w.failure(w.opts.Filter, s.ev, bad)
		}
		if err != nil {
			return err
		}
		s.printed = true
	}
}

// outputs prints what the filter made natively of an event.
func (w *Writer) outputs(s *eventView, outs []jq.Output) error {
	for i := range outs {
		var bad, err error
		switch out := &outs[i]; {
		case out.Whole:
			bad, err = w.original(s)
		case w.opts.Raw && out.Kind == eventjson.KindString:
			bad, err = w.lines.raw(out.Text())
		default:
			err = w.lines.made(out.JSON)
		}
		if bad != nil {
			return w.failure(w.opts.Filter, s.ev, bad)
		}
		if err != nil {
			return err
		}
		s.printed = true
	}
	return nil
}

// original prints an event as it came. bad says that it cannot be printed.
func (w *Writer) original(s *eventView) (bad, err error) {
	if s.native {
		return nil, w.lines.valid(s.data, s.breaks)
	}
	if text, ok := s.value.(string); ok && w.opts.Raw {
		return w.lines.raw(text)
	}
	switch s.kind {
	case kindBinary:
		return nil, w.lines.binary(s.data)
	case kindText:
		return nil, w.lines.text(s.data)
	}
	_, err = w.lines.message(s.data)
	return nil, err
}

// made prints a value that a filter made. bad says that it cannot be printed.
func (w *Writer) made(v any, large bool) (bad, err error) {
	if text, ok := v.(string); ok && w.opts.Raw {
		return w.lines.raw(text)
	}
	return w.lines.value(v, large)
}

// failure deals with an error of an expression: nil when the stream goes on.
func (w *Writer) failure(f *jq.Filter, ev *proto.Event, err error) error {
	if errors.Is(err, jq.ErrHalt) {
		return err
	}
	if i, ok := errors.AsType[jq.Interrupted](err); ok {
		return i.Cause
	}
	fe := &FilterError{Flag: "--raw-output", Event: ev.Seq, Err: err}
	if f != nil {
		fe.Flag = f.Flag()
	}
	if w.opts.JQErrorFail {
		return fe
	}
	w.opts.Warn(fe.Error())
	return nil
}

// same reports whether out is the very value in, not only one that equals it; for
// null, booleans and ints that is the same. gojq never changes its input, so a
// filter that lets it through returns it.
func same(in, out any) bool {
	switch in := in.(type) {
	case map[string]any:
		out, ok := out.(map[string]any)
		return ok && reflect.ValueOf(in).UnsafePointer() == reflect.ValueOf(out).UnsafePointer()
	case []any:
		out, ok := out.([]any)
		return ok && len(in) == len(out) && unsafe.SliceData(in) == unsafe.SliceData(out)
	case string:
		out, ok := out.(string)
		return ok && len(in) == len(out) && unsafe.StringData(in) == unsafe.StringData(out)
	case json.Number:
		out, ok := out.(json.Number)
		return ok && len(in) == len(out) && unsafe.StringData(string(in)) == unsafe.StringData(string(out))
	}
	return in == out
}
