package eventjson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"
)

func seed(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	for _, text := range samples() {
		f.Add([]byte(text))
	}
	f.Add(nest(70))
}

func FuzzScan(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		want := stdValid(b)
		ok, breaks := Valid(b)
		if ok != want {
			t.Fatalf("Scan = %v, want %v", ok, want)
		}
		if ok && breaks != bytes.ContainsAny(b, "\r\n") {
			t.Fatalf("Scan says line breaks %v", breaks)
		}
		line, ok := AppendLine(nil, b)
		if ok != want {
			t.Fatalf("AppendLine = %v, want %v", ok, want)
		}
		if !ok {
			return
		}
		if bytes.ContainsAny(line, "\r\n") || !stdValid(line) {
			t.Fatalf("AppendLine = %q", line)
		}
		var before, after bytes.Buffer
		if json.Compact(&before, b) != nil || json.Compact(&after, line) != nil || !bytes.Equal(before.Bytes(), after.Bytes()) {
			t.Fatalf("AppendLine = %q, another value", line)
		}
	})
}

func FuzzDecode(f *testing.F) {
	seed(f)
	var d Decoder
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := d.Decode(b)
		if (err == nil) != stdValid(b) {
			t.Fatalf("Decode: %v", err)
		}
		if err != nil {
			return
		}
		want := stdDecode(t, b)
		// not go-cmp, which takes time exponential in the depth
		if !reflect.DeepEqual(v, want) {
			t.Fatalf("Decode = %#v, want %#v", v, want)
		}
		text, err := AppendValue(nil, v)
		if err != nil || !stdValid(text) || bytes.ContainsAny(text, "\r\n") {
			t.Fatalf("AppendValue = %q, %v", text, err)
		}
		again, err := d.Decode(text) // which invalidates v
		if err != nil {
			t.Fatalf("Decode(%q): %v", text, err)
		}
		if !reflect.DeepEqual(again, want) {
			t.Fatalf("round trip by way of %q: %#v, want %#v", text, again, want)
		}
	})
}

func FuzzAppendString(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted := AppendString(nil, s)
		if !bytes.Equal(quoted, AppendString(nil, []byte(s))) {
			t.Fatal("string and bytes differ")
		}
		var got string
		if err := json.Unmarshal(quoted, &got); err != nil {
			t.Fatalf("%q: %v", quoted, err)
		}
		if want := string([]rune(s)); got != want { // each invalid byte becomes U+FFFD
			t.Fatalf("AppendString = %q, want %q", got, want)
		}
		if utf8.ValidString(s) {
			var d Decoder
			if v, err := d.Decode(quoted); err != nil || v != s {
				t.Fatalf("Decode(AppendString) = %q, %v", v, err)
			}
		}
	})
}

// selections for members of the seeds.
func someSelections() []*Selection {
	var data, deep, both Selection
	data.Add("value", nil)
	deep.Add("data", &data)
	deep.Add("a", &Selection{})
	deep.Add("", nil)
	both.Add("data", nil)
	both.Add("id", nil)
	both.Add("a", &deep)
	return []*Selection{{}, &deep, &both}
}

func FuzzDecodeSelected(f *testing.F) {
	seed(f)
	f.Add([]byte(`{"a":{"a":{"x":1},"data":{"value":2,"value":3},"\u0061":[{"x":1}]},"data":7,"":{"y":[]}}`))
	var d Decoder
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, sel := range someSelections() {
			v, err := d.DecodeSelected(b, sel)
			if (err == nil) != stdValid(b) {
				t.Fatalf("DecodeSelected: %v", err)
			}
			if err != nil {
				if _, want := d.Decode(b); want == nil || err.Error() != want.Error() {
					t.Fatalf("DecodeSelected: %v, Decode: %v", err, want)
				}
				continue
			}
			if want := chosen(stdDecode(t, b), sel); !reflect.DeepEqual(v, want) {
				t.Fatalf("DecodeSelected = %#v, want %#v", v, want)
			}
		}
	})
}

// chosen removes from v what sel does not select.
func chosen(v any, sel *Selection) any {
	m, ok := v.(map[string]any)
	if !ok || sel == nil {
		return v
	}
	out := map[string]any{}
	for _, s := range sel.members {
		if x, ok := m[s.name]; ok {
			out[s.name] = chosen(x, s.what)
		}
	}
	return out
}

// What AppendUnquoted reads is what a Decoder reads.
func FuzzUnquoted(f *testing.F) {
	for _, s := range []string{`"a"`, `"a\"b\\c\n\u00e4\ud83d\ude00"x`, `"\ud800"`, `"\ud800\u0041"`, `"\ud800\ud800\udc00"`, `"\ud83d\u00zz"`, `"`, `"\`, `"\q"`, "\"\x01\"", "\"\xff\"", `"漢字漢字漢字"`, `"1234567\"12345678"`, `x`, ``} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, room int) {
		dst := append(make([]byte, 0, max(room%40, 3)), "abc"...)
		out, n := AppendUnquoted(dst, b)
		if want := StringLen(b); n != want {
			t.Fatalf("%q: %d bytes, want %d", b, n, want)
		}
		if n == 0 {
			if string(out) != "abc" {
				t.Fatalf("%q: %q", b, out)
			}
			return
		}
		var d Decoder
		v, err := d.Decode(b[:n])
		if err != nil || string(out) != "abc"+v.(string) {
			t.Fatalf("%q: %q, want %q, %v", b, out, v, err)
		}
	})
}
