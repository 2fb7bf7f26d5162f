package output

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
)

// sameJSON reports whether a and b are the same JSON values.
func sameJSON(t testing.TB, a, b string) bool {
	t.Helper()
	var va, vb any
	if err := json.Unmarshal([]byte(a), &va); err != nil {
		t.Fatalf("%.200q: %v", a, err)
	}
	if err := json.Unmarshal([]byte(b), &vb); err != nil {
		t.Fatalf("%.200q: %v", b, err)
	}
	return reflect.DeepEqual(va, vb)
}

// Messages around the sizes at which their way through the buffer changes, between
// small ones, must come out in order and whole.
func TestSizes(t *testing.T) {
	fillings := map[string]string{"ascii": "x", "wide": "é漢😀", "broken": "\xff", "escapes": "\x01\""}
	sizes := []int{4 << 10, 4<<10 + 1, 8<<10 + 1, bufferSize - 2, bufferSize - 1, bufferSize, 3*bufferSize + 1}
	for name, filling := range fillings {
		for _, size := range sizes {
			body := strings.Repeat(filling, size/len(filling)+1)[:size]
			for _, m := range []struct {
				data   string
				binary bool
			}{
				{body, false},
				{body, true},
				{string(eventjson.AppendString(nil, body)), false},
				{"[\n" + strings.Repeat("1\n,\r\n", size/5) + "2]\n", false},
				{"{\"a\":" + string(eventjson.AppendString(nil, body)) + "}", true},
			} {
				r := newRig(Options{})
				if r.send(`"before"`, false) != nil || r.send(m.data, m.binary) != nil || r.send(`"after"`, false) != nil {
					t.Fatal("ended")
				}
				lines := strings.Split(r.printed(t), "\n")
				if len(lines) != 4 || lines[0] != `"before"` || lines[2] != `"after"` || lines[3] != "" {
					t.Fatalf("%s, %d bytes: %d lines", name, size, len(lines)-1)
				}
				want := m.data
				switch {
				case json.Valid([]byte(m.data)):
				case m.binary:
					b, _ := json.Marshal(map[string][]byte{"data_base64": []byte(m.data)})
					want = string(b)
				default:
					b, _ := json.Marshal(m.data)
					want = string(b)
				}
				if !sameJSON(t, want, lines[1]) {
					t.Fatalf("%s, %d bytes: another value", name, size)
				}
			}
		}
	}
}

// A giant is neither copied nor held: what it takes is the buffer.
func TestGiantIsNotCopied(t *testing.T) {
	const size = 8 << 20
	plain := []byte(`{"a":"` + strings.Repeat("x", size) + `"}`)
	broken := bytes.Repeat([]byte("[1,\n2],"), size/7)
	broken = append(append([]byte("[\n"), broken...), "3]"...)
	text := bytes.Repeat([]byte("not JSON\n"), size/9)
	for name, data := range map[string][]byte{"plain": plain, "line breaks": broken, "text": text} {
		for _, binary := range []bool{false, true} {
			w := New(io.Discard, Options{})
			ev := &proto.Event{Message: proto.Message{Data: data, Binary: binary}}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := w.Event(ev); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
				t.Errorf("%s, binary %v: %d bytes allocated", name, binary, n)
			}
			if got := w.Counts().Bytes; got < uint64(len(data)) {
				t.Errorf("%s, binary %v: %d bytes written of %d", name, binary, got, len(data))
			}
		}
	}
}

// The room that a giant took on its way through a filter is given back.
func TestBufferShrinks(t *testing.T) {
	r := newRig(Options{Filter: mustCompile(t, `[.]`, jq.Vars{})})
	if err := r.texts(`"` + strings.Repeat("x", 1<<20) + `"`); err != nil {
		t.Fatal(err)
	}
	if n := len(r.printed(t)); n != 1<<20+5 {
		t.Errorf("%d bytes printed", n)
	}
	if got := cap(r.lines.buf); got > bufferSize+slack {
		t.Errorf("%d bytes kept", got)
	}
}

func TestNoAllocations(t *testing.T) {
	for name, data := range map[string]string{
		"object":      benchEvent,
		"line breaks": "{\n\"a\":\n1}\n",
		"text":        "plain text, \"quoted\"",
	} {
		w := New(io.Discard, Options{Conditions: []Condition{Count(1 << 60)}})
		ev := &proto.Event{Message: proto.Message{Data: []byte(data)}}
		if n := testing.AllocsPerRun(1000, func() {
			if err := w.Event(ev); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations for an event", name, n)
		}
	}
}
