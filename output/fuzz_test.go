package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/itchyny/gojq"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
)

var fuzzSeeds = []string{
	``, `1`, `"a"`, `{"a":[1,2.50,-0,"\u00e9\ud83d"],"b":null}`, "{\r\n\"a\" : 1\n}\n", "text", "\xff\xfe", "\x00", "{\"a\":\"\xff\"}",
	"two\nlines", "\"a\nb\"", "[1,\n2]\n\n", "1 2", "\u2028\u007f\u009b", `"` + "\u2028" + `"`, `[[[[{}]]]]`, `1e1000`, `123456789012345678901234567890`,
}

// Every line on stdout is exactly one JSON value, and without a filter there is
// one for each event, with the value that the event has.
func FuzzLines(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add([]byte(s), []byte("{}"), false)
		f.Add([]byte("null"), []byte(s), true)
	}
	filters := []*jq.Filter{
		nil,
		mustCompile(f, `.`, jq.Vars{}),
		mustCompile(f, `.[]?, ., [.], {a: .}, tojson, (tostring | @base64, @json), -.?, (.. | numbers * 1.5), error(.)?`, jq.Vars{}),
		mustCompile(f, `.a, error`, jq.Vars{}),
	}
	f.Fuzz(func(t *testing.T, first, second []byte, binary bool) {
		for i, filter := range filters {
			r := newRig(Options{Filter: filter})
			for _, b := range [][]byte{first, second, first} {
				if err := r.send(string(b), binary); err != nil {
					t.Fatal(err)
				}
			}
			out := r.printed(t)
			lines := bytes.Split([]byte(out), []byte("\n"))
			if last := lines[len(lines)-1]; len(last) != 0 {
				t.Fatalf("filter %d: %q has no end", i, last)
			}
			lines = lines[:len(lines)-1]
			for _, line := range lines {
				if !json.Valid(line) || !utf8.Valid(line) || bytes.ContainsRune(line, '\r') {
					t.Fatalf("filter %d: %q is not one JSON value", i, line)
				}
			}
			if i < 2 {
				if len(lines) != 3 {
					t.Fatalf("filter %d: %d lines for 3 events", i, len(lines))
				}
				checkLine(t, lines[0], first, binary)
				checkLine(t, lines[1], second, binary)
			}
			if got := r.Counts(); got.Bytes != uint64(len(out)) || got.Events != 3 {
				t.Fatalf("filter %d: counts %+v for %d bytes", i, got, len(out))
			}
		}
	})
}

// checkLine holds line against what the message that it was made of says.
func checkLine(t *testing.T, line, message []byte, binary bool) {
	t.Helper()
	if json.Valid(message) && utf8.Valid(message) {
		var want, got bytes.Buffer
		if json.Compact(&want, message) != nil || json.Compact(&got, line) != nil || want.String() != got.String() {
			t.Fatalf("%q became %q", message, line)
		}
		return
	}
	if binary {
		var got struct {
			Data []byte `json:"data_base64"`
		}
		if err := json.Unmarshal(line, &got); err != nil || !bytes.Equal(got.Data, message) {
			t.Fatalf("%q became %q: %v", message, line, err)
		}
		return
	}
	var got string
	if err := json.Unmarshal(line, &got); err != nil || got != string([]rune(string(message))) {
		t.Fatalf("%q became %q: %v", message, line, err)
	}
}

// The encoder writes what gojq.Marshal writes, for whatever a filter can make.
func FuzzMarshal(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add([]byte(s))
	}
	filter := mustCompile(f, `., [.., paths], (.. | numbers | ., . * 1.1, . / 3, -., . * 1e300 * 1e300, . * 100000000000000000000, . * 1e-9, floor),
		nan, (.. | strings | ., explode, (explode | map(. + 1 | select(. < 127)) | implode), @base64d?, @uri), now, [limit(3; .[]?)]`, jq.Vars{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var d eventjson.Decoder
		v, err := d.Decode(b)
		if err != nil {
			v = string(b) // with whatever is not UTF-8 in it
		}
		p := filter.Pipeline(t.Context())
		p.Run(v)
		for {
			v, ok, err := p.Next()
			if err != nil || !ok {
				return
			}
			want, err := gojq.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			got, err := eventjson.AppendValue(nil, v)
			if err != nil && !errors.Is(err, eventjson.ErrTooDeep) {
				t.Fatalf("%s: %v", want, err)
			}
			if err == nil && !bytes.Equal(got, want) {
				t.Fatal(cmp.Diff(string(want), string(got)))
			}
		}
	})
}
