package console

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "",
		"plain – text ✓":             "plain – text ✓",
		"x\n::error::forged":         "x ::error::forged",
		"x\r\ny\rz\n":                "x y z",
		"a\tb\vc\fd\u0085e\u2028f":   "a b c d e f",
		"\x1b]52;c;AA\x07":           "\uFFFD]52;c;AA\uFFFD",
		"\u009b2J \u202e \u2066":     "\uFFFD2J \uFFFD \uFFFD",
		"\u200e\u200f\u061c":         "\uFFFD\uFFFD\uFFFD",
		"\xff\xfe bytes \x9b":        "\uFFFD bytes \uFFFD",
		"\U0001F469\u200d\U0001F4BB": "\U0001F469\u200d\U0001F4BB", // joined, as emoji are
	} {
		if got := Line(in); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Lines("a\n\tb\x1b\r\n"); got != "a\n\tb\uFFFD\uFFFD\n" {
		t.Errorf("Lines: %q", got)
	}
}

// The result is always one line without control characters, and applying Line again
// does not change it.
func FuzzLine(f *testing.F) {
	f.Add("x\n::error::")
	f.Add("\u2029\x9b\x00\r")
	f.Fuzz(func(t *testing.T, text string) {
		line := Line(text)
		if !utf8.ValidString(line) || strings.ContainsFunc(line, Acts) || Line(line) != line {
			t.Errorf("Line(%q) = %q", text, line)
		}
		if lines := Lines(text); strings.ContainsFunc(lines, func(r rune) bool { return Acts(r) && r != '\n' && r != '\t' }) {
			t.Errorf("Lines(%q) = %q", text, lines)
		}
	})
}
