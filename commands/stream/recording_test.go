package stream

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
)

// recorded returns the recording of records, after its head.
func recorded(t *testing.T, secrets *secret.Redactor, records ...proto.FrameRecord) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.tape")
	r, err := newRecorder(path, false, proto.RecordingHead{Service: "connect"}, secrets, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range records {
		payload := bytes.Clone(f.Payload)
		f.Payload = payload
		r.frame(f)
		for i := range payload { // it must not have been retained
			payload[i] = '#'
		}
	}
	if err := r.close(ending.Of(nil)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, recording, _ := strings.Cut(string(b), "\n")
	at := strings.LastIndexByte(strings.TrimSuffix(recording, "\n"), '\n') + 1
	recording, end := recording[:at], recording[at:]
	if !strings.HasSuffix(end, `"op":"end","exit_code":0,"ended_by":"closed"}`+"\n") || strings.Count(end, "\n") != 1 {
		t.Errorf("the recording has no end: %q", end)
	}
	return recording
}

// Large records, which are written in pieces, are the same in the recording as if
// written at once.
func TestRecordLarge(t *testing.T) {
	var records []proto.FrameRecord
	var want []byte
	for i, filling := range []string{"x", "é漢😀", "\x01", "\xff", "\"\u2028"} {
		for _, size := range []int{10, recordLarge, recordLarge + 1, 3*recordLarge + i} {
			f := proto.FrameRecord{
				Time: time.Unix(1, 0), Direction: proto.In, Opcode: frame.OpBinary, Payload: bytes.Repeat([]byte(filling), size/len(filling)+1)[:size],
			}
			records = append(records, f)
			want = proto.AppendRecord(want, f)
		}
	}
	if got := recorded(t, new(secret.Redactor), records...); got != string(want) {
		t.Errorf("%d bytes, want others, %d", len(got), len(want))
	}
}

// Wherever a credential is in a large message, it is not in the recording: at each
// position where a piece may end.
func TestRecordLargeSecrets(t *testing.T) {
	t.Parallel()
	const token = "s3cret-hunter2-s3cret"
	secrets := new(secret.Redactor)
	secrets.Add(token)
	for i, filling := range []string{"x", "\x01", "\xff", "漢"} {
		// Pieces end at these sizes; the credential is placed around all of them. Each
		// filling tests every fourth position, all together each position.
		for offset := i; offset < len(token); offset += 4 {
			gap := strings.Repeat(filling, (1<<10-len(token))/len(filling))
			payload := strings.Repeat(filling, offset+1) + strings.Repeat(token+gap, 1100)
			f := proto.FrameRecord{Time: time.Unix(1, 0), Direction: proto.In, Opcode: frame.OpBinary, Payload: []byte(payload)}
			if len(payload) <= recordLarge {
				t.Fatal("not large")
			}
			got := recorded(t, secrets, f)
			f.Payload = []byte(strings.ReplaceAll(payload, token, secret.Mask))
			if want := string(proto.AppendRecord(nil, f)); got != want {
				t.Fatalf("%q, %d: something else is in the recording", filling, offset)
			}
			if secrets.String(got) != got || strings.Contains(got, "hunter2") {
				t.Fatalf("%q, %d: the credential is in the recording", filling, offset)
			}
		}
	}
}

// A recording that is closed while a large record is being written ends after all of
// it, or before it.
func TestRecordCloseMeanwhile(t *testing.T) {
	t.Parallel()
	for range 5 {
		path := filepath.Join(t.TempDir(), "x.tape")
		r, err := newRecorder(path, false, proto.RecordingHead{Service: "connect"}, new(secret.Redactor), func(err error) { t.Error(err) })
		if err != nil {
			t.Fatal(err)
		}
		f := proto.FrameRecord{Time: time.Unix(1, 0), Direction: proto.In, Opcode: frame.OpText, Payload: bytes.Repeat([]byte{1}, 2*recordLarge)}
		var wg sync.WaitGroup
		over := make(chan struct{})
		wg.Go(func() {
			defer close(over)
			r.frame(f)
		})
		for started := false; !started; {
			r.mu.Lock()
			started = r.inside
			r.mu.Unlock()
			select {
			case <-over: // too fast for this test test test test
				started = true
			default:
			}
		}
		if err := r.close(ending.Of(nil)); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(b, []byte("\n")); n != 2 && n != 3 || n == 3 && !bytes.Contains(b, proto.AppendRecord(nil, f)) ||
			!bytes.HasSuffix(b, []byte(`"op":"end","exit_code":0,"ended_by":"closed"}`+"\n")) {
			t.Fatalf("%d bytes on the recording, and the record is not whole", len(b))
		}
	}
}
