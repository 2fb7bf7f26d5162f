package jq

import (
	"errors"
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/console"
)

func TestExprError(t *testing.T) {
	// msg is the part of the message that is not gojq's.
	tests := []struct{ expr, msg, caret string }{
		{`.data.}`, `"}"`, "    .data.}\n          ^"},
		{`.a |`, "unexpected end of the expression", "    .a |\n        ^"},
		{`"漢字é" | }`, `"}"`, "    \"漢字é\" | }\n              ^"},
		{"\t.a\t| }", `"}"`, "    \t.a\t| }\n    \t  \t  ^"},
		{"\"e\u0301👍\" ]", `"]"`, "    \"e\u0301👍\" ]\n          ^"},
		{".a\n| .b }\n| .c", `"}"`, "    | .b }\n         ^"},
		{".a\xff", "\"\uFFFD\"", "    .a\uFFFD\n      ^"},
		{"\"\x1b[31m\" | }", `"}"`, "    \"\uFFFD[31m\" | }\n              ^"},
		{`.a == "x\q"`, `\q`, "    .a == \"x\\q\"\n            ^"},
		{`.a | foo`, "foo", "    .a | foo\n         ^"},
		{`def foo(f): f; foo`, "foo", "    def foo(f): f; foo\n                   ^"},
		{`{foo: .foo, x: "foo \(foo)"} # foo`, "foo", "    {foo: .foo, x: \"foo \\(foo)\"} # foo\n                          ^"},
		{`$x | . as $x | $x`, "$x", "    $x | . as $x | $x\n    ^"},
		{`. as $x | $y`, "$y", "    . as $x | $y\n              ^"},
		{`label $a | break $b`, "$b", "    label $a | break $b\n                     ^"},
		{`.a | @bas64`, "@bas64", "    .a | @bas64\n         ^"},
		{`.input | inputs`, "input and inputs cannot be used: the expression is run once for each event", "    .input | inputs\n             ^"},
		{`import "m" as m; .`, "modules cannot be used", "    import \"m\" as m; .\n    ^"},
		{`input_filename`, "input_filename", "    input_filename\n    ^"},
	}
	for _, tt := range tests {
		_, err := Compile("--until", tt.expr, Vars{})
		e, ok := errors.AsType[*Error](err)
		if !ok {
			t.Errorf("Compile(%q): %v", tt.expr, err)
			continue
		}
		if !strings.HasPrefix(e.Error(), "--until: ") || !strings.Contains(e.Error(), tt.msg) {
			t.Errorf("Compile(%q): %s, want %s", tt.expr, e, tt.msg)
		}
		if e.Caret() != tt.caret {
			t.Errorf("Compile(%q) shows\n%s\nwant\n%s", tt.expr, e.Caret(), tt.caret)
		}
	}
}

// A long line is cut around the mistake, and the caret still points at it.
func TestCaretInLongLine(t *testing.T) {
	left, right := strings.Repeat(".漢é | ", 40), strings.Repeat(" | .a", 40)
	_, err := Compile("--jq", `"`+left+`" | }`+right, Vars{})
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatal(err)
	}
	line, pad, _ := strings.Cut(e.Caret(), "\n")
	width := 0
	at := ""
	for _, r := range line {
		if width == len(pad)-1 {
			at = string(r)
		}
		width += columns(r)
	}
	if at != "}" || width > 80 || !strings.HasPrefix(line, "    …") || !strings.HasSuffix(line, "…") {
		t.Errorf("%d columns, caret under %q:\n%s", width, at, e.Caret())
	}
}

func TestArgJSONError(t *testing.T) {
	_, err := ArgJSON("v", "{\"漢\": }")
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatal(err)
	}
	if e.Error() != "--argjson v: unexpected character '}' in JSON" || e.Caret() != "    {\"漢\": }\n           ^" {
		t.Errorf("%s\n%s", e, e.Caret())
	}
	if _, err := ArgJSON("v", "1 2"); err == nil {
		t.Error("takes two values")
	}
}

// Whatever the expression, Compile must not panic, and the place of a mistake must
// be within it.
func FuzzCompile(f *testing.F) {
	for _, expr := range []string{``, `.`, `.data.}`, `"a\("b\(.c)d")e"`, `foo(1)`, `$x`, `@foo "x\(1)"`, `input`, "# c\n.a]", `"\(`, `.a\`, "\"\\", `)`, `break $x`} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		_, err := Compile("--jq", expr, Vars{})
		if err == nil {
			return
		}
		e, ok := errors.AsType[*Error](err)
		if !ok {
			t.Fatalf("%T: %v", err, err)
		}
		if e.Offset < -1 || e.Offset > len(expr) {
			t.Fatalf("offset %d in %d bytes", e.Offset, len(expr))
		}
		if strings.ContainsFunc(e.Error(), console.Acts) {
			t.Fatalf("control characters in %q", e.Error())
		}
		line, pad, _ := strings.Cut(e.Caret(), "\n")
		if strings.ContainsFunc(line+pad, func(r rune) bool { return r != '\t' && console.Acts(r) }) {
			t.Fatalf("control characters in %q", e.Caret())
		}
	})
}
