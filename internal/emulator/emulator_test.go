package emulator

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
	"github.com/hark-cli/hark/proto/wire"
)

// A client that somebody else has written reads events of every service, over a
// real network.
func TestOtherClient(t *testing.T) {
	opts := DefaultOptions()
	opts.Rate = 100
	e, err := New(opts)
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
	req.Header = http.Header{"X-Auth-User": {OctaveUser}, "X-Auth-Company": {OctaveCompany}, "X-Auth-Token": {OctaveToken}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	id := unmarshal[struct{ Body wire.OctaveSession }](t, body).Body.ID
	for _, test := range []struct{ path, auth, send, contains string }{
		{"/octave" + wire.OctaveSocketPath(id), "", subscribeTo(DemoStream), `"type":"message"`},
		{"/drogue/" + DemoApplication, strings.TrimPrefix(basic(DrogueUser, DrogueAccessToken), "Authorization: "), "", `"specversion"`},
		{appPath(wire.DoshiiPathAppV3), "", `{"doshii":{"ping":1}}`, `"emit"`},
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

// Close ends connections of every kind at once, and what comes later is refused.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := New(DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		n := NewNetwork(e)
		tr := &http.Transport{DialContext: n.DialContext}
		t.Cleanup(func() {
			tr.CloseIdleConnections()
			_ = e.Close()
			_ = n.Close() // again, unless the test has failed before
		})
		b := &bench{t, e, n, &http.Client{Transport: tr}}
		deaf := b.dial("/drogue/public-app", FaultHeader+": giant")
		var wg sync.WaitGroup
		for _, conn := range []struct {
			name string
			c    *client
			want string
		}{
			{"octave", b.dial(b.session(masterHeaders()...)), "close 1001"},
			{"doshii", b.dial(appPath(wire.DoshiiPathApp)), "close 1001"},
			{"drogue", b.dial("/drogue/public-app"), "drop"},
			{"half-open", b.dial("/drogue/public-app", FaultHeader+": silence"), "drop"},
		} {
			wg.Go(func() {
				if got := conn.c.ending(); got != conn.want {
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
		deaf.conn.Close()
		if status, _ := b.do("GET", "/octave/session", ""); status != 503 {
			t.Errorf("a request after the end: %d", status)
		}
		tr.CloseIdleConnections()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if _, err := n.DialContext(t.Context(), "tcp", "x:1"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("dialling a closed network: %v", err)
		}
	})
}

func TestNew(t *testing.T) {
	for _, test := range []struct {
		name string
		opts func(*Options)
		want string
	}{
		{"fault", func(o *Options) { o.Faults = []string{"drop=1", "explode"} }, "fault explode: there is no such fault"},
		{"rate", func(o *Options) { o.Rate = -1 }, "rate -1"},
		{"status", func(o *Options) { o.Octave.RefusedStatus = 200 }, "octave-refused-status: 200"},
		{"code", func(o *Options) { o.Doshii.IdleClose = 70000 }, "doshii-idle-close: 70000"},
		{"style", func(o *Options) { o.Doshii.Pong = "loud" }, `doshii-pong: "loud" is none of echo, clock, bare`},
	} {
		opts := quiet()
		test.opts(&opts)
		if e, err := New(opts); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, %v", test.name, e, err)
		}
	}
	if _, err := New(quiet(), "octave", "tibber"); err == nil || !strings.Contains(err.Error(), `unknown service "tibber"`) {
		t.Errorf("unknown service: %v", err)
	}
	e, err := New(quiet(), Drogue)
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

// The environment has what its clients need, and nothing that is not a variable.
func TestEnviron(t *testing.T) {
	e, err := New(quiet())
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
			t.Errorf("%q is no assignment", v)
			continue
		}
		values[m[1]] = m[2]
	}
	for name, want := range map[string]string{
		"HARK_OCTAVE_ENDPOINT":  "http://127.0.0.1:8080/octave",
		"HARK_OCTAVE_USER":      OctaveUser,
		"HARK_OCTAVE_COMPANY":   OctaveCompany,
		"HARK_OCTAVE_TOKEN":     OctaveToken,
		"HARK_DROGUE_ENDPOINT":  "ws://127.0.0.1:8080/drogue",
		"HARK_DOSHII_ENDPOINT":  "ws://127.0.0.1:8080/doshii",
		"HARK_DOSHII_CLIENT_ID": DoshiiClientID,
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
	if _, err := e.DrogueToken("http://x", time.Hour); err != nil {
		t.Error(err)
	}
	only, err := New(quiet(), Octave)
	if err != nil {
		t.Fatal(err)
	}
	defer only.Close()
	if _, err := only.DrogueToken("http://x", time.Hour); !errors.Is(err, errNoDrogue) {
		t.Errorf("token of an emulator without Drogue Cloud: %v", err)
	}
}

// The credentials look like real ones.
func TestCredentials(t *testing.T) {
	if len(OctaveToken) != 32 || len(OctaveRestrictedToken) != 28 {
		t.Errorf("tokens of %d and %d characters", len(OctaveToken), len(OctaveRestrictedToken))
	}
	if !wire.DrogueAccessTokenValid(DrogueAccessToken) {
		t.Errorf("%s has a wrong checksum", DrogueAccessToken)
	}
	if strings.Count(DoshiiClientID, ".") != 2 || !strings.HasPrefix(DoshiiClientID, "eyJ") {
		t.Errorf("%s does not look like a client id", DoshiiClientID)
	}
}

// Every option of a service is a flag, with the stated default.
func TestFlags(t *testing.T) {
	opts := DefaultOptions()
	f := opts.Flags()
	n := 0
	f.VisitAll(func(*flag.Flag) { n++ })
	fields := 0
	for _, of := range []reflect.Type{reflect.TypeFor[OctaveOptions](), reflect.TypeFor[DrogueOptions](), reflect.TypeFor[DoshiiOptions]()} {
		for field := range of.Fields() {
			if field.Type != reflect.TypeFor[*DrogueIssuer]() {
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
	if opts.Octave.Idle != 7*time.Second || !opts.Drogue.DeviceFlow || opts.Doshii.Pong != "clock" {
		t.Errorf("flags set %+v", opts)
	}
	if d := f.Lookup("octave-unused-session").DefValue; d != "30s" {
		t.Errorf("the default of octave-unused-session is %s", d)
	}
}

// collect returns the next n messages.
func (c *client) collect(n int) (texts []string) {
	c.t.Helper()
	for range n {
		texts = append(texts, c.text())
	}
	return texts
}

// The same seed makes the same run of every service.
func TestSeed(t *testing.T) {
	run := func(seed uint64) (all []string) {
		opts := DefaultOptions()
		opts.Seed = seed
		inBubble(t, opts, func(b *bench) {
			all = b.dial("/drogue/public-app").collect(20)
			time.Sleep(time.Second / 4) // not when the next event is due
			all = append(all, b.dial(appPath(wire.DoshiiPathApp)).collect(20)...)
			all = append(all, b.session(masterHeaders()...))
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
