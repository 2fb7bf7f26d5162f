package output

import (
	"errors"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
)

// A Format says what is printed for an event.
type Format string

const (
	// FormatMessage prints the message that carried the event, byte for byte, on
	// one line (see eventjson.AppendLine). A text message that is not JSON becomes a
	// JSON string, with U+FFFD for what is not UTF-8; a binary message that is not
	// JSON becomes {"data_base64":"…"}.
	FormatMessage Format = "message"
	// FormatCloudEvents prints the event as CloudEvents 1.0 JSON. A message that is
	// a CloudEvent already passes through as with FormatMessage.
	FormatCloudEvents Format = "cloudevents"
	// FormatFrames prints each frame as a line of a recording (see proto.BeginFrame);
	// it is for a run with proto.Options.Frames.
	FormatFrames Format = "frames"
)

// Formats are all of them.
func Formats() []Format { return []Format{FormatMessage, FormatCloudEvents, FormatFrames} }

// ParseFormat returns the format of that name.
func ParseFormat(name string) (Format, error) {
	if f := Format(name); slices.Contains(Formats(), f) {
		return f, nil
	}
	var names []string
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	return "", errors.New("unknown format: expected " + strings.Join(names, ", "))
}

// record makes of an event what is printed for it, before any filter. Of what is long
// and only to be printed, it makes the start; what follows, without a line break, is
// in rest. Both are valid until the next call.
func (w *Writer) record(ev *proto.Event) (data []byte, rest eventjson.Tail, binary bool) {
	switch w.opts.Format {
	case FormatCloudEvents:
		if w.isCloudEvent(ev.Data) {
			return ev.Data, rest, false
		}
		w.scratch, rest = w.appendCloudEvent(w.scratch[:0], ev)
	case FormatFrames:
		r := proto.FrameRecord{
			Time: ev.Time, Direction: ev.Direction, Opcode: ev.Opcode, Payload: ev.Data, Secret: ev.Secret,
		}
		if r.Direction == proto.Out {
			r.Payload = w.opts.Redact(r.Payload)
		}
		w.scratch, rest = proto.BeginFrame(w.scratch[:0], r)
		rest.End = strings.TrimSuffix(rest.End, "\n")
	default:
		return ev.Data, rest, ev.Binary
	}
	if !rest.Done() && w.sees {
		// Its values will take as much again.
		if n := rest.Len(); w.opts.Limit == 0 || len(w.scratch)+n <= w.opts.Limit/2 {
			w.scratch = rest.AppendAll(slices.Grow(w.scratch, n))
			rest = eventjson.Tail{}
		}
	}
	data = w.scratch
	if cap(data) > 4*bufferSize { // the room for a giant, which is rare
		w.scratch = nil
	}
	return data, rest, false
}
