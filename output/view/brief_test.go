package view

import (
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/proto"
)

func TestBrief(t *testing.T) {
	at := time.Date(2026, 11, 30, 12, 34, 56, 0, time.Local)
	for _, tt := range []struct {
		name    string
		summary *proto.Summary
		data    string
		binary  bool
		width   int
		want    string
	}{
		{name: "unknown", data: `{"a":1,"b":{"c":true,"d":[1, 2]},"e":"x y","f":null}`, want: `12:34:56 a 1 b.c true b.d [1, 2] e x y f null`},
		{name: "known", summary: &proto.Summary{What: "temperature", From: "pump-01", Data: []byte("21.5")}, data: "{}", want: "12:34:56 temperature pump-01 21.5"},
		{name: "no payload", summary: &proto.Summary{What: "left", Data: []byte{}}, data: `{"a":1}`, want: "12:34:56 left"},
		{name: "empty", data: `{"o":{},"a":[],"s":""}`, want: `12:34:56 o {} a [] s ""`},
		{name: "exactly", data: `"0123456789"`, width: 20, want: "12:34:56 0123456789"},
		{name: "cut", data: `"0123456789A"`, width: 20, want: "12:34:56 0123456789…"},
		{name: "more than fits", data: `{"a":"0123456","b":1}`, width: 20, want: "12:34:56 a 0123456 …"},
		{name: "wide", data: `"日本語日本語"`, width: 20, want: "12:34:56 日本語日本…"},
		{name: "emoji", data: `"🙂🙂🙂🙂🙂🙂"`, width: 19, want: "12:34:56 🙂🙂🙂🙂…"},
		{name: "text", data: "hello\nworld", want: "12:34:56 hello world"},
		{name: "binary", data: "\x00\x01\xff", binary: true, want: "12:34:56 3 bytes"},
		{name: "hostile", summary: &proto.Summary{What: "\x1b[2J"}, data: `{"\u001b]0;x\u0007":"\u001b[31m\r\n\u202ex"}`, want: "12:34:56 \ufffd[2J \\u001b]0;x\\u0007 \ufffd[31m \ufffdx"},
		{name: "narrow", data: `{"a":1}`, width: 5, want: "12:3…"},
		{name: "deep", data: `{"a":{"b":{"c":{"d":{"e":1}}}}}`, want: `12:34:56 a.b.c.d {"e":1}`},
	} {
		b := Brief{Width: func() int { return tt.width }}
		if tt.summary != nil {
			b.Summary = func(proto.Message) proto.Summary { return *tt.summary }
		}
		ev := &proto.Event{Message: proto.Message{Time: at, Data: []byte(tt.data), Binary: tt.binary}}
		if got := string(b.Append([]byte("> "), ev)); got != "> "+tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		b.Color = true
		if got := uncolored(string(b.Append(nil, ev))); got != tt.want {
			t.Errorf("%s: in color %q, want %q", tt.name, got, tt.want)
		}
	}
}

func uncolored(s string) string {
	for _, c := range []string{faint, strong, off, "\x1b[32m", "\x1b[36m", "\x1b[33m", "\x1b[90m"} {
		s = strings.ReplaceAll(s, c, "")
	}
	return s
}

// Whatever comes, a line stays within the terminal and does nothing to it.
func FuzzBrief(f *testing.F) {
	f.Add(`{"a":"日本"}`, false, 20)
	f.Add("\x1b[2J", true, 3)
	f.Fuzz(func(t *testing.T, data string, binary bool, width int) {
		width = 1 + int(uint(width)%200)
		b := Brief{Width: func() int { return width }}
		got := string(b.Append(nil, &proto.Event{Message: proto.Message{Data: []byte(data), Binary: binary}}))
		if n := console.Width(got); n > width {
			t.Errorf("%d columns of %d: %q", n, width, got)
		}
		if strings.ContainsFunc(got, console.Acts) {
			t.Errorf("%q", got)
		}
	})
}
