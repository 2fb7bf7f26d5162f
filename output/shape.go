package output

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"unsafe"

	"github.com/hark-cli/hark/internal/jsontext"
	"github.com/hark-cli/hark/proto"
)

// A kind says what a message is printed as.
type kind int

const (
	kindJSON   kind = iota // itself
	kindText               // a JSON string
	kindBinary             // an object with Base64
)

// value returns the JSON value that is printed for ev, in the types of
// jsontext.Decoder, and what it was made from. It is valid until the next call.
func (w *Writer) value(ev *proto.Event) (any, kind) {
	v, err := w.dec.Decode(ev.Data)
	switch {
	case err == nil:
		return v, kindJSON
	case ev.Binary:
		return map[string]any{base64Member: base64.StdEncoding.EncodeToString(ev.Data)}, kindBinary
	}
	return validText(ev.Data), kindText
}

// validText returns b with U+FFFD for each byte that is not part of valid UTF-8.
// strings.ToValidUTF8 would put one in place of several.
func validText(b []byte) string {
	return strings.Map(func(r rune) rune { return r }, string(b))
}

// event prints ev and looks at the conditions.
func (w *Writer) event(ev *proto.Event) error {
	printed, matched := false, false
	var err error
	if w.opts.Filter == nil && w.opts.Until == nil && !(w.opts.Raw && mayBeString(ev.Data)) {
		printed, err = true, w.message(ev)
	} else {
		v, k := w.value(ev)
		if matched, err = w.until(ev, v); err == nil {
			printed, err = w.shape(ev, v, k)
		}
	}
	if printed {
		w.printed++
	}
	switch {
	case err != nil && !errors.Is(err, errHalt):
		return err
	case matched:
		w.matched.Store(true)
		return Ended{Condition: "until"}
	case printed && w.printed == w.opts.Count:
		return Ended{Condition: "count"}
	case err != nil:
		return Ended{Condition: "halt"}
	}
	return nil
}

// message prints ev when nothing needs its value.
func (w *Writer) message(ev *proto.Event) error {
	ok, err := w.lines.message(ev.Data)
	switch {
	case ok || err != nil:
		return err
	case ev.Binary:
		return w.lines.binary(ev.Data)
	case w.opts.Raw:
		return w.lines.raw(validText(ev.Data))
	}
	return w.lines.text(ev.Data)
}

// mayBeString tells whether b, if it is JSON, is a string.
func mayBeString(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == '"'
}

// until tells whether ev is the one that --until waits for.
func (w *Writer) until(ev *proto.Event, v any) (bool, error) {
	if w.opts.Until == nil {
		return false, nil
	}
	matched, err := w.opts.Until.matches(w.opts.Context, v)
	if err != nil {
		return false, w.failure(w.opts.Until, ev, err)
	}
	return matched, nil
}

// shape prints what the filter makes of ev, whose value is v, and tells whether
// that was anything.
func (w *Writer) shape(ev *proto.Event, v any, k kind) (printed bool, err error) {
	if w.opts.Filter == nil {
		return true, w.original(ev, v, k)
	}
	r := w.opts.Filter.run(w.opts.Context, v)
	for {
		out, ok, err := r.next()
		switch {
		case err != nil:
			return printed, w.failure(w.opts.Filter, ev, err)
		case !ok:
			return printed, nil
		case same(v, out):
			err = w.original(ev, v, k)
		default:
			var bad error
			if bad, err = w.made(out); bad != nil {
				return printed, w.failure(w.opts.Filter, ev, bad)
			}
		}
		if err != nil {
			return printed, err
		}
		printed = true
	}
}

// original prints ev as it came.
func (w *Writer) original(ev *proto.Event, v any, k kind) error {
	if text, ok := v.(string); ok && w.opts.Raw {
		return w.lines.raw(text)
	}
	switch k {
	case kindBinary:
		return w.lines.binary(ev.Data)
	case kindText:
		return w.lines.text(ev.Data)
	}
	_, err := w.lines.message(ev.Data)
	return err
}

// made prints a value that a filter made. bad says that it has no JSON form.
func (w *Writer) made(v any) (bad, err error) {
	if text, ok := v.(string); ok && w.opts.Raw {
		return nil, w.lines.raw(text)
	}
	if w.lines.buf, bad = jsontext.AppendValue(w.lines.buf, v); bad != nil {
		return bad, nil
	}
	return nil, w.lines.end()
}

// failure deals with an error of an expression: nil when the stream goes on.
func (w *Writer) failure(f *Filter, ev *proto.Event, err error) error {
	if errors.Is(err, errHalt) {
		return err
	}
	if i, ok := errors.AsType[interrupted](err); ok {
		return i.cause
	}
	fe := &FilterError{Flag: f.flag, Event: ev.Seq, Err: err}
	if w.opts.JQErrorFail {
		return fe
	}
	w.opts.Warn(fe.Error())
	return nil
}

// same tells whether out is the very value in, not only one that equals it; for
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
