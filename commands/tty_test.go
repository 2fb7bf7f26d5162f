//go:build unix

package commands

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
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

// shows waits until text is anywhere on the screen.
func (x *tty) shows(text string) {
	x.t.Helper()
	for end := time.Now().Add(scriptPatience); !strings.Contains(x.screen(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			x.t.Fatalf("%q is not on the screen:\n%s", text, x.screen())
		}
	}
}

// listening is the address that hark serve tells.
func (x *tty) listening() string {
	x.t.Helper()
	for end := time.Now().Add(scriptPatience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, after, ok := strings.Cut(x.screen(), "listening on "); ok {
			if url, _, ok := strings.Cut(after, "\n"); ok {
				return url
			}
		}
	}
	x.t.Fatalf("no address:\n%s", x.screen())
	return ""
}
