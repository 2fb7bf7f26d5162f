package jq

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
)

func mustCompile(t testing.TB, expr string, vars Vars) *Filter {
	t.Helper()
	f, err := Compile("--jq", expr, vars)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// yields runs f on the JSON text in and returns what it yields, one line each.
func yields(t testing.TB, f *Filter, in string) (string, error) {
	t.Helper()
	var d eventjson.Decoder
	v, err := d.Decode([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	r := f.run(t.Context(), v)
	for {
		v, ok, err := r.next()
		if err != nil || !ok {
			return string(out), err
		}
		if out, err = eventjson.AppendValue(out, v); err != nil {
			t.Fatal(err)
		}
		out = append(out, '\n')
	}
}

func TestVariables(t *testing.T) {
	str, err := Arg("s", "a \"b\"")
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Arg("s", "second")
	num, err := ArgJSON("n", `{"x":[1.50,12345678901234567890]}`)
	if err != nil {
		t.Fatal(err)
	}
	bad, _ := Arg("bad", "\xff")
	vars := Vars{Named: []Var{str, num, again, bad}}
	tests := []struct{ expr, want string }{
		{`$s`, `"a \"b\""`},
		{`$n`, `{"x":[1.50,12345678901234567890]}`},
		{`$bad`, `"` + "\uFFFD" + `"`},
		{`$ARGS.named | keys | join(" ")`, `"bad n s"`},
		{`$ARGS.named.s`, `"a \"b\""`},
		{`$ARGS.positional`, `[]`},
		{`$ENV | length`, `0`},
	}
	for _, tt := range tests {
		if got, err := yields(t, mustCompile(t, tt.expr, vars), "null"); err != nil || got != tt.want+"\n" {
			t.Errorf("%s: %q, %v, want %s", tt.expr, got, err, tt.want)
		}
	}
	for _, name := range []string{"", "1a", "a-b", "a b", "ä", "$a", "a::b"} {
		if _, err := Arg(name, "x"); err == nil {
			t.Errorf("Arg takes the name %q", name)
		}
		if _, err := ArgJSON(name, "1"); err == nil {
			t.Errorf("ArgJSON takes the name %q", name)
		}
	}
}

func TestEnvironment(t *testing.T) {
	vars := Vars{Environ: func() []string {
		return []string{"RUN=42", "HARK_DROGUE_TOKEN=secret", "HARK_COUNT=5", "API_KEY=theirs"}
	}}
	got, err := yields(t, mustCompile(t, `$ENV, env.RUN, env.HARK_DROGUE_TOKEN, ([env[]] | tostring | contains("secret"))`, vars), "null")
	if want := `{"API_KEY":"theirs","RUN":"42"}` + "\n\"42\"\nnull\nfalse\n"; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// What a peer says by way of stderr is one line, which is not one of hark's own, and not a command.
func TestStderrIsOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"a\n::error::b":             "a ::error::b",
		"::error::b\n":              `"::error::b"`,
		" ::error::b":               `" ::error::b"`,
		"\r\nHark: hint: b":         `" Hark: hint: b"`,
		"##[error]b":                `"##[error]b"`,
		"a\x1b[31m\u2028b\u202ec\r": "a\ufffd[31m b\ufffdc",
		"":                          "",
	} {
		var said strings.Builder
		arg, err := Arg("text", text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := yields(t, mustCompile(t, `$text | stderr`, Vars{Stderr: &said, Named: []Var{arg}}), `1`); err != nil || said.String() != want+"\n" {
			t.Errorf("%q: %q, %v, want %q", text, said.String(), err, want)
		}
	}
}

func TestDebugAndStderr(t *testing.T) {
	var said strings.Builder
	f := mustCompile(t, `.a | debug | debug("n: \(.)") | (., "text\n" | stderr) | empty`, Vars{Stderr: &said})
	if got, err := yields(t, f, `{"a":1.50}`); got != "" || err != nil {
		t.Errorf("yields %q, %v", got, err)
	}
	if want := `["DEBUG:",1.50]` + "\n" + `["DEBUG:","n: 1.50"]` + "\n1.50\ntext\n"; said.String() != want {
		t.Errorf("stderr: %q, want %q", said.String(), want)
	}
	if got, err := yields(t, mustCompile(t, `debug, stderr`, Vars{}), `1`); got != "1\n1\n" || err != nil {
		t.Errorf("without Stderr: %q, %v", got, err)
	}
}

func TestRunErrors(t *testing.T) {
	// err is the part of the message that is not gojq's.
	tests := []struct{ expr, out, err string }{
		{`1, .a[0], 3`, "1\n", "object"},
		{`1, error("x"), 3`, "1\n", "x"},
		{`1, halt, 3`, "1\n", "halt"},
		{`1, ("bye" | halt_error), 3`, "1\n", "bye"},
		{`null | halt_error`, "", "null"},
		{`"zero" | halt_error(0)`, "", "zero"},
		{`try error("x") catch .`, "\"x\"\n", ""},
	}
	for _, tt := range tests {
		out, err := yields(t, mustCompile(t, tt.expr, Vars{}), `{"a":{"b":1}}`)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || out != tt.out {
			t.Errorf("%s: %q, %v, want %q, %s", tt.expr, out, err, tt.out, tt.err)
		}
		if errors.Is(err, ErrHalt) != (tt.err == "halt") {
			t.Errorf("%s: halt or not: %v", tt.expr, err)
		}
	}
}

// gojq panics on types that it does not know; that must not end the program.
func TestRunPanics(t *testing.T) {
	r := mustCompile(t, `.+1`, Vars{}).run(t.Context(), int64(1))
	if _, ok, err := r.next(); ok || err == nil || !strings.HasPrefix(err.Error(), "internal error of the expression: ") {
		t.Errorf("next: %v, %v", ok, err)
	}
}

func TestRunEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, errors.New("time is up"))
	defer cancel()
	_, _, err := mustCompile(t, `last(repeat(1))`, Vars{}).run(ctx, nil).next()
	if i, ok := errors.AsType[Interrupted](err); !ok || i.Cause.Error() != "time is up" {
		t.Errorf("next: %v", err)
	}
}

func TestMatches(t *testing.T) {
	tests := []struct {
		expr string
		want bool
	}{
		{`true`, true}, {`false`, false}, {`null`, false}, {`0`, true}, {`""`, true}, {`[]`, true}, {`.a`, true}, {`.b`, false},
		{`empty`, false}, {`false, null`, false}, {`false, 1`, true}, {`1, error("not reached")`, true}, {`.a > 1`, false}, {`.a == 1`, true},
	}
	for _, tt := range tests {
		got, err := mustCompile(t, tt.expr, Vars{}).Matches(t.Context(), map[string]any{"a": 1})
		if err != nil || got != tt.want {
			t.Errorf("%s: %v, %v, want %v", tt.expr, got, err, tt.want)
		}
	}
	if got, err := mustCompile(t, `false, error("x")`, Vars{}).Matches(t.Context(), nil); got || err == nil {
		t.Errorf("an error after false: %v, %v", got, err)
	}
}
