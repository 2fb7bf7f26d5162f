//go:build unix

package commands

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hark-cli/hark/internal/hub"
	"github.com/hinshun/vt10x"
	"golang.org/x/term"
)

// A tty is hark at work on a pseudo-terminal, with a model of its screen and a
// server that it talks to.
type tty struct {
	t      *testing.T
	far    *os.File
	near   *os.File // the end that hark has
	before term.State
	cmd    *exec.Cmd
	vt     vt10x.Terminal
	hub    *hub.Hub
	url    string
	home   string
	got    chan hub.Event // messages that hark has sent
	reader sync.WaitGroup
	left   atomic.Bool // the reader is to end
	mu     sync.Mutex
	raw    []byte
}

// startTTY runs hark with these arguments in place of URL, or a shell script in
// which $HARK is the program.
func startTTY(t *testing.T, script string) *tty {
	t.Helper()
	x := &tty{t: t, vt: vt10x.New(vt10x.WithSize(60, 20)), got: make(chan hub.Event, 1000), home: t.TempDir()}
	x.hub = hub.New(hub.Options{Event: func(e hub.Event) {
		e.Data = append([]byte(nil), e.Data...)
		if e.Kind == hub.Message {
			x.got <- e
		}
	}})
	server := httptest.NewServer(x.hub)
	x.url = "ws" + strings.TrimPrefix(server.URL, "http")
	var err error
	if x.far, x.near, err = pty.Open(); err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(x.far, &pty.Winsize{Rows: 20, Cols: 60}); err != nil {
		t.Fatal(err)
	}
	before, err := term.GetState(int(x.near.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	x.before = *before
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(x.home, "hark") // testscript knows its commands by this name
	for _, name := range []string{program, program + "-crash"} {
		if err := os.Symlink(self, name); err != nil {
			t.Fatal(err)
		}
	}
	x.cmd = exec.Command("sh", "-c", script)
	x.cmd.Env = []string{"HOME=" + x.home, "TERM=xterm", "HARK=" + program, "URL=" + x.url, "PATH=" + os.Getenv("PATH"), "NO_COLOR=1", "GORACE=atexit_sleep_ms=10"}
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = x.near, x.near, x.near
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	x.reader.Go(func() {
		buf := make([]byte, 8192)
		for {
			n, err := x.far.Read(buf)
			if n > 0 {
				x.mu.Lock()
				x.raw = append(x.raw, buf[:n]...)
				x.mu.Unlock()
				x.vt.Write(buf[:n])
			}
			if err != nil || x.left.Load() {
				return
			}
		}
	})
	t.Cleanup(func() {
		x.cmd.Process.Kill()
		x.cmd.Wait()
		x.near.Close()
		x.far.Close()
		x.reader.Wait()
		x.hub.Close(time.Second)
		server.Close()
	})
	return x
}

// resize changes the size of the terminal; the system tells hark with SIGWINCH.
func (x *tty) resize(columns, rows int) {
	x.t.Helper()
	x.vt.Resize(columns, rows)
	if err := pty.Setsize(x.far, &pty.Winsize{Rows: uint16(rows), Cols: uint16(columns)}); err != nil {
		x.t.Fatal(err)
	}
}

// hangUp closes the terminal, as that of a window or of ssh.
func (x *tty) hangUp() {
	x.left.Store(true)
	x.near.WriteString("\n") // a read that waits keeps it open
	x.reader.Wait()
	x.near.Close()
	x.far.Close()
}

func (x *tty) keys(s string) {
	x.t.Helper()
	if _, err := x.far.WriteString(s); err != nil {
		x.t.Fatal(err)
	}
}

func (x *tty) screen() string {
	x.vt.Lock()
	defer x.vt.Unlock()
	var b strings.Builder
	columns, rows := x.vt.Size()
	for y := range rows {
		var line []rune
		for col := range columns {
			c := x.vt.Cell(col, y).Char
			if c == 0 {
				c = ' '
			}
			line = append(line, c)
		}
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// until waits until the screen ends with want.
func (x *tty) until(want string) {
	x.t.Helper()
	for end := time.Now().Add(scriptPatience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if strings.HasSuffix(x.screen(), want) {
			return
		}
	}
	x.t.Fatalf("the screen does not end with\n%s\nbut is\n%s", want, x.screen())
}

func (x *tty) sent(want string) {
	x.t.Helper()
	select {
	case e := <-x.got:
		if string(e.Data) != want {
			x.t.Fatalf("hark sent %q, want %q", e.Data, want)
		}
	case <-time.After(scriptPatience):
		x.t.Fatalf("hark has not sent %q; the screen is\n%s", want, x.screen())
	}
}

// ended waits for the end, and looks at the modes of the terminal.
func (x *tty) ended(code int) {
	x.t.Helper()
	done := make(chan error, 1)
	go func() { done <- x.cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(scriptPatience):
		x.t.Fatalf("hark has not ended; the screen is\n%s", x.screen())
	}
	if got := x.cmd.ProcessState.ExitCode(); got != code {
		x.t.Errorf("exit code %d, want %d; the screen is\n%s", got, code, x.screen())
	}
	x.restored()
}

func (x *tty) restored() {
	x.t.Helper()
	// Where hark was ended at once, its guard does it, a moment later.
	after, err := term.GetState(int(x.near.Fd()))
	for end := time.Now().Add(scriptPatience); err == nil && *after != x.before && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
		after, err = term.GetState(int(x.near.Fd()))
	}
	if err != nil || *after != x.before {
		x.t.Errorf("the modes of the terminal were not restored: %v", err)
	}
}

const plainPrompt = `exec $HARK connect $URL -q`

func (x *tty) ready() {
	x.t.Helper()
	for end := time.Now().Add(scriptPatience); len(x.hub.Clients()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			x.t.Fatalf("hark has not connected; the screen is\n%s", x.screen())
		}
	}
}

func (x *tty) say(text string) {
	x.t.Helper()
	if err := x.hub.Send(0, false, []byte(text)); err != nil {
		x.t.Fatal(err)
	}
}

func TestPromptTalks(t *testing.T) {
	x := startTTY(t, plainPrompt)
	x.ready()
	x.keys("half a")
	x.until("> half a")
	x.say("hello")
	x.say(`{"type":"order","x-y":1}`)
	x.say("evil \x1b[2J\x07 text\nof two lines")
	x.hub.Send(0, true, []byte{0, 255})
	x.until("< hello\n< {\"type\":\"order\",\"x-y\":1}\n< evil ␛[2J␇ text\n  of two lines\n< [2 bytes] 00 ff\n> half a")
	x.keys(" line\r")
	x.sent("half a line")
	// Keys and names that were seen complete.
	x.keys("\"ord\t\r")
	x.sent(`"order"`)
	x.keys("/jq .ty\t\r/pretty\r")
	x.until("pretty on\n>")
	x.say(`{"type":{"a":1}}`)
	x.until("< {\n    \"a\": 1\n  }\n>")
	x.keys("/jq .[\r")
	x.until("\n>")
	x.keys("/jq off\r{\"a\":\r1}\r")
	x.sent("{\"a\":\n1}")
	x.keys("/pign\r")
	x.until("hint: did you mean /ping? /help lists the commands, //\npign sends it as a message\n>")
	x.keys("/ping\r")
	x.shows("pong 1 after")
	x.keys("/quit\r")
	x.ended(0)
}

func TestPromptEnds(t *testing.T) {
	tests := []struct {
		name string
		do   func(x *tty)
		code int
	}{
		{"Ctrl-C on text and on an empty line", func(x *tty) {
			x.keys("text\x03")
			x.until("> text^C\n>")
			x.keys("\x03")
		}, 0},
		{"Ctrl-D", func(x *tty) { x.keys("\x04") }, 0},
		{"SIGTERM while typing", func(x *tty) {
			x.keys("text")
			x.until("> text")
			x.cmd.Process.Signal(syscall.SIGTERM)
		}, 143},
		{"two signals", func(x *tty) {
			x.cmd.Process.Signal(syscall.SIGTERM)
			x.cmd.Process.Signal(syscall.SIGTERM)
		}, 143},
		{"SIGQUIT", func(x *tty) { x.cmd.Process.Signal(syscall.SIGQUIT) }, 131},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := startTTY(t, plainPrompt)
			x.ready()
			x.until(">")
			tt.do(x)
			x.ended(tt.code)
		})
	}
}

// A terminal that hangs up is no wish to end: neither at the prompt, whose input ends
// then, nor for a stream that prints there, and not where the signal is ignored either.
func TestTerminalHangsUp(t *testing.T) {
	for name, script := range map[string]string{
		"prompt":                      plainPrompt,
		"prompt, ignoring the signal": `trap "" HUP; exec $HARK connect $URL -q`,
		"stream":                      `exec $HARK connect $URL --status none --ready-file $HOME/ready </dev/null`,
		"stream, ignoring the signal": `trap "" HUP; exec $HARK connect $URL --status none --ready-file $HOME/ready </dev/null`,
	} {
		t.Run(name, func(t *testing.T) {
			x := startTTY(t, script)
			if strings.HasPrefix(name, "prompt") {
				x.ready()
				x.until(">")
			} else {
				for {
					if _, err := os.Stat(filepath.Join(x.home, "ready")); err == nil {
						break
					}
					time.Sleep(5 * time.Millisecond)
				}
			}
			x.hangUp()
			x.cmd.Wait()
			if got := x.cmd.ProcessState.ExitCode(); got != 129 {
				t.Errorf("exit code %d, want 129", got)
			}
		})
	}
}

// Whatever ends hark, the terminal is as it was.
func TestPromptCrash(t *testing.T) {
	x := startTTY(t, `sh -c 'echo $$ >$HOME/pid; exec $HARK connect $URL -q'; echo crashed; read line; echo "shell has $line"`)
	x.ready()
	x.keys("half")
	x.until("> half")
	b, err := os.ReadFile(filepath.Join(x.home, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(scriptPatience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if s, err := term.GetState(int(x.near.Fd())); err == nil && *s == x.before {
			break
		}
	}
	x.keys("words\n")
	x.until("shell has words")
	x.ended(0)
}

// Nobody there is a failure, not a prompt.
func TestPromptNobodyThere(t *testing.T) {
	x := startTTY(t, `exec $HARK connect ws://127.0.0.1:1/`)
	x.ended(3)
}

// The server closes while a line is being typed: the line stays, and goes out on
// the next connection.
func TestPromptPeerCloses(t *testing.T) {
	x := startTTY(t, plainPrompt)
	x.ready()
	x.keys("half")
	x.until("> half")
	x.hub.Disconnect(0, 4000, "go away")
	x.until("(closed) > half")
	if !strings.Contains(x.screen(), "4000:\ngo away") {
		t.Errorf("the reason is not there:\n%s", x.screen())
	}
	x.keys(" a line\r")
	x.until("/reconnect connects again\n(closed) >")
	x.keys("/reconnect\r")
	x.ready()
	x.keys("\x1b[A\x1b[A\r") // out of the history
	x.sent("half a line")
	x.keys("/quit\r")
	x.ended(0)
}

// 20,000 messages while somebody types: no key is lost, and no message.
func TestPromptBurst(t *testing.T) {
	x := startTTY(t, plainPrompt)
	x.ready()
	const n, typed = 20_000, "the quick brown fox jumps over the lazy dog"
	var burst sync.WaitGroup
	burst.Go(func() {
		for i := range n {
			x.say(fmt.Sprintf(`{"n":%d}`, i))
		}
		x.say("the end")
	})
	for _, r := range typed {
		x.keys(string(r))
	}
	burst.Wait()
	x.until("< the end\n> " + typed)
	x.keys("\r")
	x.sent(typed)
	x.mu.Lock()
	rest := string(x.raw)
	x.mu.Unlock()
	for i := range n {
		_, after, ok := strings.Cut(rest, fmt.Sprintf("< {\"n\":%d}\r\n", i))
		if !ok {
			t.Fatalf("message %d is missing", i)
		}
		rest = after
	}
	x.keys("\x04")
	x.ended(0)
}

func TestPromptPaste(t *testing.T) {
	x := startTTY(t, plainPrompt)
	x.ready()
	x.until(">")
	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprintf(`"line %d",`, i))
	}
	x.keys("\x1b[200~[" + strings.Join(lines, "\r\n") + "0]\x1b[201~\r")
	x.sent("[" + strings.Join(lines, " ") + "0]")
	x.keys("\x04")
	x.ended(0)
}

func TestPromptSuspend(t *testing.T) {
	x := startTTY(t, `set -m; $HARK connect $URL -q; echo suspended; read line; echo "shell has $line"; fg >/dev/null; echo over`)
	x.ready()
	x.keys("half")
	x.until("> half")
	x.keys("\x1a")
	x.until("suspended")
	x.restored()
	x.keys("words\r")
	x.until("shell has words\n> half")
	x.keys(" a line\r")
	x.sent("half a line")
	x.keys("\x04")
	x.until("over")
	x.ended(0)
}

func TestPromptEdit(t *testing.T) {
	x := startTTY(t, `EDITOR='sh -c "echo edited; read line; echo \$line >\$0"' exec $HARK connect $URL -q`)
	x.ready()
	x.until(">")
	x.keys("/edit\r")
	x.until("edited")
	x.keys("a text\r")
	x.sent("a text")
	x.keys("\x04")
	x.ended(0)
}

func TestPromptHistory(t *testing.T) {
	x := startTTY(t, `$HARK connect $URL -q; exec $HARK connect $URL -q`)
	x.ready()
	x.keys("first\r {\"left\":\"out\"}\r{\"password\":\"x\"}\r")
	x.sent("first")
	x.sent(` {"left":"out"}`)
	x.sent(`{"password":"x"}`)
	x.keys("\x04")
	for end := time.Now().Add(scriptPatience); len(x.hub.Clients()) > 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	x.ready()
	x.keys("\x1b[A\r")
	x.sent("first")
	x.keys("\x04")
	x.ended(0)
	files, err := filepath.Glob(filepath.Join(x.home, ".local/state/hark/history/*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("history files: %v, %v", files, err)
	}
	info, err := os.Stat(files[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil || string(b) != "first\nfirst\n" {
		t.Errorf("history %q, %v", b, err)
	}
}

// What /save writes runs, and passes against the same server.
func TestPromptSave(t *testing.T) {
	x := startTTY(t, `cd $HOME; $HARK connect $URL -q; PATH=$HOME:$PATH; export PATH; sh smoke.txt; echo "smoke test: $?"`)
	x.ready()
	x.keys("it's me\r")
	x.sent("it's me")
	x.say(`{"id":"a1b2","greeting":"hello"}`)
	x.until("< {\"id\":\"a1b2\",\"greeting\":\"hello\"}\n>")
	x.keys("/save smoke.txt\r")
	x.until("saved; run it with: sh smoke.txt\n>")
	x.keys("/quit\r")
	x.sent("it's me")
	x.say(`{"id":"another","greeting":"hello"}`)
	x.until("smoke test: 0")
	x.ended(0)
}
