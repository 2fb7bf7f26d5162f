package proto

import (
	"bytes"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto/frame"
)

// How nearly all lines of a recording look, those of BeginRecord for messages of text.
var (
	lineTime = []byte(`{"time":"`)
	lineIn   = []byte(`","dir":"in","op":"text","`)
	lineOut  = []byte(`","dir":"out","op":"text","`)
	lineText = []byte(`text":"`)
	lineSize = []byte(`size":`)
	lineJSON = []byte(`,"json":`)
)

// textRecord reads a line of that form, in a tenth of the time that any line takes. When
// ok is false it is another one, or none.
//
// It does not check the JSON in a line, because all that events go to does: a damaged
// message is one that is not JSON, as a damaged text is. That nothing but the message is
// taken for it, also in a line that was edited, is what its size is for.
func (t *RecordingReader) textRecord(b []byte) (r FrameRecord, ok bool) {
	b, ok = bytes.CutPrefix(b, lineTime)
	end := bytes.IndexByte(b, '"')
	if !ok || end < 0 {
		return r, false
	}
	if r.Time, ok = t.minute.parse(b[:end]); !ok {
		return r, false
	}
	switch b = b[end:]; {
	case bytes.HasPrefix(b, lineIn):
		r.Direction, b = In, b[len(lineIn):]
	case bytes.HasPrefix(b, lineOut):
		r.Direction, b = Out, b[len(lineOut):]
	default:
		return r, false
	}
	r.Opcode = frame.OpText
	switch {
	case bytes.HasPrefix(b, lineSize):
		r.Payload, ok = sized(b[len(lineSize):])
	case bytes.HasPrefix(b, lineText):
		r.Payload, ok = t.unquoted(b[len(lineText)-1:])
	default:
		ok = false
	}
	return r, ok
}

// sized returns the message in the rest of a line, which begins with its size.
func sized(b []byte) (message []byte, ok bool) {
	digits := bytes.IndexByte(b, ',')
	if digits <= 0 || digits > maxSizeDigits || b[0] == '0' {
		return nil, false
	}
	size, ok := decimal(b[:digits])
	b, is := bytes.CutPrefix(b[digits:], lineJSON)
	if !ok || !is || len(b) <= size || !isEnd(b[size:]) || !isBracketed(b[:size]) {
		return nil, false
	}
	return b[:size:size], true
}

// maxSizeDigits is how many digits a size has at most: those of maxRecordingLine.
const maxSizeDigits = 9

// unquoted returns the text in the rest of a line, which begins with its quote.
func (t *RecordingReader) unquoted(b []byte) (text []byte, ok bool) {
	var room []byte
	if t.Room != nil {
		room = t.Room(len(b))
	}
	own := room == nil
	if own {
		room = t.text[:0]
	}
	text, n := eventjson.AppendUnquoted(room, b)
	if n == 0 || !isEnd(b[n:]) {
		return nil, false
	}
	if own && cap(text) <= maxText {
		t.text = text
	}
	return text[len(room):], true
}

// isEnd reports whether b is the end of a line after its last member.
func isEnd(b []byte) bool { return string(bytes.TrimRight(b, "\r\n")) == "}" }

// A minute is the one that the last time was in: most times are in the same.
type minute struct {
	text  []byte // 2026-03-01T12:00:
	start time.Time
}

// parse parses a time of RFC 3339.
func (m *minute) parse(b []byte) (t time.Time, ok bool) {
	const seconds, point = len("2006-01-02T15:04:"), len("2006-01-02T15:04:05")
	last := len(b) - 1
	if last < point || b[last] != 'Z' || last-point > len(".123456789") {
		return t, t.UnmarshalText(b) == nil
	}
	if !bytes.Equal(b[:seconds], m.text) {
		if t.UnmarshalText(b) != nil {
			return t, false
		}
		m.text = append(m.text[:0], b[:seconds]...)
		m.start = t.Truncate(time.Minute)
		return t, true
	}
	sec, ok := decimal(b[seconds:point])
	if !ok || sec > 59 {
		return t, t.UnmarshalText(b) == nil
	}
	nanos := 0
	if point < last {
		fraction := b[point+1 : last]
		if nanos, ok = decimal(fraction); !ok || b[point] != '.' || len(fraction) == 0 {
			return t, t.UnmarshalText(b) == nil
		}
		for range 9 - len(fraction) {
			nanos *= 10
		}
	}
	return m.start.Add(time.Duration(sec)*time.Second + time.Duration(nanos)), true
}

func decimal(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + int(c)
	}
	return n, true
}

// maxText is how much room for the text of a message is kept, in bytes.
const maxText = 1 << 20

// isPlain reports whether the first line of a file is a JSON value that is neither the
// head of a recording nor a frame in one.
func isPlain(b []byte) bool {
	if ok, _ := eventjson.Valid(b); !ok {
		return false
	}
	members := map[string]string{}
	eventjson.Members(b, func(name, value []byte) bool {
		if text, ok := eventjson.String(value); ok {
			members[string(name)] = text
		}
		return true
	})
	_, isFrame := members["op"]
	switch members["dir"] {
	case "in", "out":
	default:
		isFrame = false
	}
	return members["format"] != recordingFormat && !isFrame
}

// plain is a line of a plain file.
func (t *RecordingReader) plain(b []byte) FrameRecord {
	return FrameRecord{Time: t.now, Direction: In, Opcode: frame.OpText, Payload: bytes.TrimRight(b, "\r\n")}
}
