package proto

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto/frame"
)

var recordingTime = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// recordingTable has every kind of record with its line.
func recordingTable() []struct {
	record FrameRecord
	line   string
} {
	at := func(d Direction, op frame.Opcode, payload string) FrameRecord {
		return FrameRecord{Time: recordingTime, Direction: d, Opcode: op, Payload: []byte(payload)}
	}
	const in, out = `{"time":"2026-03-01T12:00:00.123456789Z","dir":"in","op":`, `{"time":"2026-03-01T12:00:00.123456789Z","dir":"out","op":`
	closing := at(In, frame.OpClose, "")
	closing.Payload = frame.ClosePayload(1001, "so \"long\"")
	secret := FrameRecord{Time: recordingTime, Direction: Out, Opcode: frame.OpText, Secret: true}
	upgraded := FrameRecord{Time: recordingTime, Direction: Out, Handshake: &HandshakeRecord{
		URL: "ws://host/?…", Header: http.Header{"Authorization": {"***"}}, Status: 101, ResponseHeader: http.Header{"Server": {"a", "b"}},
	}}
	refused := FrameRecord{Time: recordingTime, Direction: Out, Handshake: &HandshakeRecord{URL: "ws://host/", Status: 403, Body: "<no>"}}
	silent := FrameRecord{Time: recordingTime, Direction: Out, Handshake: &HandshakeRecord{URL: "ws://host/"}}
	return []struct {
		record FrameRecord
		line   string
	}{
		{at(In, frame.OpText, `{"a": "<€>"}`), in + `"text","size":14,"json":{"a": "<€>"}}`},
		{at(Out, frame.OpText, `[1.0,{"a":1,"a":2}]`), out + `"text","size":19,"json":[1.0,{"a":1,"a":2}]}`},
		{at(In, frame.OpBinary, `{}`), in + `"binary","size":2,"json":{}}`},
		{at(In, frame.OpText, `"a"`), in + `"text","text":"\"a\""}`},
		{at(In, frame.OpText, `{"a"}`), in + `"text","text":"{\"a\"}"}`},
		{at(In, frame.OpText, "{\n}"), in + `"text","text":"{\n}"}`},
		{at(In, frame.OpText, "{\r}"), in + `"text","text":"{\r}"}`},
		{at(In, frame.OpText, "{} "), in + `"text","text":"{} "}`},
		{at(In, frame.OpText, "{\"\xff\"}"), in + `"text","base64":"eyL/In0="}`},
		{at(In, frame.OpPing, "{}"), in + `"ping","text":"{}"}`},
		{at(In, frame.OpText, ""), in + `"text","text":""}`},
		{at(In, frame.OpText, "two\nlines\u2028\x00"), in + `"text","text":"two\nlines` + "\u2028" + `\u0000"}`},
		{at(In, frame.OpText, "\xff"), in + `"text","base64":"/w=="}`},
		{at(Out, frame.OpBinary, "\x00\xff\x10"), out + `"binary","base64":"AP8Q"}`},
		{at(Out, frame.OpBinary, "plain"), out + `"binary","text":"plain"}`},
		{at(Out, frame.OpPing, "hark"), out + `"ping","text":"hark"}`},
		{at(In, frame.OpPong, "\xfe"), in + `"pong","base64":"/g=="}`},
		{closing, in + `"close","code":1001,"reason":"so \"long\""}`},
		{at(Out, frame.OpClose, ""), out + `"close","code":1005}`},
		{secret, out + `"text","withheld":true}`},
		{upgraded, out + `"handshake","request":{"url":"ws://host/?…","header":{"Authorization":["***"]}},"response":{"status":101,"header":{"Server":["a","b"]}}}`},
		{refused, out + `"handshake","request":{"url":"ws://host/"},"response":{"status":403,"body":"<no>"}}`},
		{silent, out + `"handshake","request":{"url":"ws://host/"}}`},
	}
}

func sameRecord(a, b FrameRecord) bool {
	return a.Time.Equal(b.Time) && a.Direction == b.Direction && a.Opcode == b.Opcode && a.Secret == b.Secret &&
		bytes.Equal(a.Payload, b.Payload) && cmp.Equal(a.Handshake, b.Handshake)
}

func TestRecording(t *testing.T) {
	var want []FrameRecord
	recording := AppendHead(nil, RecordingHead{Time: recordingTime, Service: "drogue"})
	if got := string(recording); got != `{"format":"hark-tape","version":1,"time":"2026-03-01T12:00:00.123456789Z","service":"drogue"}`+"\n" {
		t.Errorf("head: %s", got)
	}
	for _, tt := range recordingTable() {
		n := len(recording)
		recording = AppendRecord(recording, tt.record)
		if got := string(recording[n:]); got != tt.line+"\n" {
			t.Errorf("AppendRecord:\n%swant\n%s", got, tt.line)
		}
		want = append(want, tt.record)
	}
	// For all sizes of pieces.
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(recording), "bytes": iotest.OneByteReader(bytes.NewReader(recording)), "no last break": bytes.NewReader(recording[:len(recording)-1]),
	} {
		head, got, err := readRecording(r)
		if err != nil || head.Service != "drogue" || !head.Time.Equal(recordingTime) {
			t.Errorf("%s: head %v, error %v", name, head, err)
		}
		if !slices.EqualFunc(got, want, sameRecord) {
			t.Errorf("%s:\n%s", name, cmp.Diff(want, got))
		}
	}
}

func readRecording(r io.Reader) (RecordingHead, []FrameRecord, error) {
	t, err := NewRecordingReader(r)
	if err != nil {
		return RecordingHead{}, nil, err
	}
	var all []FrameRecord
	for rec, err := range t.Records() {
		if err != nil {
			return t.Head, all, err
		}
		rec.Payload = bytes.Clone(rec.Payload) // it is valid until the next one
		all = append(all, rec)
	}
	return t.Head, all, nil
}

// The end of a recording is that of the last command that wrote to it.
func TestRecordingEnd(t *testing.T) {
	const head = `{"format":"hark-tape","version":1,"service":"connect","source":"ws://x","run":"ab"}` + "\n"
	const good = `{"dir":"in","op":"text","text":"x"}` + "\n"
	end := RecordingEnd{Time: noon, ExitCode: 8, Error: "gone"}
	for recording, want := range map[string]*RecordingEnd{
		head + good: nil,
		head + good + string(AppendEnd(nil, end)):                                   &end,
		head + good + string(AppendEnd(nil, end)) + good:                            nil,
		head + good + string(AppendEnd(nil, end)) + head + good:                     nil,
		head + string(AppendEnd(nil, RecordingEnd{})) + string(AppendEnd(nil, end)): &end,
	} {
		r, err := NewRecordingReader(strings.NewReader(recording))
		if err != nil {
			t.Fatal(err)
		}
		if r.Head.Source != "ws://x" || r.Head.Run != "ab" {
			t.Errorf("head %+v", r.Head)
		}
		for range r.Records() {
		}
		if diff := cmp.Diff(want, r.End); diff != "" {
			t.Errorf("%s(-want +got):\n%s", recording, diff)
		}
	}
}

// A file that is not a recording is recognized by a small part of it, also without any
// line break; a large message may be in the first line of a recording without a head.
func TestRecordingFirstLine(t *testing.T) {
	endless := &endlessReader{}
	_, err := NewRecordingReader(endless)
	if _, ok := errors.AsType[*RecordingError](err); !ok || endless.n > 2<<20 {
		t.Errorf("%v after %d bytes", err, endless.n)
	}
	large := `{"dir":"in","op":"text","text":"` + strings.Repeat("x", 4<<20) + `"}` + "\n"
	if _, got, err := readRecording(strings.NewReader(large)); len(got) != 1 || err != nil {
		t.Errorf("a large message: %d records, %v", len(got), err)
	}
}

// An endlessReader returns zeros, and counts them.
type endlessReader struct{ n int }

func (r *endlessReader) Read(p []byte) (int, error) {
	clear(p)
	r.n += len(p)
	return len(p), nil
}

func TestRecordingErrors(t *testing.T) {
	const head = `{"format":"hark-tape","version":1}` + "\n"
	const good = `{"dir":"in","op":"text","text":"x"}` + "\n"
	tests := []struct {
		name, recording string
		records         int
		err             string // "" for none
	}{
		{"empty", "", 0, "the file is empty, and not a recording"},
		{"blank", "\n \n", 0, "the file is empty, and not a recording"},
		{"head alone", head, 0, ""},
		{"no head", good + good, 2, ""},
		{"an end", head + good + `{"op":"end","exit_code":8}` + "\n", 1, ""},
		{"two recordings with ends", head + good + `{"op":"end"}` + "\n" + head + good + `{"op":"end"}` + "\n", 2, ""},
		{"byte order mark", "\ufeff" + head + good, 1, ""},
		{"gzip", "\x1f\x8b\x08\x00", 0, "the file is compressed with gzip"},
		{"UTF-16", "\xff\xfe{\x00", 0, "the file is UTF-16"},
		{"two recordings", head + good + "\n" + head + good, 2, ""},
		{"cut in the head", head[:12], 0, "recording, line 1: the recording is cut off in its first line"},
		{"cut", head + good + good[:20], 1, ErrRecordingCut.Error()},
		{"cut before the break", head + good + good[:len(good)-1], 2, ""},
		{"broken in the middle", head + good + good[:20] + "\n" + good, 1, "recording, line 3: not a valid record: "},
		{"another file", "{\"a\":1}\n", 0, `recording, line 1: not a recording: a first line with "format":"hark-tape" is missing`},
		{"a member of another type", head + `{"exit_code":"x"}` + "\n", 0, "recording, line 2: not a valid record: exit_code has a value of the wrong type (string)"},
		{"text", "hello\nyou\n", 0, "recording, line 1: not a valid record: "},
		{"another format", `{"format":"x","version":1}` + "\n", 0, "recording, line 1: not a recording: "},
		{"of the future", `{"format":"hark-tape","version":2}` + "\n", 0, "recording, line 1: the recording has version 2 of the format; only version 1 is supported"},
		{"direction", head + `{"dir":"up","op":"text","text":""}` + "\n", 0, `recording, line 2: dir is "up": expected in or out`},
		{"opcode", head + good + `{"dir":"in","op":"poke"}` + "\n", 1, `recording, line 3: op is "poke": expected `},
		{"no payload", head + `{"dir":"in","op":"text"}` + "\n", 0, "recording, line 2: there is neither json, text nor base64"},
		{"code", head + `{"dir":"in","op":"close","code":70000}` + "\n", 0, "recording, line 2: code is 70000: expected that of a close frame"},
		{"unknown member", head + `{"dir":"in","op":"text","text":"x","later":[1]}` + "\n", 1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, got, err := readRecording(strings.NewReader(tt.recording))
			if len(got) != tt.records {
				t.Errorf("%d records, want %d", len(got), tt.records)
			}
			if text := fmt.Sprint(err); (err != nil) != (tt.err != "") || err != nil && !strings.HasPrefix(text, tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
	broken := errors.New("broken disk")
	_, got, err := readRecording(io.MultiReader(strings.NewReader(head+good), iotest.ErrReader(broken)))
	if len(got) != 1 || !errors.Is(err, broken) {
		t.Errorf("%d records and %v, want one and the error of the reader", len(got), err)
	}
}

// A payload is only valid until the next record; a stopped iteration can be resumed.
func TestRecordingInParts(t *testing.T) {
	line := AppendRecord(nil, FrameRecord{Time: recordingTime, Direction: In, Opcode: frame.OpText, Payload: bytes.Repeat([]byte("long "), 40_000)})
	r, err := NewRecordingReader(bytes.NewReader(bytes.Repeat(line, 5)))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range 3 {
		for rec, err := range r.Records() {
			if err != nil || len(rec.Payload) != 200_000 {
				t.Fatalf("%d bytes, error %v", len(rec.Payload), err)
			}
			if n++; n%2 == 0 {
				break
			}
		}
	}
	if n != 5 {
		t.Errorf("%d records, want 5", n)
	}
}

var sizeMember = regexp.MustCompile(`^(\{"time":"[^"]*","dir":"out","op":"[a-z]*",)"size":[0-9]+,`)

// A recording is read unchanged; and no file makes the reader panic.
func FuzzRecording(f *testing.F) {
	for _, tt := range recordingTable() {
		f.Add([]byte(tt.line), byte(tt.record.Opcode), tt.record.Payload)
	}
	f.Add([]byte(`{"format":"hark-tape","version":1}`), byte(frame.OpBinary), []byte("\xe2\x82"))
	f.Add([]byte{}, byte(0), []byte(strings.Repeat("[", eventjson.MaxDepth)+strings.Repeat("]", eventjson.MaxDepth)))
	f.Add([]byte{}, byte(0), []byte(strings.Repeat("[", eventjson.MaxDepth-1)+strings.Repeat("]", eventjson.MaxDepth-1)))
	f.Fuzz(func(t *testing.T, file []byte, op byte, payload []byte) {
		_, _, _ = readRecording(bytes.NewReader(file))
		want := FrameRecord{Time: recordingTime, Direction: Out, Opcode: recordingOps[int(op)%len(recordingOps)], Payload: payload}
		if want.Opcode == frame.OpClose {
			return // its payload is parsed
		}
		start, rest := BeginFrame(nil, want)
		for _, line := range [][]byte{AppendRecord(nil, want), rest.AppendAll(start)} {
			if bytes.IndexByte(line, '\n') != len(line)-1 {
				t.Fatalf("more than one line: %q", line)
			}
			if ok, _ := eventjson.Valid(line); !ok {
				t.Fatalf("not JSON: %q", line)
			}
			// The size of an edited record may be wrong.
			edited := sizeMember.ReplaceAll(line, []byte(`$1"size":1,`))
			for _, line := range [][]byte{line, edited} {
				_, got, err := readRecording(bytes.NewReader(line))
				if err != nil || len(got) != 1 || !sameRecord(got[0], want) {
					t.Fatalf("%q became %v, %v", line, got, err)
				}
			}
		}
	})
}

func BenchmarkRecordingReader(b *testing.B) {
	line := AppendRecord(nil, FrameRecord{Time: recordingTime, Direction: In, Opcode: frame.OpText, Payload: []byte(
		`{"specversion":"1.0","id":"3f1c2b9e-7b1d-4f0a-9d5e-0c1f2a3b4c5d","type":"io.drogue.event.v1","source":"drogue://demo-app/thermostat-1",` +
			`"datacontenttype":"application/json","subject":"temperature","time":"2026-03-01T12:00:00.123Z","data":{"temp":21.5}}`)})
	const n = 1000
	recording := bytes.Repeat(line, n)
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		_, got, err := readRecording(bytes.NewReader(recording))
		if err != nil || len(got) != n {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/record")
}
