package eventjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stdDecode returns the expected result of a Decoder, by encoding/json.
func stdDecode(t *testing.T, b []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("encoding/json on %q: %v", b, err)
	}
	return convert(v)
}

func convert(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := strconv.Atoi(string(v)); err == nil && v != "-0" {
			return i
		}
	case []any:
		for i := range v {
			v[i] = convert(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = convert(v[k])
		}
	}
	return v
}

func TestDecode(t *testing.T) {
	var d Decoder // one for all, to test reuse
	for _, text := range texts {
		b := []byte(text)
		v, err := d.Decode(b)
		if (err == nil) != stdValid(b) {
			t.Errorf("Decode(%q): %v", text, err)
		}
		if err != nil {
			if e := err.(*SyntaxError); e.Offset < 0 || e.Offset > len(b) || e.Error() == "" {
				t.Errorf("Decode(%q): %q at %d", text, e, e.Offset)
			}
			continue
		}
		if diff := cmp.Diff(stdDecode(t, b), v); diff != "" {
			t.Errorf("Decode(%q) (-want +got):\n%s", text, diff)
		}
	}
}

func TestDecodeNumbers(t *testing.T) {
	tests := []struct {
		text string
		want any
	}{
		{"0", 0}, {"-1", -1}, {"255", 255}, {"256", 256},
		{"-0", json.Number("-0")}, {"-0.0", json.Number("-0.0")}, {"1.10", json.Number("1.10")}, {"1e2", json.Number("1e2")},
		{strconv.Itoa(math.MaxInt), math.MaxInt}, {strconv.Itoa(math.MinInt), math.MinInt},
		{"9223372036854775808", json.Number("9223372036854775808")},
		{"18446744073709551617", json.Number("18446744073709551617")}, // 2^64 + 1 wraps to 1
		{"1e1000", json.Number("1e1000")},
	}
	var d Decoder
	for _, tt := range tests {
		if v, err := d.Decode([]byte(tt.text)); v != tt.want {
			t.Errorf("Decode(%s) = %#v, %v, want %#v", tt.text, v, err, tt.want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	tests := []struct {
		text, msg string
		offset    int
	}{
		{``, "unexpected end of JSON", 0},
		{`{"a":`, "unexpected end of JSON", 5},
		{`"abc`, "unexpected end of JSON", 4},
		{`{"a":}`, "unexpected character '}' in JSON", 5},
		{`{"a" 1}`, "unexpected character '1' in JSON", 5},
		{`{a:1}`, "unexpected character 'a' in JSON", 1},
		{`[1,]`, "unexpected character ']' in JSON", 3},
		{`{} x`, "unexpected character 'x' in JSON", 3},
		{`trUe`, "unexpected character 'U' in JSON", 2},
		{`1.x`, "unexpected character 'x' in JSON", 2},
		{`01`, "unexpected character '1' in JSON", 1},
		{`"ab\x"`, `unexpected character '\\' in JSON`, 3},
		{"\"a\nb\"", `unexpected character '\n' in JSON`, 2},
		{"\"ab\xffc\"", "invalid UTF-8 byte 0xff in JSON", 3},
		{`é`, "unexpected character 'é' in JSON", 0},
	}
	var d Decoder
	for _, tt := range tests {
		_, err := d.Decode([]byte(tt.text))
		e, ok := err.(*SyntaxError)
		if !ok || e.Offset != tt.offset || e.Error() != tt.msg {
			t.Errorf("Decode(%q): %v at %d, want %q at %d", tt.text, err, e.Offset, tt.msg, tt.offset)
		}
	}
}

// Reuse by a Decoder must not affect the next value, and b may be overwritten once
// Decode has returned.
func TestDecoderReuse(t *testing.T) {
	var d Decoder
	b := []byte(`{"a":{"x":1,"long":"0123456789012345678901234567890123456789"},"b":{"y":"short"}}`)
	v, err := d.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	want := stdDecode(t, b)
	for i := range b {
		b[i] = '#'
	}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Errorf("after overwriting the input (-want +got):\n%s", diff)
	}
	for _, text := range []string{`{"b":{}}`, `[{"a":1},`, `{}`, `[{},{"z":{}},{}]`, `{"a":1,"a":{"b":2}}`} {
		v, err := d.Decode([]byte(text))
		if err != nil {
			continue
		}
		if diff := cmp.Diff(stdDecode(t, []byte(text)), v); diff != "" {
			t.Errorf("Decode(%s) (-want +got):\n%s", text, diff)
		}
	}
}

// The tables and stacks of a Decoder must stay small whatever the stream contains.
func TestDecoderStaysSmall(t *testing.T) {
	var d Decoder
	for i := range 5000 {
		if _, err := d.Decode(fmt.Appendf(nil, `{"key%d":"value%d","%s":1}`, i, i, strings.Repeat("k", i))); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range d.names {
		if len(s) > maxShort {
			t.Fatalf("a name of %d bytes is kept", len(s))
		}
	}
	var wide, many strings.Builder
	wide.WriteByte('{')
	many.WriteByte('[')
	for i := range 10000 {
		fmt.Fprintf(&wide, `"k%d":%d,`, i, i)
		many.WriteString(`{"a":1},`)
	}
	for _, text := range []string{wide.String() + `"end":0}`, many.String() + `{}]`, `0`, `{}`} {
		if _, err := d.Decode([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.maps) > maxMaps || cap(d.elements) > maxStack || cap(d.members) > maxStack {
		t.Errorf("kept: %d maps, stacks of %d and %d", len(d.maps), cap(d.elements), cap(d.members))
	}
}

func TestAppendValue(t *testing.T) {
	huge, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	tests := []struct {
		v    any
		want string
	}{
		{huge, "-123456789012345678901234567890"},
		{json.Number("1.10"), "1.10"},
		{map[string]any{"b": 1, "a": []any{nil, true, "x"}, "": map[string]any{}}, `{"":{},"a":[null,true,"x"],"b":1}`},
		{"<&>\u2028 \"\\\b\f\n\r\t\x00\x1f\x7fé\xff😀", `"<&>` + "\u2028" + ` \"\\\b\f\n\r\t\u0000\u001f\u007fé\ufffd😀"`},
	}
	for _, tt := range tests {
		got, err := AppendValue([]byte("|"), tt.v)
		if err != nil || string(got) != "|"+tt.want {
			t.Errorf("AppendValue(%v) = %s, %v, want %s", tt.v, got, err, tt.want)
		}
	}
	for _, bad := range []any{int64(1), []string{"a"}, json.Number("01"), json.Number(""), json.Number("1 "), []any{map[string]any{"a": struct{}{}}}} {
		if got, err := AppendValue([]byte("|"), bad); err == nil || string(got) != "|" {
			t.Errorf("AppendValue(%#v) = %s, %v", bad, got, err)
		}
	}
	var deep any
	for range MaxDepth + 1 {
		deep = []any{deep}
	}
	if _, err := AppendValue(nil, deep); err != ErrTooDeep {
		t.Errorf("too deep: %v", err)
	}
}
