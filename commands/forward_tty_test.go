//go:build unix

package commands

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/hub"
)

// A hook is a web server that events are delivered to.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	signed int // requests with a signature of Standard Webhooks
	news   chan struct{}
}

// newHook starts a hook that gives one status after the other, and then 200.
func newHook(t *testing.T, statuses ...int) *hook {
	h := &hook{news: make(chan struct{}, 1)}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.bodies = append(h.bodies, string(body))
		if r.Header.Get("Webhook-Signature") != "" {
			h.signed++
		}
		if len(statuses) > 0 {
			w.WriteHeader(statuses[0])
			statuses = statuses[1:]
		}
		select {
		case h.news <- struct{}{}:
		default:
		}
	}))
	t.Cleanup(h.Close)
	return h
}

// received waits for n requests, and returns their bodies.
func (h *hook) received(n int) []string {
	for {
		h.mu.Lock()
		bodies := h.bodies
		h.mu.Unlock()
		if len(bodies) >= n {
			return bodies
		}
		<-h.news
	}
}

// On a terminal, each attempt to deliver has a line with its time, its result and how long
// it took. The bytes of the event are delivered as they came.
func TestForwardingOnATerminal(t *testing.T) {
	t.Parallel()
	h := newHook(t, 200, 503)
	x := startTTY(t, `exec $HARK connect $URL --to `+h.URL+`/hook --to-secret whsec_c2VjcmV0 --format message -n 2`)
	x.ready()
	const first, second = `{"b" : 1,"a":"<\u00e9>",  "n":1.0}`, `{"type":"t","n":2}`
	x.say(first)
	x.say(second)
	x.ended(0)
	<-x.over
	if got := h.received(3); len(got) != 3 || got[0] != first || got[1] != second || got[2] != second || h.signed != 3 {
		t.Errorf("received %q, %d signed", got, h.signed)
	}
	line := regexp.MustCompile(`hark: \d\d:\d\d:\d\d POST event: (\d+) in [0-9.]+(ms|µs|s)`)
	x.mu.Lock()
	defer x.mu.Unlock()
	var results []string
	for _, m := range line.FindAllStringSubmatch(string(x.raw), -1) {
		results = append(results, m[1])
	}
	if got := fmt.Sprint(results); got != "[200 503 200]" {
		t.Errorf("lines with %s; %q", got, x.raw)
	}
}

// Without a terminal, with -q or with --status none there are no such lines.
func TestForwardingElsewhere(t *testing.T) {
	t.Parallel()
	for _, flags := range []string{"2>&1 | cat", "-q", "--status none", "--status json 2>$HOME/status"} {
		h := newHook(t)
		x := startTTY(t, `$HARK connect $URL -n 1 --to `+h.URL+` `+flags)
		x.ready()
		x.say("1")
		x.ended(0)
		<-x.over
		h.received(1)
		x.mu.Lock()
		if strings.Contains(string(x.raw), "POST") {
			t.Errorf("%s: %q", flags, x.raw)
		}
		x.mu.Unlock()
	}
}

// A forwarding is hark connect in this process, which delivers what a server sends.
type forwarding struct {
	server     *hub.Hub
	statusFile string
	signals    chan os.Signal
	ended      chan int
	look       *time.Ticker // to poll a file, and clients
}

// startForwarding starts hark connect --to an address. blocked: stderr is a terminal that
// is not read.
func startForwarding(t *testing.T, to string, blocked bool) *forwarding {
	f := &forwarding{
		server: hub.New(hub.Options{}), statusFile: filepath.Join(t.TempDir(), "status"),
		signals: make(chan os.Signal, 2), ended: make(chan int, 1), look: time.NewTicker(5 * time.Millisecond),
	}
	web := httptest.NewServer(f.server)
	stderr := io.Discard
	r, w := io.Pipe()
	if blocked {
		stderr = w
	}
	t.Cleanup(func() {
		f.server.Close(time.Second)
		web.Close()
		r.Close()
		f.look.Stop()
	})
	go func() {
		f.ended <- Main([]string{"connect", "ws" + strings.TrimPrefix(web.URL, "http"), "--to", to, "--status-file", f.statusFile, "--ping-interval", "10ms"}, program.Env{
			Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: stderr, StderrTerminal: blocked, Signals: f.signals,
			LookupEnv: func(string) (string, bool) { return "", false },
			Environ:   os.Environ, Screen: func() (int, int) { return 80, 24 },
			Hangup: func(ctx context.Context, gone func()) { <-ctx.Done() },
		})
	}()
	for len(f.server.Clients()) == 0 {
		<-f.look.C
	}
	return f
}

// send sends so many numbered events.
func (f *forwarding) send(t *testing.T, events int) {
	t.Helper()
	for n := range events {
		if err := f.server.Send(0, false, fmt.Appendf(nil, `{"n":%d}`, n)); err != nil {
			t.Fatal(err)
		}
	}
}

// heartbeats returns how many pings were answered so far.
func (f *forwarding) heartbeats(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(f.statusFile)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return bytes.Count(b, []byte(`"status":"heartbeat"`))
}

// interrupt ends hark.
func (f *forwarding) interrupt(t *testing.T) {
	t.Helper()
	f.signals <- os.Interrupt
	if code := <-f.ended; code != 130 {
		t.Errorf("exit code %d", code)
	}
}

// A terminal that is not read keeps neither events nor heartbeats waiting.
func TestForwardingOnABlockedTerminal(t *testing.T) {
	t.Parallel()
	const events = 200
	h := newHook(t)
	f := startForwarding(t, h.URL, true)
	f.send(t, events)
	if got := h.received(events); got[events-1] != fmt.Sprintf(`{"n":%d}`, events-1) {
		t.Errorf("the last one is %s", got[events-1])
	}
	for before := f.heartbeats(t); f.heartbeats(t) < before+5; {
		<-f.look.C
	}
	f.interrupt(t)
}

// While the destination does not answer, the connection is kept: pings go out and are
// answered. What has come meanwhile is delivered afterwards.
func TestDestinationThatHangs(t *testing.T) {
	t.Parallel()
	const events = 50
	release := make(chan struct{})
	h := newHook(t)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-release
		h.Config.Handler.ServeHTTP(w, r)
	}))
	defer slow.Close()
	f := startForwarding(t, slow.URL, false)
	f.send(t, events)
	for before := f.heartbeats(t); f.heartbeats(t) < before+5; {
		<-f.look.C
	}
	close(release)
	if got := h.received(events); got[events-1] != fmt.Sprintf(`{"n":%d}`, events-1) {
		t.Errorf("the last one is %s", got[events-1])
	}
	f.interrupt(t)
}
