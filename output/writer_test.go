package output

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
)

// A rig is a Writer with its output and its warnings.
type rig struct {
	*Writer
	out      bytes.Buffer
	warnings []string
	seq      uint64
}

func newRig(opts Options) *rig {
	r := new(rig)
	opts.Warn = func(msg string) { r.warnings = append(r.warnings, msg) }
	r.Writer = New(&r.out, opts)
	return r
}

func (r *rig) send(data string, binary bool) error {
	r.seq++
	b := []byte(data)
	err := r.Event(&proto.Event{Message: proto.Message{Data: b, Binary: binary}, Seq: r.seq})
	for i := range b { // it must not have been kept
		b[i] = '#'
	}
	return err
}

// texts sends text messages until one of them ends it.
func (r *rig) texts(messages ...string) error {
	for _, m := range messages {
		if err := r.send(m, false); err != nil {
			return err
		}
	}
	return nil
}

func (r *rig) printed(t testing.TB) string {
	t.Helper()
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	return r.out.String()
}

func TestMessages(t *testing.T) {
	const fffd = "\uFFFD"
	tests := []struct {
		name, in     string
		binary       bool
		want, rawOut string // rawOut when it differs
	}{
		{"object", `{"b":1.0, "a":[ 1e2 ]}`, false, `{"b":1.0, "a":[ 1e2 ]}`, ""},
		{"binary JSON", `{"a":1}`, true, `{"a":1}`, ""},
		{"line breaks", "{\r\n\"a\":\n1}\n", false, `{  "a": 1}`, ""},
		{"duplicate names", `{"a":1,"a":2}`, false, `{"a":1,"a":2}`, ""},
		{"JSON string", `"a\u0062\n"`, false, `"a\u0062\n"`, "ab\n"},
		{"JSON string, space around it", "\t\"a\" ", false, "\t\"a\" ", "a"},
		{"binary JSON string", `"a"`, true, `"a"`, "a"},
		{"text", "hello \"world\"\r\n\x00", false, `"hello \"world\"\r\n\u0000"`, "hello \"world\"\r\n\x00"},
		{"nearly JSON", `{"a":1} {`, false, `"{\"a\":1} {"`, `{"a":1} {`},
		{"nearly a JSON string", `"a`, false, `"\"a"`, `"a`},
		{"empty text", "", false, `""`, "\x00empty"},
		{"invalid UTF-8", "a\xff\xfe\u00e9", false, `"a\ufffd\ufffd` + "\u00e9\"", "a" + fffd + fffd + "\u00e9"},
		{"JSON but for UTF-8", "{\"a\":\"\xff\"}", false, `"{\"a\":\"\ufffd\"}"`, `{"a":"` + fffd + `"}`},
		{"binary", "\x00\xff\n", true, `{"data_base64":"AP8K"}`, ""},
		{"empty binary", "", true, `{"data_base64":""}`, ""},
		{"two values", "1 2", false, `"1 2"`, "1 2"},
		{"two lines", "{}\n{}", false, `"{}\n{}"`, "{}\n{}"},
	}
	identity := mustCompile(t, "if true then . else 1 end", jq.Vars{})
	copied := mustCompile(t, "[.] | tojson | fromjson | .[0]", jq.Vars{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := tt.rawOut
			switch raw {
			case "":
				raw = tt.want
			case "\x00empty":
				raw = ""
			}
			for _, v := range []struct {
				opts Options
				want string
			}{
				{Options{}, tt.want},
				{Options{Filter: identity}, tt.want},
				{Options{Conditions: []Condition{Until(mustCompile(t, "false", jq.Vars{}))}}, tt.want},
				{Options{Raw: true}, raw},
				{Options{Raw: true, Filter: identity}, raw},
			} {
				r := newRig(v.opts)
				if err := r.send(tt.in, tt.binary); err != nil {
					t.Fatal(err)
				}
				if got := r.printed(t); got != v.want+"\n" {
					t.Errorf("with %+v: %q, want %q", v.opts, got, v.want+"\n")
				}
			}
			// what a filter sees is what would be printed
			a, b := newRig(Options{}), newRig(Options{Filter: copied})
			if a.send(tt.in, tt.binary) != nil || b.send(tt.in, tt.binary) != nil {
				t.Fatal("ended")
			}
			if !sameJSON(t, a.printed(t), b.printed(t)) {
				t.Errorf("a filter sees %s, want %s", b.out.String(), a.out.String())
			}
		})
	}
}

func TestFilterOutput(t *testing.T) {
	in := `{"b": 1.0, "a": {"z": 1, "y": "x"}}`
	tests := []struct {
		expr, want string
		raw        bool
	}{
		{`.`, in + "\n", false},
		{`select(.b == 1)`, in + "\n", false},
		{`. as $x | $x`, in + "\n", false},
		{`del(.missing)`, in + "\n", false},
		{`empty`, "", false},
		{`select(.b > 1)`, "", false},
		{`.a`, `{"y":"x","z":1}` + "\n", false},
		{`.a.z, ., .a.y`, "1\n" + in + "\n\"x\"\n", false},
		{`.b`, "1.0\n", false},
		{`{b: .b, n: nan, i: infinite}`, `{"b":1.0,"i":1.7976931348623157e+308,"n":null}` + "\n", false},
		{`.a.y, "two\nlines", [.a.y]`, "x\ntwo\nlines\n[\"x\"]\n", true},
		{`"<\u0000>"`, "\"<\\u0000>\"\n", false},
	}
	for _, tt := range tests {
		r := newRig(Options{Filter: mustCompile(t, tt.expr, jq.Vars{}), Raw: tt.raw})
		if err := r.texts(in); err != nil {
			t.Fatal(err)
		}
		if got := r.printed(t); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.expr, got, tt.want)
		}
		wantPrinted := uint64(1)
		if tt.want == "" {
			wantPrinted = 0
		}
		if want := (Counts{1, wantPrinted, uint64(len(tt.want))}); r.Counts() != want {
			t.Errorf("%s: counts %+v, want %+v", tt.expr, r.Counts(), want)
		}
	}
}

func TestFilterErrors(t *testing.T) {
	filter := mustCompile(t, `.a, (.a | if . == 2 then error("bad\u001b[2J\nvalue") else . end)`, jq.Vars{})
	r := newRig(Options{Filter: filter})
	if err := r.texts(`{"a":1}`, `{"a":2}`, `7`, `{"a":3}`); err != nil {
		t.Fatal(err)
	}
	if got, want := r.printed(t), "1\n1\n2\n3\n3\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if w := r.warnings; len(w) != 2 || !strings.HasPrefix(w[0], "--jq: event 2: ") || !strings.HasSuffix(w[0], `bad\u001b[2J\nvalue`) ||
		!strings.HasPrefix(w[1], "--jq: event 3: ") {
		t.Errorf("warnings %q", w)
	}
	first := r.warnings[0]

	r = newRig(Options{Filter: filter, JQErrorFail: true})
	err := r.texts(`{"a":1}`, `{"a":2}`, `{"a":3}`)
	if fe, ok := errors.AsType[*FilterError](err); !ok || fe.Event != 2 || err.Error() != first {
		t.Errorf("ended by %v", err)
	}
	if again := r.texts(`{"a":4}`); again != err {
		t.Errorf("afterwards: %v", again)
	}
	if got, want := r.out.String(), "1\n1\n2\n"; got != want || r.warnings != nil {
		t.Errorf("printed %q, want %q; warnings %q", got, want, r.warnings)
	}
}

// A filter can build what no reader of JSON would take; that is an error of the
// filter, and not half a line.
func TestFilterResultTooDeep(t *testing.T) {
	r := newRig(Options{Filter: mustCompile(t, `if . == 2 then reduce range(20000) as $i (0; [.]) else . end`, jq.Vars{})})
	if err := r.texts("1", "2", "3"); err != nil {
		t.Fatal(err)
	}
	if got := r.printed(t); got != "1\n3\n" || len(r.warnings) != 1 {
		t.Errorf("printed %q, warnings %q", got, r.warnings)
	}
}

// A faulty is a writer that takes a number of bytes and then fails.
type faulty struct {
	room  int
	err   error
	calls int
}

func (f *faulty) Write(b []byte) (int, error) {
	f.calls++
	if len(b) <= f.room {
		f.room -= len(b)
		return len(b), nil
	}
	n := f.room
	f.room = 0
	return n, f.err
}

func TestWriteErrors(t *testing.T) {
	event := &proto.Event{Message: proto.Message{Data: []byte(`{"a":"` + strings.Repeat("x", 1000) + `"}`)}}
	for _, tt := range []struct {
		err    error
		closed bool
	}{
		{syscall.EPIPE, true},
		{fmt.Errorf("write |1: %w", syscall.EPIPE), true},
		{io.ErrClosedPipe, true},
		{syscall.ENOSPC, false},
		{nil, false}, // fewer bytes than given, and silent about it
	} {
		f := &faulty{room: 100_000, err: tt.err}
		w := New(f, Options{})
		var err error
		for range 200 {
			if err = w.Event(event); err != nil {
				break
			}
		}
		if errors.Is(err, ErrStdoutClosed) != tt.closed || errors.Is(err, syscall.EPIPE) != tt.closed {
			t.Errorf("%v: %v", tt.err, err)
		}
		we, ok := errors.AsType[*WriteError](err)
		if ok == tt.closed || ok && tt.err != nil && !errors.Is(we, tt.err) {
			t.Errorf("%v: %v", tt.err, err)
		}
		calls := f.calls
		if again := w.Event(event); again != err {
			t.Errorf("%v: Event afterwards: %v", tt.err, again)
		}
		if again := w.Flush(); again != err {
			t.Errorf("%v: Flush afterwards: %v", tt.err, again)
		}
		if f.calls != calls {
			t.Errorf("%v: written again after the failure", tt.err)
		}
		if got := w.Counts().Bytes; got != 100_000 {
			t.Errorf("%v: %d bytes counted", tt.err, got)
		}
	}
}

func TestFlushError(t *testing.T) {
	w := New(&faulty{err: syscall.EPIPE}, Options{})
	if err := w.Event(&proto.Event{Message: proto.Message{Data: []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != ErrStdoutClosed {
		t.Errorf("Flush: %v", err)
	}
	// a condition does not hide that its event could not be written
	w = New(&faulty{err: syscall.ENOSPC}, Options{Conditions: []Condition{Count(1)}})
	if err := w.Event(&proto.Event{Message: proto.Message{Data: []byte("1")}}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Event: %v", err)
	}
}

// A recorder keeps the sizes of what is written at once.
type recorder struct {
	bytes.Buffer
	sizes []int
}

func (r *recorder) Write(b []byte) (int, error) {
	r.sizes = append(r.sizes, len(b))
	return r.Buffer.Write(b)
}

// Nothing is written before the buffer is full or flushed, and each write ends
// with a line, so that what reads stdout sees whole records.
func TestBuffering(t *testing.T) {
	for most, filter := range map[int]*jq.Filter{
		bufferSize:         nil,
		bufferSize + slack: mustCompile(t, "{a: .a}", jq.Vars{}), // the size of a line is known too late
	} {
		var out recorder
		w := New(&out, Options{Filter: filter})
		event := &proto.Event{Message: proto.Message{Data: []byte(`{"a":"` + strings.Repeat("x", 242) + `"}`)}}
		for range 1000 {
			if err := w.Event(event); err != nil {
				t.Fatal(err)
			}
		}
		total := 0
		for _, n := range out.sizes {
			if total += n; out.Bytes()[total-1] != '\n' {
				t.Errorf("a write ends in mid-line")
			}
			if n < bufferSize-1000 || n > most {
				t.Errorf("a write of %d bytes", n)
			}
		}
		if want := 1000 * 251 / bufferSize; len(out.sizes) != want {
			t.Errorf("%d writes, want %d", len(out.sizes), want)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if out.Len() != 1000*251 {
			t.Errorf("%d bytes", out.Len())
		}
		n := len(out.sizes)
		if err := w.Flush(); err != nil || len(out.sizes) != n {
			t.Errorf("an empty flush: %v, %d writes", err, len(out.sizes)-n)
		}
	}
}

func TestParseFormat(t *testing.T) {
	if f, err := ParseFormat("message"); f != FormatMessage || err != nil {
		t.Errorf("%q, %v", f, err)
	}
	for _, name := range []string{"", "json", "Message"} {
		if _, err := ParseFormat(name); err == nil {
			t.Errorf("takes %q", name)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("New takes any format")
		}
	}()
	New(io.Discard, Options{Format: "json"})
}

func mustCompile(t testing.TB, expr string, vars jq.Vars) *jq.Filter {
	t.Helper()
	f, err := jq.Compile("--jq", expr, vars)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
