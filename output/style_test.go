package output

import (
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/jq"
)

func TestStyle(t *testing.T) {
	const color = "{\x1b[1;34m\"a\"\x1b[0m:[\x1b[33mtrue\x1b[0m,\x1b[90mnull\x1b[0m,\x1b[36m-1.5e+3\x1b[0m,\x1b[32m\"b\"\x1b[0m]}"
	tests := []struct {
		name, in string
		style    Style
		want     string
	}{
		{"color", `{"a":[true,null,-1.5e+3,"b"]}`, Style{Color: true}, color},
		{"white space stays", `{ "a" :[ 1 , 2]} `, Style{Visible: true}, `{ "a" :[ 1 , 2]} `},
		{"pretty", `{"a" :[1, {"b":[ ]}],"c":{ },"d":"x"}`, Style{Pretty: true},
			"{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {},\n  \"d\": \"x\"\n}"},
		{"pretty scalar", ` "a"`, Style{Pretty: true}, `"a"`},
		{"a string is not a key", `["a",{"b":"c"},"d"]`, Style{Color: true},
			"[\x1b[32m\"a\"\x1b[0m,{\x1b[1;34m\"b\"\x1b[0m:\x1b[32m\"c\"\x1b[0m},\x1b[32m\"d\"\x1b[0m]"},
		{"visible", "{\"\u009b\":\"a\\u001b\x7f\u202e\u2066é\u200f\u061c漢😀\"}", Style{Visible: true},
			`{"\u009b":"a\u001b\u007f\u202e\u2066é\u200f\u061c漢😀"}`},
		{"text becomes JSON before", "a\x1b\u0085b", Style{Visible: true}, `"a\u001b\u0085b"`},
		{"time", `1`, Style{Time: true, Color: true}, "\x1b[2m2026-11-05T10:22:31.482Z\x1b[0m \x1b[36m1\x1b[0m"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, filter := range []*jq.Filter{nil, mustCompile(t, ".", jq.Vars{})} {
				r := newRig(Options{Style: tt.style, Filter: filter})
				if err := r.sendAt(tt.in, false); err != nil {
					t.Fatal(err)
				}
				if got := r.printed(t); got != tt.want+"\n" {
					t.Errorf("%q, want %q", got, tt.want)
				}
			}
		})
	}
}

func TestRawStyle(t *testing.T) {
	r := newRig(Options{Style: Style{Visible: true, Color: true, Time: true}, Raw: true, Filter: mustCompile(t, ".", jq.Vars{})})
	if err := r.sendAt(`"a\tb\nc\u001b[31m\r\u202e é"`, false); err != nil {
		t.Fatal(err)
	}
	want := "\x1b[2m2026-11-05T10:22:31.482Z\x1b[0m a\tb\nc\\u001b[31m\\u000d\\u202e é\n"
	if got := r.printed(t); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What is nested deeply does not grow with the square of its depth.
func TestPrettyIsBounded(t *testing.T) {
	const depth = 9000
	in := strings.Repeat("[", depth) + strings.Repeat("]", depth)
	r := newRig(Options{Style: Style{Pretty: true}})
	if err := r.texts(in); err != nil {
		t.Fatal(err)
	}
	if n := len(r.printed(t)); n > 2*depth*(2*maxIndent+2) {
		t.Errorf("%d bytes for %d", n, len(in))
	}
}
