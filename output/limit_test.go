package output

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
)

// An event whose values would take too much memory is one on which expressions fail.
// The others are looked at as before, and without a filter the event is printed.
func TestTooLarge(t *testing.T) {
	huge := `{"a":[` + strings.Repeat("1,", 50_000) + `1],"b":"x"}`
	text := strings.Repeat("x", 200_000)
	const told = "too large to filter: needs more than 128 KiB of memory"
	tests := []struct {
		name   string
		format Format
		filter string
		events []string
		binary bool
		want   string
		warned int
	}{
		{"filter", "", ".a[0]", []string{`{"a":[2]}`, huge, `{"a":[3]}`}, false, "2\n3\n", 1},
		{"only a part is wanted", "", ".b", []string{huge}, false, "\"x\"\n", 0},
		{"condition", "", "", []string{huge, `{"b":1}`}, false, huge + "\n{\"b\":1}\n", 1},
		{"binary", "", ".", []string{text}, true, "", 1},
		{"made larger by the format", FormatCloudEvents, ".data|length", []string{`"` + text[:100_000] + `"`, `"abc"`}, false, "3\n", 1},
		{"printed larger by the format", FormatFrames, "", []string{text}, false, "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Format: tt.format, Limit: 128 << 10}
			if tt.filter != "" {
				o.Filter = mustCompile(t, tt.filter, jq.Vars{})
			} else {
				o.Conditions = []Condition{Until(mustCompile(t, ".a != 1 and .b == 1", jq.Vars{})), Count(100)}
			}
			r := newRig(o)
			for _, e := range tt.events {
				if err := r.send(e, tt.binary); err != nil && err != (Ended{Condition: "until"}) {
					t.Fatal(err)
				}
			}
			got := r.printed(t)
			if tt.format == FormatFrames {
				if !strings.HasSuffix(got, `xxx"}`+"\n") || len(got) < len(text) {
					t.Errorf("printed %.100q, %d bytes", got, len(got))
				}
			} else if got != tt.want {
				t.Errorf("printed %.100q, want %.100q", got, tt.want)
			}
			if len(r.warnings) != tt.warned || tt.warned > 0 && !strings.Contains(r.warnings[0], told) {
				t.Errorf("warned: %q", r.warnings)
			}
		})
	}
	r := newRig(Options{Limit: 128 << 10, JQErrorFail: true, Filter: mustCompile(t, ".a", jq.Vars{})})
	var failed *FilterError
	if err := r.texts(huge); !errors.As(err, &failed) {
		t.Errorf("with JQErrorFail: %v", err)
	}
}

// A record is styled alike in whatever pieces it comes.
func TestStyleInPieces(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	records := []string{
		`{"a":[true,null,-1.5e+3,"b\"\\"],"漢\u0000é":{},"c":[ ],"d":[[],{"e":[{}]}]}`, ` [ 1 , "x" ] `, `-12`, `"\\\\\""`,
		"[1,\"\u009b\u202e\",{\"k\u200f\" : [\"\"]}]",
	}
	for _, o := range []Style{{Pretty: true}, {Color: true}, {Visible: true}, {Pretty: true, Color: true, Visible: true}} {
		for _, record := range records {
			whole := newStyle(o)
			whole.begin()
			want := string(whole.end(whole.feed(nil, []byte(record))))
			for range 50 {
				s := newStyle(o)
				s.begin()
				var got []byte
				for rest := record; rest != ""; {
					n := max(eventjson.CutText(rest, 4+r.IntN(5)), 1)
					got = s.feed(got, []byte(rest[:n]))
					rest = rest[n:]
				}
				if got = s.end(got); string(got) != want {
					t.Fatalf("%+v: %q, want %q", o, got, want)
				}
			}
		}
	}
}

// What a filter makes of a large event goes out in pieces, which are what it would be
// as a whole.
func TestLargeValues(t *testing.T) {
	long := strings.Repeat("漢é\u0001x", 200_000)
	event := `{"b":` + string(eventjson.AppendString(nil, long)) + `,"a":[` + strings.Repeat(`{"k":1.50},`, 40_000) + `{}]}`
	var d eventjson.Decoder
	v, err := d.Decode([]byte(event))
	if err != nil {
		t.Fatal(err)
	}
	compact, err := eventjson.AppendValue(nil, []any{v})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Style{{}, {Pretty: true}, {Color: true, Visible: true}} {
		r := newRig(Options{Style: o, Filter: mustCompile(t, "[.]", jq.Vars{})})
		if err := r.texts(event, `1`); err != nil {
			t.Fatal(err)
		}
		want := string(compact)
		if s := newStyle(o); s != nil {
			s.begin()
			want = string(s.end(s.feed(nil, compact)))
			want += "\n" + string(newRigLine(t, o, `[1]`))
		} else {
			want += "\n[1]\n"
		}
		if got := r.printed(t); got != want {
			t.Errorf("%+v: %d bytes, want %d", o, len(got), len(want))
		}
	}
}

// newRigLine is what is printed for one message.
func newRigLine(t *testing.T, o Style, message string) []byte {
	r := newRig(Options{Style: o})
	if err := r.texts(message); err != nil {
		t.Fatal(err)
	}
	return []byte(r.printed(t))
}

// FuzzStyle asserts that pieces make no difference, and that what is shown without
// colors is the same JSON value.
func FuzzStyle(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":"\"\\"}],"c":{ }}`, " [ ] ", "\"\u009b漢\"", "[[],\n[{}]]\r\n", `-1e5`} {
		f.Add([]byte(seed), byte(3), byte(7))
	}
	f.Fuzz(func(t *testing.T, data []byte, options, step byte) {
		if ok, _ := eventjson.Valid(data); !ok {
			return
		}
		o := Style{Pretty: options&1 > 0, Visible: options&2 > 0, Color: options&4 > 0}
		show := func(step int) string {
			s := &style{Style: o}
			s.begin()
			var out []byte
			for rest := data; len(rest) > 0; {
				n := eventjson.CutText(rest, step)
				out = s.feed(out, rest[:n])
				rest = rest[n:]
			}
			return string(s.end(out))
		}
		whole := show(len(data))
		if got := show(4 + int(step)); got != whole {
			t.Fatalf("%+v: %q, as a whole %q", o, got, whole)
		}
		var d, e eventjson.Decoder
		shown, err := d.Decode([]byte(whole))
		meant, _ := e.Decode(data)
		if !o.Color && (err != nil || !reflect.DeepEqual(shown, meant)) {
			t.Fatalf("%+v: %q is shown as %q", o, data, whole)
		}
	})
}
