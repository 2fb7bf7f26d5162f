package output

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
)

// What goes out in pieces is, byte for byte, what is printed when a condition is to
// see the value of the event, for which it is made as a whole.
func TestPieces(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	fillings := []string{"x", "é漢😀", "\x01\x1f", "\"\\", "\u2028", "\xff", "漢\xe6", "1,\r\n"}
	sizes := []int{4096, 4097, bufferSize / 6, bufferSize - 300, bufferSize, 2*bufferSize + 1}
	for f, filling := range fillings {
		for n, size := range sizes {
			body := strings.Repeat(filling, size/len(filling)+1)[:size]
			datas := []string{
				body, strings.Repeat("y", r.IntN(8)) + body,
				string(eventjson.AppendString(nil, body)),
				"[\r\n" + strings.Repeat("1\n,\r\n", size/5) + "2]\n",
				`{"specversion":"1.0","id":"1","source":"s","type":"t","data":` + string(eventjson.AppendString(nil, body)) + "}",
			}
			for _, format := range []Format{FormatFrames, FormatCloudEvents} {
				for i, data := range datas {
					if i == 3 && filling != fillings[0] {
						continue // it has none
					}
					if f > 0 && (f+n+i)%3 > 0 {
						continue // every third is enough: the race detector makes this slow
					}
					for _, null := range []bool{i == 0} {
						var got [2]string
						var kept [2][]Recent
						for whole := range 2 {
							o := Options{Format: format, Run: "run", Null: null, Keep: 2, Redact: func(b []byte) []byte {
								return bytes.ReplaceAll(b, []byte("yx"), []byte("***"))
							}}
							if whole == 1 {
								o.Conditions = []Condition{Until(mustCompile(t, "false", jq.Vars{}))}
							}
							rig := newRig(o)
							for seq, d := range []string{`"before"`, data, `"after"`} {
								ev := proto.Event{
									Message: proto.Message{Data: []byte(d), Binary: i%2 == 1, Time: received},
									Seq:     uint64(seq), Opcode: frame.OpText, Direction: []proto.Direction{proto.In, proto.Out}[i%2],
								}
								if err := rig.Event(&ev); err != nil {
									t.Fatal(err)
								}
							}
							got[whole] = rig.printed(t)
							kept[whole] = rig.Recent()
							for i := range kept[whole] {
								kept[whole][i].After = 0
							}
						}
						if got[0] != got[1] {
							t.Fatalf("%s, %.8q, %d bytes, message %d: the pieces make something else", format, filling, size, i)
						}
						if kept[0][0] != kept[1][0] {
							t.Fatalf("%s, %.8q, %d bytes, message %d: %q is kept, want %q", format, filling, size, i, kept[0][0].Text, kept[1][0].Text)
						}
						if n := strings.Count(got[0], "\n"); !null && n != 3 || null && (n != 0 || strings.Count(got[0], "\x00") != 3) {
							t.Fatalf("%s, %.8q, %d bytes, message %d: %d lines", format, filling, size, i, n)
						}
					}
				}
			}
		}
	}
}

// However long a message gets in a format, it takes no more than the buffer.
func TestFormatsDoNotHoldGiants(t *testing.T) {
	const size = 3 << 20 // three times what may be allocated
	b64, _ := json.Marshal(bytes.Repeat([]byte{1}, size))
	for name, data := range map[string][]byte{
		"JSON":       []byte(`{"a":"` + strings.Repeat("x", size) + `"}`),
		"control":    bytes.Repeat([]byte{1}, size),
		"binary":     bytes.Repeat([]byte{0xFF}, size),
		"CloudEvent": []byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":` + string(b64) + "}"),
		"number":     []byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","n":` + strings.Repeat("1", size) + "}"),
	} {
		for _, format := range Formats() {
			w := New(io.Discard, Options{Format: format, Keep: 1})
			ev := &proto.Event{Message: proto.Message{Data: data, Binary: name == "binary"}, Opcode: frame.OpText, Direction: proto.In}
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
				t.Errorf("%s, %s: %d bytes allocated", name, format, n)
			}
			if got := w.Counts().Bytes; got < uint64(len(data)) {
				t.Errorf("%s, %s: %d bytes written of %d", name, format, got, len(data))
			}
		}
	}
}

// isBase64Whole is isBase64 in the plain way.
func isBase64Whole(value []byte) bool {
	s, ok := eventjson.String(value)
	if !ok {
		return false
	}
	_, err := base64.StdEncoding.DecodeString(s)
	return err == nil && !strings.ContainsAny(s, "\r\n")
}

func TestIsBase64(t *testing.T) {
	for _, n := range []int{0, 3, 3069, 3070, 3071, 3072, 3073, 3074, 3075, 9000, 9001} {
		text := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("\xff\x01~"), n)[:n])
		for _, s := range []string{
			text, text + "=", text + "A", text + text, strings.ReplaceAll(text, "/", `\/`), strings.ReplaceAll(text, "A", `\u0041`),
			text + `\n`, text + `\r`, text + `\u000a`, text + `\u0141`, text + `\"`, text + `\\`, text + "é", `\u003d` + text, "A===" + text,
			strings.TrimRight(text, "="), "-_" + text, text[:len(text)/2] + "=" + text[len(text)/2:], text[:len(text)/2] + `\n` + text[len(text)/2:],
		} {
			if v := []byte(`"` + s + `"`); isBase64(v) != isBase64Whole(v) {
				t.Errorf("%d bytes, %.40q…%q: %v", n, s, s[max(0, len(s)-8):], isBase64(v))
			}
		}
	}
	for _, v := range []string{"1", "{}", `""`, "null", "[]"} {
		if isBase64([]byte(v)) != isBase64Whole([]byte(v)) {
			t.Error(v)
		}
	}
}
