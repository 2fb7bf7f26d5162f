package proto

import (
	"bytes"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto/frame"
)

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
