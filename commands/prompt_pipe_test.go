//go:build unix

package commands

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/hub"
)

// A piped is hark -i between pipes, with a server.
type piped struct {
	t        *testing.T
	cmd      *exec.Cmd
	stdin    io.WriteCloser
	out, err chan string // lines
	hub      *hub.Hub
	url      string
	got      chan string // messages that hark has sent
	home     string
}

// startPiped runs hark connect to the server of p with these flags, or, when they
// begin with a service, that with its emulator.
func startPiped(t *testing.T, args ...string) *piped {
	t.Helper()
	p := &piped{t: t, out: make(chan string, 10_000), err: make(chan string, 1000), got: make(chan string, 10_000), home: t.TempDir()}
	p.hub = hub.New(hub.Options{Event: func(e hub.Event) {
		if e.Kind == hub.Message {
			p.got <- string(e.Data)
		}
	}})
	server := httptest.NewServer(p.hub)
	p.url = "ws" + strings.TrimPrefix(server.URL, "http")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(p.home, "hark") // testscript knows its commands by this name
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		args = append(args, "--emulator")
	} else {
		args = append([]string{"connect", p.url}, args...)
	}
	p.cmd = exec.Command(program, append(args, "-i", "--allow-files", "--linger", "-1")...)
	p.cmd.Dir = p.home
	p.cmd.Env = []string{"HOME=" + p.home, "PATH=" + p.home + ":" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=10"}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	for _, r := range []struct {
		from io.Reader
		to   chan string
	}{{stdout, p.out}, {stderr, p.err}} {
		readers.Go(func() {
			defer close(r.to)
			s := bufio.NewScanner(r.from)
			for s.Scan() {
				r.to <- s.Text()
			}
		})
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		readers.Wait()
		p.cmd.Wait()
		p.hub.Close(time.Second)
		server.Close()
	})
	return p
}

// types writes lines to stdin, and a ping whose pong shows that they were run.
func (p *piped) types(lines ...string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, strings.Join(lines, "\n")+"\n/ping\n"); err != nil {
		p.t.Fatal(err)
	}
	p.says("pong")
}

// says waits until a line with text is on stderr, and returns it.
func (p *piped) says(text string) string {
	p.t.Helper()
	for {
		line := next(p.t, p.err, text)
		if strings.Contains(line, text) {
			return line
		}
	}
}

// prints has the server send a message, and returns what hark prints.
func (p *piped) prints(message string, want ...string) {
	p.t.Helper()
	if err := p.hub.Send(0, false, []byte(message)); err != nil {
		p.t.Fatal(err)
	}
	for _, w := range want {
		if got := next(p.t, p.out, w); got != w {
			p.t.Fatalf("for %s hark printed %s, want %s", message, got, w)
		}
	}
}

func (p *piped) ended(code int) {
	p.t.Helper()
	done := make(chan error, 1)
	go func() { done <- p.cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(scriptPatience):
		p.t.Fatal("hark has not ended")
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("exit code %d, want %d", got, code)
	}
}

// next returns the next line of a channel.
func next(t *testing.T, from chan string, awaited string) string {
	t.Helper()
	select {
	case line, ok := <-from:
		if !ok {
			t.Fatalf("it ends before %q has come", awaited)
		}
		return line
	case <-time.After(scriptPatience):
		t.Fatalf("%q has not come", awaited)
	}
	return ""
}

// Commands for the output work without a terminal, line by line.
func TestPromptPipedShapes(t *testing.T) {
	t.Parallel()
	p := startPiped(t)
	p.types("hello")
	if got := next(t, p.got, "hello"); got != "hello" {
		t.Errorf("the server got %q", got)
	}
	p.prints(`{"a":1}`, `{"a":1}`)
	p.types("/jq .a")
	p.prints(`{"a":2}`, `2`)
	p.types("/jq off", "/pretty")
	p.prints(`{"a":3}`, `{`, `  "a": 3`, `}`)
	p.types("/pretty", "/format cloudevents")
	p.prints(`{"a":4}`)
	var event struct {
		SpecVersion string
		Data        json.RawMessage
	}
	if line := next(t, p.out, "an event"); json.Unmarshal([]byte(line), &event) != nil || event.SpecVersion != "1.0" || string(event.Data) != `{"a":4}` {
		t.Errorf("no CloudEvent: %s", line)
	}
	// The pong that follows is a frame too, and counts.
	p.types("/format frames")
	for {
		line := next(t, p.out, "a pong")
		var frame struct{ Dir, Op, Text string }
		if err := json.Unmarshal([]byte(line), &frame); err != nil {
			t.Fatal(err)
		}
		if frame.Op == "pong" {
			break
		}
	}
	p.types("/format message", "/until .a == 9")
	p.prints(`{"a":8}`, `{"a":8}`)
	p.prints(`{"a":9}`, `{"a":9}`)
	p.ended(0)
}

// With -r, /time prefixes lines that are not JSON anyway.
func TestPromptPipedTime(t *testing.T) {
	t.Parallel()
	p := startPiped(t, "--jq", ".a", "-r")
	p.types("/time")
	p.prints(`{"a":"x"}`)
	if line := next(t, p.out, "x"); !strings.HasSuffix(line, " x") || len(line) < 10 {
		t.Errorf("%q has no time", line)
	}
	p.types("/time")
	p.prints(`{"a":"y"}`, "y")
	io.WriteString(p.stdin, "/quit\n")
	p.ended(0)
}

// /save works line by line too, and its script runs.
func TestPromptPipedSave(t *testing.T) {
	t.Parallel()
	p := startPiped(t)
	p.types("hello")
	next(t, p.got, "hello")
	p.prints(`{"type":"order"}`, `{"type":"order"}`)
	p.types("/save smoke.txt")
	io.WriteString(p.stdin, "/quit\n")
	p.ended(0)
	for end := time.Now().Add(scriptPatience); len(p.hub.Clients()) > 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	smoke := exec.Command("sh", "smoke.txt")
	smoke.Dir, smoke.Env = p.home, p.cmd.Env
	out := &strings.Builder{}
	smoke.Stdout, smoke.Stderr = out, out
	if err := smoke.Start(); err != nil {
		t.Fatal(err)
	}
	if got := next(t, p.got, "hello"); got != "hello" {
		t.Errorf("the smoke test sent %q", got)
	}
	if err := p.hub.Send(0, false, []byte(`{"type":"order"}`)); err != nil {
		t.Fatal(err)
	}
	if err := smoke.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A thousand lines, the first of them from before the connection is open, are sent in
// order, and hark waits for every answer.
func TestPromptPipedLines(t *testing.T) {
	t.Parallel()
	p := startPiped(t, "-n", "1000")
	var lines strings.Builder
	for i := range 1000 {
		lines.WriteString(strings.Repeat("x", i%100))
		lines.WriteString("\n")
	}
	io.WriteString(p.stdin, lines.String())
	p.stdin.Close()
	for i := range 1000 {
		if got := next(t, p.got, "a line"); got != strings.Repeat("x", i%100) {
			t.Fatalf("line %d is %q", i, got)
		}
		p.hub.Send(0, false, []byte{'0' + byte(i%10)})
	}
	p.ended(0)
	for i := range 1000 {
		if got := next(t, p.out, "an answer"); got != string('0'+byte(i%10)) {
			t.Fatalf("answer %d is %q", i, got)
		}
	}
}

// The script of /save for the events of a service passes against the same emulator,
// whose events then have other ids and times.
func TestPromptPipedSaveServices(t *testing.T) {
	t.Parallel()
	for _, words := range [][]string{
		{"octave", "subscribe", "/demo/stream"}, {"drogue", "tail", "demo-app"}, {"doshii", "listen"},
	} {
		t.Run(words[0], func(t *testing.T) {
			t.Parallel()
			p := startPiped(t, words...)
			for range 8 {
				next(t, p.out, "an event")
			}
			p.types("/save smoke.txt")
			io.WriteString(p.stdin, "/quit\n")
			p.ended(0)
			smoke := exec.Command("sh", "smoke.txt")
			smoke.Dir, smoke.Env = p.home, p.cmd.Env
			if out, err := smoke.CombinedOutput(); err != nil {
				script, _ := os.ReadFile(filepath.Join(p.home, "smoke.txt"))
				t.Errorf("%v\n%s\n%s", err, out, script)
			}
		})
	}
}
