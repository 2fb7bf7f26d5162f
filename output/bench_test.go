package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"testing"

	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/drogue"
	"github.com/hark-cli/hark/proto/octave"
	"github.com/itchyny/gojq"
)

const benchEvent = `{"specversion":"1.0","id":"6f8f2f0e-8a3b-4a55-9b1d-3f7c6f0a9e21","type":"io.drogue.event.v1","source":"drogue://demo-app/device-0042","datacontenttype":"application/json","subject":"state","time":"2026-11-05T10:22:31.482917Z","device":"device-0042","data":{"value":21.5,"ok":true}}`

// benchEvents differ where those of a stream do.
func benchEvents() []*proto.Event {
	var events []*proto.Event
	for i := range 4096 {
		data := fmt.Appendf(nil, `{"specversion":"1.0","id":"6f8f%04x-8a3b-4a55-9b1d-3f7c6f0a9e21","type":"io.drogue.event.v1","source":"drogue://demo-app/device-%04d","datacontenttype":"application/json","subject":"state","time":"2026-11-05T10:22:%02d.%06dZ","device":"device-%04d","data":{"value":%d.%d,"ok":true}}`,
			i, i%20, i%60, i*7, i%20, 15+i%12, i%10)
		events = append(events, &proto.Event{Message: proto.Message{Data: data}, Seq: uint64(i + 1)})
	}
	return events
}

func BenchmarkEvent(b *testing.B) {
	events := benchEvents()
	for _, bm := range []struct {
		name, expr string
	}{
		{"pass", ""},
		{"select", `select(.data.value > 21)`},
		{"object", `{id, v: .data.value}`},
	} {
		var opts Options
		var code *gojq.Code // of plainly
		if bm.expr != "" {
			opts.Filter = mustCompile(b, bm.expr, jq.Vars{})
			query, err := gojq.Parse(bm.expr)
			if err != nil {
				b.Fatal(err)
			}
			if code, err = gojq.Compile(query); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(bm.name+"/own", func(b *testing.B) {
			opts.Conditions = []Condition{Count(1 << 60)}
			w := New(io.Discard, opts)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := w.Event(events[i%len(events)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
		b.Run(bm.name+"/std", func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := plainly(io.Discard, code, events[i%len(events)].Data); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// plainly does the same with encoding/json and gojq.Marshal, for comparison.
func plainly(w io.Writer, code *gojq.Code, data []byte) error {
	if code == nil {
		var line bytes.Buffer
		if err := json.Compact(&line, data); err != nil {
			return err
		}
		line.WriteByte('\n')
		_, err := w.Write(line.Bytes())
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err
	}
	iter := code.Run(v)
	for {
		v, ok := iter.Next()
		if !ok {
			return nil
		}
		line, err := gojq.Marshal(v)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
}

// BenchmarkFormats is what the other formats and conditions add to an event.
func BenchmarkFormats(b *testing.B) {
	events := benchEvents()
	event := []byte(`{"type":"message","resource":"s6671a0f09b1c2d3e4f506172","value":{"creationDate":1718870401337,"creatorId":"i000000000000000000000001","elems":{"temp":23.2,"level":true},"generatedDate":1718870398120,"hash":null,"id":"e6673e181a1b2c3d4e5f60718","path":"/acme_water/devices/pump_07/set_1","streamId":"s6671a0f09b1c2d3e4f506172","tags":{}}}`)
	for _, bm := range []struct {
		name string
		opts Options
		data []byte
	}{
		{"cloudevents/drogue", Options{Format: FormatCloudEvents, Describe: (&drogue.Service{}).Describe}, nil},
		{"cloudevents/octave", Options{Format: FormatCloudEvents, Describe: (&octave.Service{Company: "acme_water"}).Describe}, event},
		{"frames", Options{Format: FormatFrames}, nil},
		{"color", Options{Style: Style{Color: true, Visible: true}}, nil},
		{"keep", Options{Keep: 5}, nil},
		{"expect", Options{Conditions: []Condition{Expect(mustCompile(b, `.data.value > 1000`, jq.Vars{}))}}, nil},
	} {
		b.Run(bm.name, func(b *testing.B) {
			w := New(io.Discard, bm.opts)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				ev := events[i%len(events)]
				if bm.data != nil {
					ev = &proto.Event{Message: proto.Message{Data: bm.data}, Seq: uint64(i)}
				}
				if err := w.Event(ev); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// BenchmarkConditions is what conditions cost that do not come true, next to a filter
// that looks for the same.
func BenchmarkConditions(b *testing.B) {
	events := benchEvents()
	expr := func(e string) *jq.Filter { return mustCompile(b, e, jq.Vars{}) }
	const native, other = `.data.value > 100`, `.data.value * 2 > 100`
	for _, bm := range []struct {
		name string
		opts Options
	}{
		{"select", Options{Filter: expr("select(" + native + ")")}},
		{"until", Options{Conditions: []Condition{Until(expr(native))}}},
		{"expect", Options{Conditions: []Condition{Expect(expr(native))}}},
		{"fail-if", Options{Conditions: []Condition{FailIf(expr(native))}}},
		{"expect 4", Options{Conditions: []Condition{Expect(expr(native), expr(`.subject == "alarm"`), expr(`.data.ok == "no"`), expr(`.source | startswith("x")`))}}},
		{"gojq select", Options{Filter: expr("select(" + other + ")")}},
		{"gojq until", Options{Conditions: []Condition{Until(expr(other))}}},
		{"gojq expect", Options{Conditions: []Condition{Expect(expr(other))}}},
		{"gojq fail-if", Options{Conditions: []Condition{FailIf(expr(other))}}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			w := New(io.Discard, bm.opts)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := w.Event(events[i%len(events)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
