package proto

import (
	"bytes"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto/frame"
)

// How nearly all lines of a recording look, those of BeginRecord for messages of text.
var (
	lineTime = []byte(`{"time":"`)
	lineIn   = []byte(`","dir":"in","op":"text","text":"`)
	lineOut  = []byte(`","dir":"out","op":"text","text":"`)
)

// textRecord reads a line of that form, in a tenth of the time that any line takes. When
// ok is false it is another one, or none.
func (t *RecordingReader) textRecord(b []byte) (r FrameRecord, ok bool) {
	b, ok = bytes.CutPrefix(b, lineTime)
	end := bytes.IndexByte(b, '"')
	if !ok || end < 0 || r.Time.UnmarshalText(b[:end]) != nil {
		return r, false
	}
	switch b = b[end:]; {
	case bytes.HasPrefix(b, lineIn):
		r.Direction, b = In, b[len(lineIn)-1:]
	case bytes.HasPrefix(b, lineOut):
		r.Direction, b = Out, b[len(lineOut)-1:]
	default:
		return r, false
	}
	text, n := eventjson.AppendUnquoted(t.text[:0], b)
	if n == 0 || string(bytes.TrimRight(b[n:], "\r\n")) != "}" {
		return r, false
	}
	if cap(text) <= maxText {
		t.text = text
	}
	r.Opcode, r.Payload = frame.OpText, text
	return r, true
}

// maxText is how much room for the text of a message is kept, in bytes.
const maxText = 1 << 20
