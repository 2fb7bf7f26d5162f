package proto

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto/frame"
)

// A record that is begun and written in pieces is the same line as at once, and parses
// to the same record.
func TestRecordInPieces(t *testing.T) {
	for name, filling := range map[string]string{
		"ascii": "x", "wide": "é漢😀", "control": "\x00\x01\x1f\x7f", "escapes": "\"\\\n", "separators": "a\u2028\u2029",
		"binary": "\xff\x00", "nearly UTF-8": "漢漢漢\xe6",
	} {
		for _, size := range []int{0, 1, 4095, 4096, 4097, 4098, 4099, 65535, 65536, 65537, 200_003} {
			payload := bytes.Repeat([]byte(filling), size/len(filling)+1)[:size]
			r := FrameRecord{Time: recordingTime, Direction: In, Opcode: frame.OpBinary, Payload: payload}
			want := `{"time":"2026-03-01T12:00:00.123456789Z","dir":"in","op":"binary",`
			if utf8.Valid(payload) {
				want += `"text":` + string(eventjson.AppendString(nil, payload)) + "}\n"
			} else {
				want += `"base64":"` + base64.StdEncoding.EncodeToString(payload) + "\"}\n"
			}
			if got := string(AppendRecord(nil, r)); got != want {
				t.Fatalf("%s, %d bytes: AppendRecord makes another line", name, size)
			}
			line, rest := BeginRecord(nil, r)
			pieces := 0
			for ; !rest.Done(); pieces++ {
				line = rest.Append(line, 9000)
			}
			if string(line) != want {
				t.Fatalf("%s, %d bytes: the pieces make another line", name, size)
			}
			if most := size/1000 + 1; size > 10_000 && pieces < 2 || pieces > most {
				t.Errorf("%s, %d bytes: %d pieces", name, size, pieces)
			}
			if _, got, err := readRecording(bytes.NewReader(line)); err != nil || len(got) != 1 || !sameRecord(got[0], r) {
				t.Fatalf("%s, %d bytes: read back as something else, error %v", name, size, err)
			}
		}
	}
	// Secret payloads are omitted, however long they are.
	r := FrameRecord{Time: recordingTime, Direction: Out, Opcode: frame.OpText, Secret: true, Payload: bytes.Repeat([]byte("hunter2"), 10_000)}
	if line, rest := BeginRecord(nil, r); !rest.Done() || strings.Contains(string(line), "hunter2") {
		t.Errorf("%.200s", line)
	}
}
