package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/doshii"
	"github.com/hark-cli/hark/proto/doshii/wire"
	"github.com/hark-cli/hark/proto/drogue"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/octave"
	"github.com/hark-cli/hark/proto/plain"
)

var received = time.Date(2026, 11, 5, 10, 22, 31, 482917000, time.UTC)

func (r *rig) sendAt(data string, binary bool) error {
	r.seq++
	return r.Event(&proto.Event{Message: proto.Message{Data: []byte(data), Binary: binary, Time: received}, Seq: r.seq})
}

// accepted reads a line as the CloudEvents SDK does.
func accepted(t testing.TB, line string) event.Event {
	t.Helper()
	var e event.Event
	var v any
	if _, ok := errors.AsType[*json.UnmarshalTypeError](json.Unmarshal([]byte(line), &v)); ok {
		return e // a number that is too large for the SDK
	}
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		t.Fatalf("the SDK does not read %s: %v", line, err)
	}
	if err := e.Validate(); err != nil {
		t.Fatalf("the SDK refuses %s: %v", line, err)
	}
	return e
}

func TestCloudEvents(t *testing.T) {
	const head, times = `{"specversion":"1.0","id":"run-1",`, `"time":"2026-11-05T10:22:31.482917Z","recordedtime":"2026-11-05T10:22:31.482917Z",`
	octave := &octave.Service{Company: "acme_water"}
	plain := &plain.Service{URL: "wss://user:pass@example.com/a%20b?token=x"}
	doshii := &doshii.Service{Endpoint: "wss://socket.sandbox.doshii.co", Path: wire.PathAppV3}
	drogue := &drogue.Service{Application: "example-app", Channel: "state"}
	tests := []struct {
		name   string
		svc    proto.Describer
		in     string
		binary bool
		want   string
	}{
		{"JSON", plain, "{\r\n\"a\": 1.0}", false,
			head + `"source":"wss://example.com/a%20b","type":"io.hark.message",` + times + `"datacontenttype":"application/json","data":{  "a": 1.0}}`},
		{"text", plain, "not \"JSON\"\n", false,
			head + `"source":"wss://example.com/a%20b","type":"io.hark.message",` + times + `"datacontenttype":"text/plain","data":"not \"JSON\"\n"}`},
		{"binary", plain, "\x00\xff", true,
			head + `"source":"wss://example.com/a%20b","type":"io.hark.message",` + times + `"datacontenttype":"application/octet-stream","data_base64":"AP8="}`},
		{"no service", nil, "null", false,
			head + `"source":"hark:stream","type":"io.hark.message",` + times + `"datacontenttype":"application/json","data":null}`},
		{"Octave", octave,
			`{"type":"message","resource":"s1","value":{"id":"e1","streamId":"s1","creationDate":1718870401337,"generatedDate":1718870398120,"path":"/acme_water/devices/pump_07/level","elems":{"x":1}}}`, false,
			`{"specversion":"1.0","id":"e1","source":"octave://acme_water","type":"com.sierrawireless.octave.event","subject":"/acme_water/devices/pump_07/level","time":"2024-06-20T07:59:58.12Z","recordedtime":"2026-11-05T10:22:31.482917Z","datacontenttype":"application/json","data":{"id":"e1","streamId":"s1","creationDate":1718870401337,"generatedDate":1718870398120,"path":"/acme_water/devices/pump_07/level","elems":{"x":1}}}`},
		{"Octave, a command", octave,
			`{"type":"message","resource":"s1","value":{"id":"e2","creationDate":1718870401337,"generatedDate":null}}`, false,
			`{"specversion":"1.0","id":"e2","source":"octave://acme_water","type":"com.sierrawireless.octave.event","subject":"s1","time":"2024-06-20T08:00:01.337Z","recordedtime":"2026-11-05T10:22:31.482917Z","datacontenttype":"application/json","data":{"id":"e2","creationDate":1718870401337,"generatedDate":null}}`},
		{"Octave, broken", octave, `{"type":"message","value":{"id":"e3"}`, false,
			`{"specversion":"1.0","id":"e3","source":"octave://acme_water","type":"com.sierrawireless.octave.event",` + times + `"datacontenttype":"text/plain","data":"{\"type\":\"message\",\"value\":{\"id\":\"e3\"}"}`},
		{"Doshii", doshii, `{"emit":["order_created",{"id":"54321","locationId":"aZ3bC9dE"}]}`, false,
			head + `"source":"wss://socket.sandbox.doshii.co/app/socket/v3","type":"co.doshii.order_created","subject":"54321",` + times + `"datacontenttype":"application/json","data":{"id":"54321","locationId":"aZ3bC9dE"}}`},
		{"Doshii, a number as id", doshii, `{"event":"app_subscribed","data":{"id":5}}`, false,
			head + `"source":"wss://socket.sandbox.doshii.co/app/socket/v3","type":"co.doshii.app_subscribed","subject":"5",` + times + `"datacontenttype":"application/json","data":{"id":5}}`},
		{"Doshii, no payload", doshii, `{"emit":["order_created"]}`, false,
			strings.TrimSuffix(head+`"source":"wss://socket.sandbox.doshii.co/app/socket/v3","type":"co.doshii.order_created",`+times, ",") + `}`},
		{"Doshii, something else", doshii, `[1]`, false,
			head + `"source":"wss://socket.sandbox.doshii.co/app/socket/v3","type":"io.hark.message",` + times + `"datacontenttype":"application/json","data":[1]}`},
		{"Drogue", drogue, benchEvent, false, benchEvent},
		{"a CloudEvent from anywhere", plain, ` {"id":"1", "source":"/x","type":"t",
			"specversion":"1.0","n":-5,"b":true,"data_base64":""}`, false, ` {"id":"1", "source":"/x","type":"t", 			"specversion":"1.0","n":-5,"b":true,"data_base64":""}`},
		{"Drogue, no CloudEvent", drogue, `{"specversion":"0.3"}`, false,
			head + `"source":"drogue://example-app","type":"io.hark.message","subject":"state",` + times + `"datacontenttype":"application/json","data":{"specversion":"0.3"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Format: FormatCloudEvents, Run: "run"}
			if tt.svc != nil {
				o.Describe = tt.svc.Describe
			}
			r := newRig(o)
			if err := r.sendAt(tt.in, tt.binary); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want+"\n", r.printed(t)); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
			accepted(t, r.out.String())
		})
	}
}

// What only resembles a CloudEvent is the data of one.
func TestIsCloudEvent(t *testing.T) {
	const good = `"specversion":"1.0","id":"1","source":"s","type":"t"`
	for in, want := range map[string]bool{
		`{` + good + `}`:                                            true,
		`{` + good + `,"data":[{}]}`:                                true,
		`{` + good + `,"time":"2026-11-05T10:22:31Z"}`:              true,
		`{` + good + `,"time":"yesterday"}`:                         false,
		`{` + good + `,"time":null}`:                                false,
		`{` + good + `,"subject":""}`:                               false,
		`{` + good + `,"Upper":"x"}`:                                false,
		`{` + good + `,"ext":1.5}`:                                  false,
		`{` + good + `,"ext":2147483647}`:                           true,
		`{` + good + `,"ext":2147483648}`:                           false,
		`{` + good + `,"ext":{}}`:                                   false,
		`{` + good + `,"data":1,"data_base64":""}`:                  false,
		`{` + good + `,"data_base64":"?"}`:                          false,
		`{` + good + `,"datacontenttype":"///"}`:                    false,
		`{` + good + `,"id":"2"}`:                                   false,
		`{` + good + `} x`:                                          false,
		`{` + good:                                                  false,
		`{"specversion":"1.0","id":"","source":"s","type":"t"}`:     false,
		`{"specversion":"1.0","id":"1","source":"%zz","type":"t"}`:  false,
		`{"specversion":"1.0","id":"1","source":"s"}`:               false,
		`{"specversion":"1.0","id":"\u001b","source":"s","type":1}`: false,
		`[]`: false,
		``:   false,
	} {
		if got := newRig(Options{Format: FormatCloudEvents}).isCloudEvent([]byte(in)); got != want {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
}

// Only so much is remembered of sources.
func TestVerifiedIsBounded(t *testing.T) {
	r := newRig(Options{Format: FormatCloudEvents})
	for i := range 3 * maxVerified {
		source := fmt.Sprintf("s%d", i)
		if i%2 == 0 {
			source += strings.Repeat("x", maxVerifiedSize)
		}
		if !r.isCloudEvent(fmt.Appendf(nil, `{"specversion":"1.0","id":"1","source":%q,"type":"t"}`, source)) {
			t.Fatal(source)
		}
	}
	if n := len(r.uris); n == 0 || n > maxVerified {
		t.Errorf("%d sources are remembered", n)
	}
}

// An event without an id gets one that no other run gives.
func TestCloudEventIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		r := newRig(Options{Format: FormatCloudEvents})
		if err := r.texts("1", "1"); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(r.printed(t)) {
			seen[accepted(t, line).ID()] = true
		}
	}
	if len(seen) != 4 {
		t.Errorf("ids %v", seen)
	}
}

func TestFrameLines(t *testing.T) {
	r := newRig(Options{
		Format: FormatFrames,
		Filter: mustCompile(t, `select(.op != "ping") | del(.time)`, jq.Vars{}),
		Redact: func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("text"), []byte("***")) },
	})
	for _, ev := range []proto.Event{
		{Direction: proto.Out, Opcode: frame.OpText, Message: proto.Message{Data: []byte("a text")}},
		{Direction: proto.Out, Opcode: frame.OpText, Secret: true},
		{Direction: proto.In, Opcode: frame.OpPing},
		{Direction: proto.In, Opcode: frame.OpText, Message: proto.Message{Data: []byte("a text")}},
		{Direction: proto.In, Opcode: frame.OpClose, Message: proto.Message{Data: frame.ClosePayload(1001, "")}},
	} {
		if err := r.Event(&ev); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"dir":"out","op":"text","text":"a ***"}
{"dir":"out","op":"text","withheld":true}
{"dir":"in","op":"text","text":"a text"}
{"code":1001,"dir":"in","op":"close"}
`
	if diff := cmp.Diff(want, r.printed(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNull(t *testing.T) {
	r := newRig(Options{Null: true, Raw: true, Filter: mustCompile(t, `.[]`, jq.Vars{}), Conditions: []Condition{Count(3)}})
	if err := r.texts(`["a\nb",{"c":1}]`, `["x\u0000y"]`, `["\u0000"]`, `["",2]`); err != nil {
		t.Fatal(err)
	}
	if got := r.printed(t); got != "a\nb\x00{\"c\":1}\x00\x002\x00" {
		t.Errorf("printed %q", got)
	}
	const want = "--jq: event 2: a text with a NUL character in it cannot be printed with --null|" +
		"--jq: event 3: a text with a NUL character in it cannot be printed with --null"
	if strings.Join(r.warnings, "|") != want || r.Counts().Printed != 2 {
		t.Errorf("warnings %q, counts %+v", r.warnings, r.Counts())
	}
	r = newRig(Options{Null: true, Raw: true, JQErrorFail: true})
	if err := r.texts("a\x00"); err == nil || !strings.HasPrefix(err.Error(), "--raw-output: event 1: ") {
		t.Errorf("ended by %v", err)
	}
}

func TestRecent(t *testing.T) {
	r := newRig(Options{Keep: 2, Start: received.Add(-3 * time.Second), Redact: func(b []byte) []byte {
		return bytes.ReplaceAll(b, []byte("hunter2"), []byte("***"))
	}})
	long := strings.Repeat("x", maxExcerpt-3) + "hunter2" + strings.Repeat("y", 1<<20)
	for _, m := range []string{"1", "\xff", long} {
		if err := r.sendAt(m, false); err != nil {
			t.Fatal(err)
		}
	}
	want := []Recent{
		{2, 3 * time.Second, "\uFFFD"},
		{3, 3 * time.Second, strings.Repeat("x", maxExcerpt-3) + "***…"},
	}
	if diff := cmp.Diff(want, r.Recent()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The results of expressions are available to a report.
func TestOutcomes(t *testing.T) {
	f := func(expr string) *jq.Filter { return mustCompile(t, expr, jq.Vars{}) }
	r := newRig(Options{
		Start:      received.Add(-2 * time.Second),
		Conditions: []Condition{FailIf(f(`.n == 9`)), Expect(f(`.n == 2`), f(`.n == 5`)), Count(3)},
	})
	for _, m := range []string{`{"n":1}`, `{"n":2}`, `{"n":3}`} {
		if err := r.sendAt(m, false); err != nil && !errors.Is(err, Ended{"count"}) {
			t.Fatal(err)
		}
	}
	want := []Outcome{
		{Condition: "fail-if", Expr: ".n == 9", Events: 3},
		{Condition: "expect", Expr: ".n == 2", Met: true, Events: 2, After: 2 * time.Second, Event: `{"n":2}`},
		{Condition: "expect", Expr: ".n == 5", Events: 3, Near: Near{".n", "3", true}},
		{Condition: "count", Want: 3, Met: true, Events: 3},
	}
	if diff := cmp.Diff(want, r.Outcomes()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever comes in, each line is a JSON value, for every format; a CloudEvent by
// the judgment of the SDK; and however it is shown, the same value.
func FuzzFormats(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
		f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data":`+s+`}`), false)
		f.Add([]byte(`{"type":"message","resource":"s","value":`+s+`}`), false)
		f.Add([]byte(`{"emit":["order_created",`+s+`]}`), false)
	}
	f.Add([]byte(`{"type":"message","value":{"id":"\u001b","path":"/a\u0007","creationDate":99999999999999999}}`), false)
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","time":"2026-11-05T10:22:31.5+01:00","datacontenttype":"text/plain","data":"x","ext":"y","dataschema":"a:b"}`), false)
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"text/plain","data":{}}`), false)
	services := []proto.Describer{
		&octave.Service{Company: "c"}, &doshii.Service{Endpoint: "wss://h", Path: "/p"}, &drogue.Service{Application: "a"}, &plain.Service{URL: "ws://h"},
	}
	styles := []Style{{}, {Pretty: true}, {Visible: true}, {Color: true, Pretty: true, Visible: true}}
	f.Fuzz(func(t *testing.T, b []byte, binary bool) {
		for _, format := range Formats() {
			for i, svc := range services {
				var plain string
				for _, style := range styles[:1+min(i, 1)*3] {
					r := newRig(Options{Format: format, Describe: svc.Describe, Run: "r", Style: style})
					ev := proto.Event{
						Message: proto.Message{Data: b, Binary: binary, Time: received},
						Seq:     1, Opcode: frame.OpText, Direction: proto.In,
					}
					if err := r.Event(&ev); err != nil {
						t.Fatal(err)
					}
					got := r.printed(t)
					if style == (Style{}) {
						plain = got
						checkFormat(t, format, got)
						continue
					}
					checkStyle(t, style, plain, got)
				}
			}
		}
	})
}

func checkFormat(t *testing.T, format Format, line string) {
	t.Helper()
	if !json.Valid([]byte(line)) || !utf8.ValidString(line) || strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
		t.Fatalf("%s: %q is not one JSON value on a line", format, line)
	}
	if format == FormatCloudEvents {
		accepted(t, line)
	}
}

func checkStyle(t *testing.T, style Style, plain, got string) {
	t.Helper()
	for _, color := range []string{colorKey, colorString, colorNumber, colorBool, colorNull, colorOff} {
		got = strings.ReplaceAll(got, color, "")
	}
	if style.Visible {
		if i := strings.IndexFunc(got, func(r rune) bool { return console.Acts(r) && r != '\n' && r != '\t' }); i >= 0 {
			t.Fatalf("%+v: a control character is left in %q", style, got)
		}
	}
	var a, b bytes.Buffer
	if json.Compact(&a, []byte(plain)) != nil || json.Compact(&b, []byte(got)) != nil {
		t.Fatalf("%+v: %q became %q", style, plain, got)
	}
	if a.String() != b.String() && (!style.Visible || !sameValue(t, plain, got)) {
		t.Fatalf("%+v: %q became %q", style, plain, got)
	}
}

// sameValue compares without regard to escapes; numbers keep their text.
func sameValue(t *testing.T, a, b string) bool {
	var d, e eventjson.Decoder
	va, err := d.Decode([]byte(a))
	if err != nil {
		t.Fatal(err)
	}
	vb, err := e.Decode([]byte(b))
	if err != nil {
		t.Fatal(err)
	}
	return cmp.Equal(va, vb)
}
