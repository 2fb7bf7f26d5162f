package emulator_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/doshii"
	"github.com/hark-cli/hark/internal/emulator/drogue"
	"github.com/hark-cli/hark/internal/emulator/emulatortest"
	"github.com/hark-cli/hark/internal/emulator/octave"
	doshiiwire "github.com/hark-cli/hark/proto/doshii/wire"
	droguewire "github.com/hark-cli/hark/proto/drogue/wire"
	octavewire "github.com/hark-cli/hark/proto/octave/wire"
)

// A client of another author reads events of every service, over a real network.
func TestOtherClient(t *testing.T) {
	opts := everyOptions()
	opts.Rate = 100
	e, err := newEvery(opts)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(e)
	defer server.Close()
	defer e.Close()
	req, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/octave/session", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"X-Auth-User": {octave.User}, "X-Auth-Company": {octave.Company}, "X-Auth-Token": {octave.Token}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	id := emulatortest.Unmarshal[struct{ Body octavewire.Session }](t, body).Body.ID
	for _, test := range []struct{ path, auth, send, contains string }{
		{"/octave" + octavewire.SocketPath(id), "", subscribeTo(octave.DemoStream), `"type":"message"`},
		{"/drogue/" + drogue.DemoApplication, strings.TrimPrefix(basic(drogue.User, drogue.AccessToken), "Authorization: "), "", `"specversion"`},
		{appPath(doshiiwire.PathAppV3), "", `{"doshii":{"ping":1}}`, `"emit"`},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c, _, err := websocket.Dial(ctx, server.URL+test.path, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {test.auth}}})
		if err != nil {
			t.Fatal(err)
		}
		if test.send != "" {
			if err := c.Write(ctx, websocket.MessageText, []byte(test.send)); err != nil {
				t.Fatal(err)
			}
		}
		for {
			_, data, err := c.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(data), test.contains) {
				break
			}
		}
		if err := c.Close(websocket.StatusNormalClosure, "done"); err != nil {
			t.Errorf("%s: closing: %v", test.path, err)
		}
	}
}

// Close closes connections of every kind at once, and later ones are refused.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := newEvery(everyOptions())
		if err != nil {
			t.Fatal(err)
		}
		n := emulator.NewNetwork(e)
		b := emulatortest.NewBench(t, e, n)
		t.Cleanup(func() {
			b.HTTP.CloseIdleConnections()
			_ = e.Close()
			_ = n.Close() // again, unless the test has failed before
		})
		deaf := b.Dial("/drogue/public-app", emulator.FaultHeader+": giant")
		var wg sync.WaitGroup
		for _, conn := range []struct {
			name string
			c    *emulatortest.Client
			want string
		}{
			{"octave", b.Dial(session(b)), "close 1001"},
			{"doshii", b.Dial(appPath(doshiiwire.PathApp)), "close 1001"},
			{"drogue", b.Dial("/drogue/public-app"), "drop"},
			{"half-open", b.Dial("/drogue/public-app", emulator.FaultHeader+": silence"), "drop"},
		} {
			wg.Go(func() {
				if got := conn.c.Ending(); got != conn.want {
					t.Errorf("%s: %s, want %s", conn.name, got, conn.want)
				}
			})
		}
		start := time.Now()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("closing took %v", d)
		}
		wg.Wait()
		deaf.Conn.Close()
		if status, _ := b.Do("GET", "/octave/session", ""); status != 503 {
			t.Errorf("a request after the end: %d", status)
		}
		b.HTTP.CloseIdleConnections()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if _, err := n.DialContext(t.Context(), "tcp", "x:1"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("dialing a closed network: %v", err)
		}
	})
}

func TestNew(t *testing.T) {
	for _, test := range []struct {
		name string
		opts func(*every)
		want string
	}{
		{"fault", func(o *every) { o.Faults = []string{"drop=1", "explode"} }, "fault explode: unknown fault"},
		{"rate", func(o *every) { o.Rate = -1 }, "rate -1"},
		{"status", func(o *every) { o.Octave.RefusedStatus = 200 }, "octave-refused-status: 200"},
		{"code", func(o *every) { o.Doshii.IdleClose = 70000 }, "doshii-idle-close: 70000"},
		{"style", func(o *every) { o.Doshii.Pong = "loud" }, `doshii-pong: "loud" is not one of echo, clock, bare`},
	} {
		opts := quiet()
		test.opts(&opts)
		if e, err := newEvery(opts); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, %v", test.name, e, err)
		}
	}
	if _, err := newEvery(quiet(), "octave", "tibber"); err == nil || !strings.Contains(err.Error(), `unknown service "tibber"`) {
		t.Errorf("unknown service: %v", err)
	}
	e, err := newEvery(quiet(), "drogue")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest("POST", "/octave/session", nil))
	if w.Code != 404 {
		t.Errorf("a service that is not there answers %d", w.Code)
	}
}

// The environment has the settings that clients require, and nothing that is not a
// variable.
func TestEnviron(t *testing.T) {
	e, err := newEvery(quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	environ, err := e.Environ("http://127.0.0.1:8080/")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	shape := regexp.MustCompile(`^(HARK_[A-Z_]+)=(\S+)$`)
	for _, v := range environ {
		m := shape.FindStringSubmatch(v)
		if m == nil {
			t.Errorf("%q is not an assignment", v)
			continue
		}
		values[m[1]] = m[2]
	}
	for name, want := range map[string]string{
		"HARK_OCTAVE_ENDPOINT":  "http://127.0.0.1:8080/octave",
		"HARK_OCTAVE_USER":      octave.User,
		"HARK_OCTAVE_COMPANY":   octave.Company,
		"HARK_OCTAVE_TOKEN":     octave.Token,
		"HARK_DROGUE_ENDPOINT":  "ws://127.0.0.1:8080/drogue",
		"HARK_DOSHII_ENDPOINT":  "ws://127.0.0.1:8080/doshii",
		"HARK_DOSHII_CLIENT_ID": doshii.ClientID,
	} {
		if values[name] != want {
			t.Errorf("%s is %q, want %q", name, values[name], want)
		}
	}
	for _, base := range []string{"", "127.0.0.1:8080", "ws://x", "http://", "http://x y"} {
		if _, err := e.Environ(base); err == nil {
			t.Errorf("%q was taken for an address", base)
		}
	}
	if _, err := drogue.Token("http://x", time.Hour); err != nil {
		t.Error(err)
	}
}

// The credentials look like real ones.
func TestCredentials(t *testing.T) {
	if len(octave.Token) != 32 || len(octave.RestrictedToken) != 28 {
		t.Errorf("tokens of %d and %d characters", len(octave.Token), len(octave.RestrictedToken))
	}
	if !droguewire.AccessTokenValid(drogue.AccessToken) {
		t.Errorf("%s has a wrong checksum", drogue.AccessToken)
	}
	if strings.Count(doshii.ClientID, ".") != 2 || !strings.HasPrefix(doshii.ClientID, "eyJ") {
		t.Errorf("%s does not look like a client id", doshii.ClientID)
	}
}

// Every option of a service is a flag, with its documented default.
func TestFlags(t *testing.T) {
	opts := everyOptions()
	f := opts.services().Flags()
	n := 0
	f.VisitAll(func(*flag.Flag) { n++ })
	fields := 0
	for _, of := range []reflect.Type{reflect.TypeFor[octave.Options](), reflect.TypeFor[drogue.Options](), reflect.TypeFor[doshii.Options]()} {
		for field := range of.Fields() {
			if field.Type != reflect.TypeFor[*drogue.Issuer]() {
				fields++
			}
		}
	}
	if n != fields {
		t.Errorf("%d flags for %d options", n, fields)
	}
	if err := f.Parse([]string{"-octave-idle=7s", "-drogue-device-flow", "-doshii-pong=clock"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"octave-idle": "7s", "drogue-device-flow": "true", "doshii-pong": "clock"} {
		if got := f.Lookup(name).Value.String(); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if d := f.Lookup("octave-unused-session").DefValue; d != "30s" {
		t.Errorf("the default of octave-unused-session is %s", d)
	}
}

// collect returns the next n messages.
func collect(c *emulatortest.Client, n int) (texts []string) {
	c.T.Helper()
	for range n {
		texts = append(texts, c.Text())
	}
	return texts
}

// The same seed generates the same events of every service.
func TestSeed(t *testing.T) {
	run := func(seed uint64) (all []string) {
		opts := everyOptions()
		opts.Seed = seed
		inBubble(t, opts, func(b *emulatortest.Bench) {
			all = collect(b.Dial("/drogue/public-app"), 20)
			time.Sleep(time.Second / 4) // not when the next event is due
			all = append(all, collect(b.Dial(appPath(doshiiwire.PathApp)), 20)...)
			all = append(all, session(b))
		})
		return all
	}
	first := run(7)
	if !slices.Equal(first, run(7)) {
		t.Error("the same seed made different events")
	}
	if slices.Equal(first, run(8)) {
		t.Error("another seed made the same events")
	}
}
