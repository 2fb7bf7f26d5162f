// Package prompt implements the interactive mode: it runs lines and commands typed at a
// prompt, and shows the messages of the server. Its Config connects it to the stream
// and the program.
package prompt

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
)

// Colors of a terminal (ECMA-48, Select Graphic Rendition).
const (
	Received = "36"
	Sent     = "32"
	dim      = "2"
)

// Paint colors text, if colors are enabled.
func Paint(color bool, sgr, text string) string {
	if !color {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

// Visible makes control characters visible: those of ASCII as control pictures, except
// line feeds, others by their number. They include bidirectional overrides, which can
// disguise a text.
func Visible(text string) string {
	clean := func(r rune) bool {
		return r == '\n' || r == '\t' || !console.Acts(r) && r != utf8.RuneError
	}
	if strings.IndexFunc(text, func(r rune) bool { return !clean(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case clean(r) || r == utf8.RuneError:
			b.WriteRune(r)
		case r < ' ':
			b.WriteRune(0x2400 + r)
		case r == 0x7f:
			b.WriteRune(0x2421)
		default:
			fmt.Fprintf(&b, "<U+%04X>", r)
		}
	}
	return b.String()
}

// Dump returns bytes in hexadecimal, with their number; only the first ones of many.
func Dump(b []byte) string {
	const most = 256
	unit := "bytes"
	if len(b) == 1 {
		unit = "byte"
	}
	text := fmt.Sprintf("[%d %s]", len(b), unit)
	if len(b) == 0 {
		return text
	}
	if len(b) > most {
		return fmt.Sprintf("%s % x …", text, b[:most])
	}
	return fmt.Sprintf("%s % x", text, b)
}

// ToUTF8 returns text as valid UTF-8, as required for text messages.
func ToUTF8(b []byte) []byte { return bytes.ToValidUTF8(b, []byte("\uFFFD")) }

// FrameOf returns a message with the content of a file: a text message if it is UTF-8.
func FrameOf(b []byte, binary bool) proto.Frame {
	if binary || !utf8.Valid(b) {
		return proto.Frame{Opcode: frame.OpBinary, Payload: b}
	}
	return proto.Text(b)
}

// MessageCount returns a number of messages, in words.
func MessageCount(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}

// shellWord quotes a word for sh.
func shellWord(s string) string {
	if s != "" && regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]+$`).MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func quoted(s string) string { return string(eventjson.AppendString(nil, s)) }
