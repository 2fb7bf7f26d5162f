package proto

import (
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/eventjson"
)

// The fast way of reading has the same results as the other.
func FuzzTextRecord(f *testing.F) {
	for _, tt := range recordingTable() {
		f.Add(tt.line + "\n")
		f.Add(tt.line)
	}
	const start = `{"time":"2026-03-01T12:00:00.123456789Z","dir":"in","op":"text","text":`
	for _, s := range []string{
		start + `"a\"\u00e9\ud83d\ude00\n"}`, start + `"\ud800"}` + "\r\n", start + `""}`, start + `"a" }`, start + `"a","withheld":true}`, start + `"a"}}`, start + `"a`, start + "\"\xff\"}", start + `1}`,
		strings.Replace(start, "Z", "+02:00", 1) + `"a"}`, strings.Replace(start, "00.123456789Z", "59Z", 1) + `"a"}`, strings.Replace(start, "00.123456789Z", "60.1Z", 1) + `"a"}`, strings.Replace(start, "00.123456789Z", "07.Z", 1) + `"a"}`,
		strings.Replace(start, "00.123456789Z", "07,5Z", 1) + `"a"}`, strings.Replace(start, "00.123456789Z", "07.1234567891Z", 1) + `"a"}`, strings.Replace(start, "00.123456789Z", "0a.5Z", 1) + `"a"}`, strings.Replace(start, "2026", "26", 1) + `"a"}`, strings.Replace(start, "T", " ", 1) + `"a"}`, strings.Replace(start, "Z", "", 1) + `"a"}`,
	} {
		f.Add(s)
	}
	const json = `{"time":"2026-03-01T12:00:00.123456789Z","dir":"in","op":"text","size":`
	for _, s := range []string{`7,"json":{"a":1}}`, `8,"json":{"a":1}}`, `2,"json":{"a":1},"b":{}}`, `15,"json":{"a":1},"b":{}}`, `15,"json":{"a":1},"json":{}}`, `7,"json":{"a" 1}}`, `07,"json":{"a":1}}`,
		`1,"json":1}`, `2,"json":{}`, `2,"json":{},"withheld":true}`, `,"json":{}}`, `-2,"json":{}}`, `9999999999,"json":{}}`, `2,"json":{}}` + "\r\n", `2,"json": {}}`, `0,"json":}`, `2,"text":"a"}`,
	} {
		f.Add(json + s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var reader RecordingReader
		reader.textRecord([]byte(start + `"a"}`)) // for the minute
		got, ok := reader.textRecord([]byte(line))
		if !ok {
			return
		}
		if isBracketed(got.Payload) && !eventjson.ValidAt(got.Payload, 1) {
			return // a message that is not JSON, as one in a text may be
		}
		l, err := parseRecordingLine([]byte(line))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		want, err := l.record()
		if err != nil || !sameRecord(got, want) || got.Time.String() != want.Time.String() {
			t.Fatalf("%q: %+v, want %+v, %v", line, got, want, err)
		}
	})
}

// Almost all lines are read that way.
func TestTextRecord(t *testing.T) {
	read := 0
	for _, tt := range recordingTable() {
		var reader RecordingReader
		if _, ok := reader.textRecord([]byte(tt.line + "\n")); ok {
			read++
		}
	}
	if read < 3 {
		t.Errorf("%d", read)
	}
}

func TestPlainFiles(t *testing.T) {
	for _, tt := range []struct {
		text  string
		plain bool
	}{
		{`{"a":1}`, true}, {`[1]` + "\n" + `x`, true}, {`"text"`, true}, {`{"op":"text"}`, true}, {`{"dir":"in","op":1}`, true}, {`{"format":"x","version":1}`, true}, {"\ufeff{}\r\n", true},
		{`{"format":"hark-tape","version":1}`, false}, {`{"format":"hark-tape","version":1}` + "\n{}", false}, {`{"time":"2026-03-01T12:00:00Z","dir":"in","op":"text","text":"x"}`, false},
		{`text`, false}, {`{"a":`, false}, {"", false}, {"\n", false}, {"1 2", false},
	} {
		r, err := NewMessageReader(strings.NewReader(tt.text))
		if got := err == nil && r.Plain; got != tt.plain {
			t.Errorf("%q: %v, %v", tt.text, got, err)
		}
		if !tt.plain {
			continue
		}
		if _, err := NewRecordingReader(strings.NewReader(tt.text)); err == nil {
			t.Errorf("%q is a recording", tt.text)
		}
		want := strings.FieldsFunc(strings.TrimPrefix(tt.text, "\ufeff"), func(c rune) bool { return c == '\n' || c == '\r' })
		for m, err := range r.Records() {
			if err != nil || len(want) == 0 || string(m.Payload) != want[0] || m.Time.IsZero() {
				t.Fatalf("%q: %q, %v, want %q", tt.text, m.Payload, err, want)
			}
			want = want[1:]
		}
		if len(want) > 0 {
			t.Errorf("%q: %q is missing", tt.text, want)
		}
	}
}
