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
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// A tty is hark running on a pseudo-terminal, with a model of its screen and a server.
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
	news   chan struct{}  // output on the terminal, or an event of the server
	exited chan struct{}  // closed when the script has ended
	over   chan struct{}  // closed then, when all that it has left behind was read
	read   chan struct{}  // closed at the end of the reader
	left   atomic.Bool    // the reader must end
	mu     sync.Mutex
	raw    []byte
	open   int // connections
}

// ttyStall is how long a test waits without anything new on the terminal or at the
// server. It does not measure speed: only a hanging program is silent for that long
// while a test waits for it.
const ttyStall = time.Minute

// ttyEnd is what the test writes to the terminal when the script has ended, a title of
// the window, so that it knows when all before it was read.
const ttyEnd = "\x1b]2;the script has ended\a"

// startTTY runs hark with these arguments instead of URL, or a shell script in
// which $HARK is the program.
func startTTY(t *testing.T, script string) *tty {
	t.Helper()
	x := &tty{
		t: t, vt: vt10x.New(vt10x.WithSize(60, 20)), got: make(chan hub.Event, 1000), home: t.TempDir(),
		news: make(chan struct{}, 1), exited: make(chan struct{}), over: make(chan struct{}), read: make(chan struct{}),
	}
	x.hub = hub.New(hub.Options{Event: x.event})
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
	go x.readAll()
	go x.waitForEnd()
	t.Cleanup(func() {
		x.cmd.Process.Kill()
		<-x.exited
		x.near.Close()
		x.far.Close()
		<-x.read
		x.hub.Close(time.Second)
		server.Close()
	})
	return x
}

// event handles an event of the server.
func (x *tty) event(e hub.Event) {
	x.mu.Lock()
	switch e.Kind {
	case hub.Connected:
		x.open++
	case hub.Gone:
		x.open--
	}
	x.mu.Unlock()
	if e.Kind == hub.Message {
		e.Data = append([]byte(nil), e.Data...)
		x.got <- e
	}
	x.notify()
}

// notify makes await check again.
func (x *tty) notify() {
	select {
	case x.news <- struct{}{}:
	default:
	}
}

// readAll reads the output to the terminal.
func (x *tty) readAll() {
	defer close(x.read)
	buf := make([]byte, 8192)
	for {
		n, err := x.far.Read(buf)
		if n > 0 {
			x.mu.Lock()
			x.raw = append(x.raw, buf[:n]...)
			x.mu.Unlock()
			x.vt.Write(buf[:n])
			x.notify()
		}
		if err != nil || x.left.Load() {
			return
		}
	}
}

// waitForEnd waits for the end of the script, and for its output and messages.
func (x *tty) waitForEnd() {
	x.cmd.Wait()
	close(x.exited)
	x.notify()
	_, err := x.near.WriteString(ttyEnd)
	for all := false; !all; {
		x.mu.Lock()
		all = x.open == 0 && (err != nil || strings.Contains(string(x.raw), ttyEnd))
		x.mu.Unlock()
		select {
		case <-x.read:
			all = true
		case <-time.After(5 * time.Millisecond):
		}
	}
	close(x.over)
}

// await waits until ok reports true. The test fails if it has not and the script has
// ended, or nothing has happened for ttyStall.
func (x *tty) await(what string, ok func() bool) {
	x.t.Helper()
	stalled := time.NewTimer(ttyStall)
	defer stalled.Stop()
	look := time.NewTicker(20 * time.Millisecond) // polls files and modes
	defer look.Stop()
	for !ok() {
		select {
		case <-x.news:
			stalled.Reset(ttyStall)
		case <-look.C:
		case <-x.over:
			if !ok() {
				x.t.Fatalf("the script has ended, %v: %s\n%s", x.cmd.ProcessState, what, x.shown())
			}
			return
		case <-stalled.C:
			shown := x.shown()
			x.t.Fatalf("nothing has happened for %v: %s\n%s\n%s", ttyStall, what, shown, x.goroutines())
		}
	}
}

// shown returns the screen, and the last output before it.
func (x *tty) shown() string {
	x.mu.Lock()
	raw := x.raw[max(0, len(x.raw)-2000):]
	x.mu.Unlock()
	return fmt.Sprintf("the screen is\n%s\nthe last bytes are %q", x.screen(), raw)
}

// goroutines makes each hark on the terminal print the stacks of its goroutines, which
// ends it. The runtime handles SIGABRT, before hark restores anything.
func (x *tty) goroutines() string {
	x.mu.Lock()
	from := len(x.raw)
	x.mu.Unlock()
	for _, pid := range x.harks() {
		syscall.Kill(pid, syscall.SIGABRT)
	}
	for end := time.Now().Add(20 * time.Second); len(x.harks()) > 0 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	select {
	case <-x.over:
	case <-time.After(time.Second):
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.ReplaceAll(string(x.raw[from:]), "\r", "")
}

// harks returns the running processes of hark on the terminal.
func (x *tty) harks() (pids []int) {
	self, err := os.Executable()
	if err != nil {
		x.t.Error(err)
	}
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	if len(links) == 0 { // not Linux: that is hark where the script says exec
		if x.cmd.Process.Signal(syscall.Signal(0)) == nil {
			pids = append(pids, x.cmd.Process.Pid)
		}
		return pids
	}
	for _, link := range links {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err != nil {
			continue
		}
		if session, err := unix.Getsid(pid); err != nil || session != x.cmd.Process.Pid {
			continue
		}
		if target, err := os.Readlink(link); err == nil && target == self {
			pids = append(pids, pid)
		}
	}
	return pids
}

// resize changes the size of the terminal; the system sends SIGWINCH.
func (x *tty) resize(columns, rows int) {
	x.t.Helper()
	x.vt.Resize(columns, rows)
	if err := pty.Setsize(x.far, &pty.Winsize{Rows: uint16(rows), Cols: uint16(columns)}); err != nil {
		x.t.Fatal(err)
	}
}

// hangUp closes the terminal, like closing its window or ssh connection.
func (x *tty) hangUp() {
	x.left.Store(true)
	x.near.WriteString("\n") // a blocked read keeps it open
	<-x.read
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
	x.await("the screen does not end with\n"+want, func() bool { return strings.HasSuffix(x.screen(), want) })
}

// shows waits until text is anywhere on the screen.
func (x *tty) shows(text string) {
	x.t.Helper()
	x.await("the screen does not show "+text, func() bool { return strings.Contains(x.screen(), text) })
}

// listening returns the address that hark serve prints.
func (x *tty) listening() (url string) {
	x.t.Helper()
	x.await("the screen shows no address", func() (ok bool) {
		_, after, _ := strings.Cut(x.screen(), "listening on ")
		url, _, ok = strings.Cut(after, "\n")
		return ok
	})
	return url
}

func (x *tty) sent(want string) {
	x.t.Helper()
	var e hub.Event
	x.await(fmt.Sprintf("hark has not sent %q", want), func() bool {
		select {
		case e = <-x.got:
			return true
		default:
			return false
		}
	})
	if string(e.Data) != want {
		x.t.Fatalf("hark sent %q, want %q; %s", e.Data, want, x.shown())
	}
}

// ended waits for the end, and looks at the modes of the terminal.
func (x *tty) ended(code int) {
	x.t.Helper()
	x.exits(code)
	x.restored()
}

// exits waits for the end.
func (x *tty) exits(code int) {
	x.t.Helper()
	x.await("the script has not ended", func() bool {
		select {
		case <-x.exited:
			return true
		default:
			return false
		}
	})
	if got := x.cmd.ProcessState.ExitCode(); got != code {
		x.t.Errorf("exit code %d, want %d; %s", got, code, x.shown())
	}
}

// restored waits until the terminal has its original modes: if hark was killed, its
// guard restores them, a moment later.
func (x *tty) restored() {
	x.t.Helper()
	for end := time.Now().Add(ttyStall); ; time.Sleep(5 * time.Millisecond) {
		after, err := term.GetState(int(x.near.Fd()))
		if err == nil && *after == x.before {
			return
		}
		if err != nil || time.Now().After(end) {
			x.t.Errorf("the modes of the terminal were not restored: %v; %s", err, x.shown())
			return
		}
	}
}

const plainPrompt = `exec $HARK connect $URL -q`

// ready waits until hark has connected.
func (x *tty) ready() {
	x.t.Helper()
	x.await("hark has not connected", func() bool { return len(x.hub.Clients()) > 0 })
}

// gone waits until it has disconnected.
func (x *tty) gone() {
	x.t.Helper()
	x.await("hark has not disconnected", func() bool { return len(x.hub.Clients()) == 0 })
}

func (x *tty) say(text string) {
	x.t.Helper()
	if err := x.hub.Send(0, false, []byte(text)); err != nil {
		x.t.Fatal(err)
	}
}
