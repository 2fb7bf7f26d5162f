package eventjson

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// texts are JSON and almost JSON, where parsers differ. The expected result is that of
// encoding/json and unicode/utf8; see stdValid.
var texts = []string{
	``, ` `, "\n", `x`, `null`, `nul`, `nullx`, `null null`, `true`, `tru`, `trux`, `false`, `falsE`, `True`,
	` null `, "\t\r\n null\r\n", "\vnull", "\fnull", "\u00a0null", "\ufeffnull", "null\x00",
	`0`, `-0`, `-`, `--1`, `+1`, `01`, `-01`, `1.`, `.5`, `1.5`, `1.5.`, `1e`, `1e5`, `1E+5`, `1e-05`, `1e+`, `1ee5`, `0e0`,
	`0x1`, `1_000`, `Infinity`, `NaN`, `1e1000`, `-0.0`, `9223372036854775807`, `9223372036854775808`,
	`-9223372036854775808`, `-9223372036854775809`, `999999999999999999`, `1000000000000000000`, `-999999999999999999`,
	`2147483647`, `2147483648`, `-2147483649`, `123456789012345678901234567890`, `1.10`, `1.0`,
	`""`, `"`, `"a`, `"\"`, `"\\"`, `"\"\\\/\b\f\n\r\t"`, `"\a"`, `"\'"`, `"\u"`, `"\u12"`, `"\u12g4"`, `"\u12G4"`, `"\uAbCd"`, `"\u0000"`,
	"\"\x00\"", "\"\x1f\"", "\"\n\"", "\"\r\"", "\"\t\"", "\"\x7f\"", "\"12345678\x1f\"", "\"1234567\x1f\"", "\"123456789\n\"",
	`"12345678"`, `"1234567"`, `"123456789"`, `"12345678`, `"1234567\"89"`, `"12345678\u00e9"`,
	`"é"`, `"€"`, `"😀"`, `"aé€😀z"`, `"漢字かな交じり文、そして長い文字列"`, "\"\xff\"", "\"\xc3\"", "\"\xc3(\"", "\"\xe2\x82\"",
	"\"\xf0\x9f\x98\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xef\xbf\xbd\"", "\"1234567\xff\"", "\"\xe2\x82", "\"1234567\xe2\x82\xac\"",
	`"\ud83d\ude00"`, `"\ud83d"`, `"\ude00"`, `"\ud83dx"`, `"\ud83d\n"`, `"\ud83d\u0041"`, `"\ud83d\ud83d\ude00"`, `"\ude00\ud83d"`, `"\ud83d\u"`, `"\uD83D\uDE00"`,
	`[]`, `[ ]`, `[`, `]`, `[,]`, `[1`, `[1,`, `[1,]`, `[1 2]`, `[1]]`, `[[]`, `[}`, `[1}`, `[1,2 , 3 ]`, `[[],[[]],{}]`, `["a"]`, `["a]`,
	`{}`, `{ }`, `{`, `}`, `{]`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{"a":1]`, `{"a" : 1 , "b" : [ ] }`, `{a:1}`, `{1:1}`,
	`{"a":1 "b":2}`, `{"a"::1}`, `{:1}`, `{"a":1,"a":2}`, `{"a":{"a":1},"a":[3]}`, `{"":0}`, `{"\u0061":1,"a":2}`, `{"a\n":1}`, "{\"\xff\":1}",
	"{\"a\"\n:\r\n1\n,\n\"b\":2}\n", `{"a":1}{"b":2}`, `{"a":1},`, `//c`, `1//c`, `'a'`,
	`[1e400,-1e400,1E400]`, `{"k":[{"k":[{"k":null}]}]}`,
}

func stdValid(b []byte) bool { return json.Valid(b) && utf8.Valid(b) }

func TestScan(t *testing.T) {
	for _, text := range texts {
		ok, breaks := Valid([]byte(text))
		if want := stdValid([]byte(text)); ok != want {
			t.Errorf("Scan(%q) = %v, want %v", text, ok, want)
		}
		if want := strings.ContainsAny(text, "\r\n"); ok && breaks != want {
			t.Errorf("Scan(%q) says line breaks %v, want %v", text, breaks, want)
		}
	}
}

// Every sample truncated at every position, and with every byte replaced by an invalid
// one, so that each state of the scanner gets each kind of error.
func TestScanDamaged(t *testing.T) {
	for _, name := range sampleNames {
		text := samples()[name]
		check := func(b []byte) {
			if got, _ := Valid(b); got != stdValid(b) {
				t.Fatalf("Scan(%q) = %v", b, got)
			}
		}
		check([]byte(text))
		for i := range min(len(text), 700) {
			check([]byte(text[:i]))
			for _, c := range []byte("\x00\n\"\\,:]}0e\xff\xc3") {
				b := []byte(text)
				b[i] = c
				check(b)
			}
		}
	}
}

// nest returns a value of depth nested arrays and objects in turn.
func nest(depth int) []byte {
	var open, closing strings.Builder
	for i := range depth {
		if i%2 == 0 {
			open.WriteString(`[`)
		} else {
			open.WriteString(`{"k":`)
		}
		if (depth-1-i)%2 == 0 {
			closing.WriteString(`]`)
		} else {
			closing.WriteString(`}`)
		}
	}
	return []byte(open.String() + "0" + closing.String())
}

func TestDepth(t *testing.T) {
	for _, depth := range []int{1, 63, 64, 65, 127, 128, 129, 130, 1000, MaxDepth - 1, MaxDepth, MaxDepth + 1, MaxDepth + 64, 3 * MaxDepth} {
		b := nest(depth)
		want := stdValid(b)
		if want != (depth <= MaxDepth) {
			t.Fatalf("encoding/json has another limit: depth %d is %v", depth, want)
		}
		if ok, _ := Valid(b); ok != want {
			t.Errorf("Scan at depth %d = %v, want %v", depth, ok, want)
		}
		var d Decoder
		v, err := d.Decode(b)
		if (err == nil) != want {
			t.Errorf("Decode at depth %d: %v", depth, err)
		}
		if err != nil {
			e := err.(*SyntaxError)
			if c := b[e.Offset]; c != '[' && c != '{' || e.Error() != "nested deeper than 10000 levels" {
				t.Errorf("Decode at depth %d: %v at %d", depth, e, e.Offset)
			}
			continue
		}
		out, err := AppendValue(nil, v)
		if err != nil || string(out) != string(b) {
			t.Errorf("AppendValue at depth %d: %d bytes, %v", depth, len(out), err)
		}
		if depth > 2 { // the right closers in the wrong order
			b[len(b)-1], b[len(b)-2] = b[len(b)-2], b[len(b)-1]
			if ok, _ := Valid(b); ok {
				t.Errorf("Scan at depth %d takes swapped brackets", depth)
			}
		}
	}
	if ok, _ := Valid(bytesOf("[", 1<<20)); ok {
		t.Error("Scan takes open brackets")
	}
}

func bytesOf(s string, n int) []byte { return []byte(strings.Repeat(s, n)) }

func TestAppendLine(t *testing.T) {
	tests := []struct{ in, want string }{
		{`{"a":1}`, `{"a":1}`},
		{" {\t\"a\" : 1.0 }  ", " {\t\"a\" : 1.0 }  "},
		{"{\"a\":1}\n", `{"a":1}`},
		{"\r\n{\"a\":1}\r\n", `{"a":1}`},
		{"{\r\n  \"a\": 1,\n  \"b\": \"x\\ny\"\n}\n\n", "{    \"a\": 1,   \"b\": \"x\\ny\" }"},
		{" \n 1 \n ", "   1   "},
		{"[\n]", "[ ]"},
	}
	for _, tt := range tests {
		got, ok := AppendLine([]byte("before|"), []byte(tt.in))
		if !ok || string(got) != "before|"+tt.want {
			t.Errorf("AppendLine(%q) = %q, %v, want %q", tt.in, got, ok, tt.want)
		}
	}
	for _, bad := range []string{"", "\n", "{", "a\nb", "{}\n{}"} {
		if got, ok := AppendLine([]byte("before|"), []byte(bad)); ok || string(got) != "before|" {
			t.Errorf("AppendLine(%q) = %q, %v", bad, got, ok)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	msg := []byte(samples()["indented"])
	deep := nest(MaxDepth)
	buf := make([]byte, 0, 4096)
	for name, f := range map[string]func(){
		"Scan":       func() { Valid(msg) },
		"Scan deep":  func() { Valid(deep) },
		"AppendLine": func() { buf, _ = AppendLine(buf[:0], msg) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
