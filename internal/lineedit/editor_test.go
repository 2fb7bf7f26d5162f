//go:build unix

package lineedit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/internal/terminal"
	"github.com/hinshun/vt10x"
	"golang.org/x/term"
)

// patience is how long a test waits for what must happen. It does not measure speed.
const patience = 5 * time.Minute

// A testTerminal is a pseudo-terminal with a model of its screen, and an editor on it.
type testTerminal struct {
	t        *testing.T
	far, own *os.File
	vt       vt10x.Terminal
	mu       sync.Mutex
	raw      []byte // everything that was written
	Editor
}

func open(t *testing.T, columns, rows int, c Config) *testTerminal {
	t.Helper()
	far, own, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	tt := &testTerminal{t: t, far: far, own: own, vt: vt10x.New(vt10x.WithSize(columns, rows))}
	tt.resize(columns, rows)
	var done sync.WaitGroup
	done.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := far.Read(buf)
			if n > 0 {
				tt.mu.Lock()
				tt.raw = append(tt.raw, buf[:n]...)
				tt.mu.Unlock()
				tt.vt.Write(buf[:n])
			}
			if err != nil {
				return
			}
		}
	})
	before, err := term.GetState(int(own.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	c.In, c.Out = own, own
	if c.Prompt == "" {
		c.Prompt = "> "
	}
	if tt.Editor, err = New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tt.Close()
		after, err := term.GetState(int(own.Fd()))
		if err != nil || *after != *before {
			t.Errorf("the modes of the terminal were not restored: %v", err)
		}
		own.Close()
		done.Wait()
		far.Close()
		if !strings.HasSuffix(string(tt.raw), "\x1b[?2004l") {
			t.Errorf("brackets around pastes are still on: %q", tt.raw[max(0, len(tt.raw)-40):])
		}
	})
	return tt
}

func (tt *testTerminal) resize(columns, rows int) {
	tt.t.Helper()
	tt.vt.Resize(columns, rows)
	if err := pty.Setsize(tt.far, &pty.Winsize{Rows: uint16(rows), Cols: uint16(columns)}); err != nil {
		tt.t.Fatal(err)
	}
}

func (tt *testTerminal) keys(s string) {
	tt.t.Helper()
	if _, err := tt.far.WriteString(s); err != nil {
		tt.t.Fatal(err)
	}
}

// screen returns its content, without trailing spaces and trailing empty lines.
func (tt *testTerminal) screen() string {
	tt.vt.Lock()
	columns, rows := tt.vt.Size()
	var b strings.Builder
	for y := range rows {
		var line []rune
		for x := range columns {
			c := tt.vt.Cell(x, y).Char
			if c == 0 {
				c = ' '
			}
			line = append(line, c)
		}
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	tt.vt.Unlock()
	return strings.TrimRight(b.String(), "\n")
}

func (tt *testTerminal) cursor() (x, y int) {
	tt.vt.Lock()
	defer tt.vt.Unlock()
	c := tt.vt.Cursor()
	return c.X, c.Y
}

// shows waits until the screen is want with the cursor at |.
func (tt *testTerminal) shows(want string) {
	tt.t.Helper()
	lines := strings.Split(strings.ReplaceAll(want, "|", ""), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	wantScreen := strings.TrimRight(strings.Join(lines, "\n"), "\n")
	x, y := -1, -1
	for i, line := range strings.Split(want, "\n") {
		if at := slices.Index([]rune(line), '|'); at >= 0 {
			x, y = at, i
		}
	}
	var got string
	var gx, gy int
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		got = tt.screen()
		gx, gy = tt.cursor()
		if got == wantScreen && (x < 0 || gx == x && gy == y) {
			return
		}
	}
	tt.t.Fatalf("screen (-want +got):\n%scursor %d,%d, want %d,%d", cmp.Diff(wantScreen, got), gx, gy, x, y)
}

func (tt *testTerminal) line(want string, wantErr error) {
	tt.t.Helper()
	got, err := tt.Line()
	if got != want || err != wantErr {
		tt.t.Fatalf("line %q, %v, want %q, %v", got, err, want, wantErr)
	}
}

const (
	up, down, left, right = "\x1b[A", "\x1b[B", "\x1b[D", "\x1b[C"
	home, end             = "\x01", "\x05"
)

func TestEditing(t *testing.T) {
	tests := []struct{ name, keys, want string }{
		{"plain", "hello\r", "hello"},
		{"insert", "hllo" + left + left + left + "e\r", "hello"},
		{"home and end", "ell" + home + "h" + end + "o\r", "hello"},
		{"home and end as keys", "ell\x1b[1~h\x1b[4~o\r", "hello"},
		{"backspace", "hellp\x7fo\r", "hello"},
		{"delete", "hhello" + home + "\x1b[3~\r", "hello"},
		{"delete on an empty line is not the end", "\x1b[3~hello\r", "hello"},
		{"ctrl-d deletes", "hhello" + home + "\x04\r", "hello"},
		{"kill and yank", "hello world\x17\x19\x19\r", "hello worldworld"},
		{"words", "one two\x1bbX\x1b[1;5DY\r", "one YXtwo"},
		{"unknown keys do nothing", "he\x1b[5~\x1b[15~\x0f\x1bxllo\x16\r", "hello"},
		{"escape alone", "hel\x1b", ""},
		{"wide", "日本語" + left + "x😀\r", "日本x😀語"},
		{"combining", "e\u0301\r", "e\u0301"},
		{"history", up + "\r", "newest"},
		{"older history", up + up + up + up + down + "\r", "older"},
		{"back to what was typed", "mine" + up + down + "\r", "mine"},
		{"changed history", up + "!\r", "newest!"},
		{"search", "\x12old\r", "older"},
		{"search again", "\x12old\x12\r", "oldest"},
		{"search and back", "\x12old\x12\x13\r", "older"},
		{"search and edit", "\x12old" + end + "!\r", "older!"},
		{"search given up", "mine\x12old\x07\r", "mine"},
		{"search interrupted", "mine\x12old\x03\r", "mine"},
		{"paste", "a\x1b[200~b\r\nc\td\n\x1b[201~e\r", "ab c de"},
		{"completion of one", "/qu\tx\r", "/quit x"},
		{"completion in common", "/h\te\r", "/hel" + "e"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := open(t, 40, 10, Config{
				History: []string{"oldest", "older", "newest"},
				Complete: func(line []rune, pos int) (int, []string) {
					var fits []string
					for _, w := range []string{"/help", "/hello", "/quit "} {
						if strings.HasPrefix(w, string(line[:pos])) {
							fits = append(fits, w)
						}
					}
					return 0, fits
				},
			})
			e.keys(tt.keys)
			if tt.want == "" {
				e.shows("> hel|")
				return
			}
			e.line(tt.want, nil)
		})
	}
}

func TestEndsOfInput(t *testing.T) {
	e := open(t, 40, 10, Config{})
	e.keys("text\x03")
	e.line("text", ErrInterrupt)
	e.keys("\x03")
	e.line("", ErrInterrupt)
	e.shows("> text^C\n> ^C\n> |")
	e.keys("\x04")
	e.line("", io.EOF)
}

// Close neither submits nor shows an incomplete line.
func TestClose(t *testing.T) {
	e := open(t, 40, 10, Config{})
	e.keys("half")
	e.shows("> half|")
	e.Print([]byte("last words"))
	got := make(chan error)
	go func() {
		text, err := e.Line()
		if text != "" {
			err = fmt.Errorf("line %q", text)
		}
		got <- err
	}()
	e.Close()
	if err := <-got; err != io.EOF {
		t.Errorf("Line: %v", err)
	}
	e.shows("last words\n|")
}

// Text is printed above the line, wherever the cursor is in it.
func TestPrintAboveAWrappedLine(t *testing.T) {
	e := open(t, 10, 8, Config{})
	e.Print([]byte("first\n"))
	e.keys("abcdefghijklmnopqrst")
	e.shows("first\n> abcdefgh\nijklmnopqr\nst|")
	e.keys(home)
	e.shows("first\n> |abcdefgh\nijklmnopqr\nst")
	for i := range 3 {
		e.Print(fmt.Appendf(nil, "frame %d", i))
	}
	e.shows("first\nframe 0\nframe 1\nframe 2\n> |abcdefgh\nijklmnopqr\nst")
	e.Print([]byte("more\n"))
	e.Print([]byte("and more\n"))
	e.shows("frame 0\nframe 1\nframe 2\nmore\nand more\n> |abcdefgh\nijklmnopqr\nst")
	e.keys(end)
	e.keys("uvwxyzab")
	e.shows("frame 1\nframe 2\nmore\nand more\n> abcdefgh\nijklmnopqr\nstuvwxyzab\n|")
	e.keys("\r")
	e.line("abcdefghijklmnopqrstuvwxyzab", nil)
}

// A line that is larger than the screen shows the part around the cursor.
func TestLineLargerThanTheScreen(t *testing.T) {
	e := open(t, 10, 4, Config{})
	e.Print([]byte("first\n"))
	e.keys(strings.Repeat("0123456789", 5))
	e.shows("first\n8901234567\n8901234567\n89|")
	e.keys(home)
	e.shows("first\n> |01234567\n8901234567\n8901234567")
	e.Print([]byte("more\n"))
	e.shows("more\n> |01234567\n8901234567\n8901234567")
	e.keys("\r")
	e.line(strings.Repeat("0123456789", 5), nil)
}

func TestResize(t *testing.T) {
	e := open(t, 20, 6, Config{})
	e.keys("abcdefghijklmnop")
	e.shows("> abcdefghijklmnop|")
	e.resize(40, 6)
	e.Lend(func() error { return nil }) // no signal reaches a test: draw anyway
	e.keys("qrstuvwxyz")
	e.shows("> abcdefghijklmnopqrstuvwxyz|")
}

// Neither keys nor printed text are lost while much is printed.
func TestBurst(t *testing.T) {
	e := open(t, 80, 24, Config{})
	const n, typed = 20_000, "the quick brown fox jumps over the lazy dog"
	var burst sync.WaitGroup
	burst.Go(func() {
		for i := range n {
			e.Print(fmt.Appendf(nil, "frame %d\n", i))
		}
	})
	for _, r := range typed {
		e.keys(string(r))
	}
	burst.Wait()
	e.Print([]byte("the end\n"))
	e.keys("\r")
	e.line(typed, nil)
	for end := time.Now().Add(patience); !strings.Contains(e.screen(), "the end"); {
		if time.Now().After(end) {
			t.Fatal("the end has not come")
		}
		time.Sleep(time.Millisecond)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	rest := string(e.raw)
	for i := range n {
		_, after, ok := strings.Cut(rest, fmt.Sprintf("frame %d\r\n", i))
		if !ok {
			t.Fatalf("frame %d is missing", i)
		}
		rest = after
	}
}

func TestPasteOfManyLines(t *testing.T) {
	e := open(t, 80, 10, Config{})
	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprintf("line %d", i))
	}
	paste := pasteStart + strings.Join(lines, "\r") + pasteEnd
	for len(paste) > 0 { // in pieces that cut the brackets apart
		n := min(len(paste), 7)
		e.keys(paste[:n])
		paste = paste[n:]
	}
	e.keys("\r")
	e.line(strings.Join(lines, " "), nil)
}

func TestLend(t *testing.T) {
	e := open(t, 40, 10, Config{})
	e.keys("half")
	e.shows("> half|")
	sentinel := errors.New("mine")
	err := e.Lend(func() error {
		s, err := term.GetState(int(e.own.Fd()))
		if err != nil {
			return err
		}
		raw, err := term.MakeRaw(int(e.own.Fd()))
		if err != nil || *raw != *s {
			return fmt.Errorf("GetState and MakeRaw disagree: %v", err)
		}
		term.Restore(int(e.own.Fd()), s)
		e.Print([]byte("comes later"))
		e.keys("for another\n")
		buf := make([]byte, 100)
		n, err := e.own.Read(buf) // the editor must not have taken it
		if err != nil || string(buf[:n]) != "for another\n" {
			return fmt.Errorf("read %q, %v", buf[:n], err)
		}
		return sentinel
	})
	if err != sentinel {
		t.Fatal(err)
	}
	now, err := term.GetState(int(e.own.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := term.MakeRaw(int(e.own.Fd())); err != nil || *raw != *now {
		t.Errorf("the terminal still collects lines when it is back: %v", err)
	}
	e.keys(" typed\r")
	e.line("half typed", nil)
}

// What is typed while another program has the terminal, including Ctrl-D, goes to the
// editor if that program has not read it.
func TestTypedWhileLent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux changes Ctrl-D while it collects a line")
	}
	e := open(t, 40, 10, Config{})
	if err := e.Lend(func() error {
		e.keys("early\n\x04")
		for terminal.Unread(e.own) == 0 { // until the system has it
			runtime.Gosched()
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	e.line("early", nil)
	e.line("", io.EOF)
}

func TestCompletionList(t *testing.T) {
	words := []string{"/help", "/history", "/heartbeat"}
	e := open(t, 30, 6, Config{Complete: func([]rune, int) (int, []string) { return 0, words }})
	e.keys("/h\t")
	e.shows("/help       /history\n/heartbeat\n> /h|")
}

// A list that is longer than the screen is truncated.
func TestLongCompletionList(t *testing.T) {
	var words []string
	for i := range 100 {
		words = append(words, fmt.Sprintf("word%03d", i))
	}
	e := open(t, 20, 6, Config{Complete: func([]rune, int) (int, []string) { return 0, words }})
	e.keys("word0\t")
	e.shows("word000  word001\nword002  word003\nword004  word005\n… and 94 more\n> word0|")
}

func TestArrange(t *testing.T) {
	tests := []struct {
		prompt, line string
		pos, columns int
		want         layout
	}{
		{"> ", "", 0, 10, layout{[]string{"> "}, 0, 2}},
		{"> ", "abc", 1, 10, layout{[]string{"> abc"}, 0, 3}},
		{"\x1b[1m>\x1b[0m ", "abc", 3, 10, layout{[]string{"\x1b[1m>\x1b[0m abc"}, 0, 5}},
		{"> ", "abcdefgh", 8, 10, layout{[]string{"> abcdefgh", ""}, 1, 0}},
		{"> ", "abcdefghi", 8, 10, layout{[]string{"> abcdefgh", "i"}, 1, 0}},
		{"> ", "日本語日本語", 6, 7, layout{[]string{"> 日本", "語日本", "語"}, 2, 2}},
		{"> ", "日本語日本語", 2, 7, layout{[]string{"> 日本", "語日本", "語"}, 1, 0}},
		{"> ", "😀x", 1, 10, layout{[]string{"> 😀x"}, 0, 4}},
		{"> ", "e\u0301x", 2, 10, layout{[]string{"> e\u0301x"}, 0, 3}},
	}
	for _, tt := range tests {
		got := arrange(tt.prompt, []rune(tt.line), tt.pos, tt.columns)
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(layout{})); diff != "" {
			t.Errorf("%q at %d in %d (-want +got):\n%s", tt.line, tt.pos, tt.columns, diff)
		}
	}
}

// A terminal that becomes narrower wraps its rows again: then more of them must be
// erased.
func TestEraseOnAnotherScreen(t *testing.T) {
	tests := []struct {
		line         string
		pos, columns int
		want         string
	}{
		{"abc", 3, 10, "\r\x1b[K"},
		{"abc", 3, 4, "\r\x1b[1A\x1b[K\x1b[B\x1b[J\x1b[A"}, // "> ab|c": the cursor is behind it
		{"abc", 0, 4, "\r\x1b[K\x1b[B\x1b[J\x1b[A"},
		{"abcdefghijkl", 12, 10, "\r\x1b[1A\x1b[K\x1b[B\x1b[J\x1b[A"},
		{"abcdefghijkl", 12, 100, "\r\x1b[1A\x1b[K\x1b[B\x1b[J\x1b[A"},
		{"abcdefghijkl", 12, 5, "\r\x1b[2A\x1b[K\x1b[B\x1b[J\x1b[A"},
		{"abcdefghijkl", 12, 3, "\r\x1b[5A\x1b[K\x1b[B\x1b[J\x1b[A"},
		{"日本語日本語", 6, 5, "\r\x1b[2A\x1b[K\x1b[B\x1b[J\x1b[A"},
	}
	for _, tt := range tests {
		var s screen
		s.draw(nil, arrange("\x1b[1m> \x1b[0m", []rune(tt.line), tt.pos, 10))
		if got := string(s.erase(nil, tt.columns)); got != tt.want {
			t.Errorf("%q at %d, then %d columns: %q, want %q", tt.line, tt.pos, tt.columns, got, tt.want)
		}
		if got := string(s.erase(nil, 10)); got != "" {
			t.Errorf("%q: nothing is left to erase, but %q", tt.line, got)
		}
	}
}

func FuzzKeyboard(f *testing.F) {
	f.Add([]byte("abc\x1b[A\r"), 3)
	f.Add([]byte(pasteStart+"a\nb"+pasteEnd+"x"), 5)
	f.Add([]byte("\x1b\x1b[1;5D\xff\x00é"), 1)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		var whole, parts keyboard
		want := whole.feed(nil, b)
		cut = min(max(cut, 0), len(b))
		got := parts.feed(nil, b[:cut])
		got = parts.feed(got, b[cut:])
		if string(got) != string(want) || !slices.Equal(whole.pastes, parts.pastes) {
			t.Errorf("cut at %d: %q %q, want %q %q", cut, got, parts.pastes, want, whole.pastes)
		}
		for _, p := range whole.pastes {
			if strings.ContainsAny(p, "\r\n\x1b") {
				t.Errorf("a paste has control characters: %q", p)
			}
		}
	})
}
