package proto_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	drogueemu "github.com/hark-cli/hark/internal/emulator/drogue"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/doshii"
	"github.com/hark-cli/hark/proto/drogue"
	"github.com/hark-cli/hark/proto/octave"
)

// A world is a service's stand-in in a bubble, and what a client needs for it.
type world struct {
	t         *testing.T
	env       map[string]string
	transport *http.Transport
	options   proto.Options
	warnings  []string
	notes     []string
	statuses  []proto.Status
}

// inWorld runs f in a bubble with an emulator of the service.
func inWorld(t *testing.T, service string, opts emulated, f func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e, err := opts.start(service)
		if err != nil {
			t.Fatal(err)
		}
		n := emulator.NewNetwork(e)
		environ, err := e.Environ(emulator.Base)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, env: make(map[string]string), transport: &http.Transport{DialContext: n.DialContext}}
		for _, v := range environ {
			name, value, _ := strings.Cut(v, "=")
			w.env[name] = value
		}
		w.options = proto.DefaultOptions()
		w.options.Transport = w.transport
		w.options.Trace = proto.Trace{
			Status: func(s proto.Status) {
				switch s.State.(type) {
				case proto.Heartbeat, proto.Live:
				default:
					w.statuses = append(w.statuses, s)
				}
			},
			Warning: func(s string) { w.warnings = append(w.warnings, s) },
			Note:    func(s string) { w.notes = append(w.notes, s) },
		}
		f(w)
		w.transport.CloseIdleConnections()
		e.Close()
		n.Close()
	})
}

func (w *world) octave(streams ...string) *octave.Service {
	return &octave.Service{
		Endpoint: w.env["HARK_OCTAVE_ENDPOINT"],
		User:     w.env["HARK_OCTAVE_USER"], Company: w.env["HARK_OCTAVE_COMPANY"],
		Token:   proto.StaticToken(secret.Value(w.env["HARK_OCTAVE_TOKEN"])),
		Streams: streams, AckTimeout: 10 * time.Second, Heartbeat: 20 * time.Second,
		Client: &http.Client{Transport: w.transport},
	}
}

func (w *world) drogue(app string) *drogue.Service {
	return &drogue.Service{
		Endpoint: w.env["HARK_DROGUE_ENDPOINT"], Application: app,
		Token: proto.StaticToken(secret.Value(w.env["HARK_DROGUE_TOKEN"])),
	}
}

func (w *world) doshii() *doshii.Service {
	return &doshii.Service{
		Endpoint: w.env["HARK_DOSHII_ENDPOINT"], Path: "/app/socket/v3",
		Auth:       proto.StaticToken(doshii.Auth(secret.Value(w.env["HARK_DOSHII_CLIENT_ID"]))),
		AppVersion: "1.0.0", Heartbeat: 30 * time.Second,
	}
}

// A tally is a sink that checks that each event is a JSON object and ends the run
// after so many.
type tally struct {
	t     *testing.T
	limit int
	n     int
	gate  <-chan struct{}
}

var errTally = errors.New("enough")

func (s *tally) Event(ev *proto.Event) error {
	if s.gate != nil {
		<-s.gate
	}
	var v map[string]any
	if err := json.Unmarshal(ev.Data, &v); err != nil {
		s.t.Errorf("event %d: %v: %s", ev.Seq, err, ev.Data)
	}
	if s.n++; s.n == s.limit {
		return errTally
	}
	return nil
}

func (s *tally) Flush() error { return nil }

// Half an hour of each service on one connection: heartbeats in both directions,
// idle limits and pings included.
func TestHalfAnHour(t *testing.T) {
	for service, make := range map[string]func(*world) proto.Service{
		"octave": func(w *world) proto.Service { return w.octave("/demo/stream") },
		"drogue": func(w *world) proto.Service { return w.drogue("demo-app") },
		"doshii": func(w *world) proto.Service { return w.doshii() },
	} {
		t.Run(service, func(t *testing.T) {
			opts := byDefault()
			opts.Rate = 1.0 / 60
			opts.Drogue.TokenLifetime = 2 * time.Hour
			inWorld(t, service, opts, func(w *world) {
				start := time.Now()
				err := proto.Run(w.t.Context(), make(w), &tally{t: t, limit: 30}, w.options)
				if !errors.Is(err, errTally) {
					t.Errorf("Run: %v", err)
				}
				if d := time.Since(start); d < 29*time.Minute || d > 31*time.Minute {
					t.Errorf("took %s", d)
				}
				if len(w.statuses) != 4 || len(w.warnings) != 0 {
					t.Errorf("statuses %v, warnings %v", w.statuses, w.warnings)
				}
			})
		})
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name, service string
		make          func(*world) proto.Service
		class         proto.Class
		text          string
	}{
		{"octave token", "octave", func(w *world) proto.Service {
			o := w.octave("/demo/stream")
			o.Token = proto.StaticToken("wrong")
			return o
		}, proto.Credentials, "session http://hark-emulator.invalid/octave/session: HTTP 403 Forbidden"},
		{"octave stream", "octave", func(w *world) proto.Service { return w.octave("/demo/stream", "/demo/nothing") },
			proto.Refused, "subscription to /demo/nothing refused with status 404"},
		{"octave right", "octave", func(w *world) proto.Service { return w.octave("/demo/private") },
			proto.Refused, "subscription to /demo/private refused with status 403"},
		{"drogue token", "drogue", func(w *world) proto.Service {
			d := w.drogue("demo-app")
			d.Token = proto.StaticToken("wrong")
			return d
		}, proto.Credentials, `HTTP 403 Forbidden: {"error":"Forbidden","message":"Forbidden"}`},
		{"drogue application", "drogue", func(w *world) proto.Service { return w.drogue("nothing") },
			proto.Refused, `HTTP 404 Not Found: {"error":"NotFound","message":"Resource not found: Application / nothing"}`},
		{"drogue anonymous", "drogue", func(w *world) proto.Service {
			d := w.drogue("demo-app")
			d.Token = nil
			return d
		}, proto.Refused, `HTTP 404 Not Found`},
		{"doshii client id", "doshii", func(w *world) proto.Service {
			d := w.doshii()
			d.Auth = proto.StaticToken(doshii.Auth("wrong"))
			return d
		}, proto.Credentials, "HTTP 401 Unauthorized"},
		{"doshii path", "doshii", func(w *world) proto.Service {
			d := w.doshii()
			d.Path = "/nothing"
			return d
		}, proto.Unreachable, "HTTP 404 Not Found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, tt.service, byDefault(), func(w *world) {
				start := time.Now()
				err := proto.Run(w.t.Context(), tt.make(w), &tally{t: t}, w.options)
				f, ok := errors.AsType[*proto.Failure](err)
				if !ok || f.Class != tt.class || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("Run: %v (%+v), want class %d and %s", err, f, tt.class, tt.text)
				}
				if time.Since(start) != 0 {
					t.Errorf("took %s: it was tried again", time.Since(start))
				}
			})
		})
	}
}

// A token of the vendor's stock lifetime is renewed on the open connection, over
// and over.
func TestDrogueTokenIsRenewed(t *testing.T) {
	opts := byDefault()
	opts.Rate = 0.1
	opts.Drogue.TokenLifetime = 5 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		e, err := opts.start("drogue")
		if err != nil {
			t.Fatal(err)
		}
		n := emulator.NewNetwork(e)
		transport := &http.Transport{DialContext: n.DialContext}
		var asked atomic.Int32
		d := &drogue.Service{
			Endpoint: emulator.Base + "/drogue", Application: "demo-app", Renewable: true,
			Token: func(context.Context) (secret.Value, error) {
				asked.Add(1)
				time.Sleep(2 * time.Second) // the connection goes on meanwhile
				s, err := drogueemu.Token(emulator.Base, opts.Drogue.TokenLifetime)
				return secret.Value(s), err
			},
		}
		o := proto.DefaultOptions()
		o.Transport = transport
		var connections int
		o.Trace.Status = func(s proto.Status) {
			if s.State == (proto.Connected{}) {
				connections++
			}
		}
		if err := proto.Run(t.Context(), d, &tally{t: t, limit: 120}, o); !errors.Is(err, errTally) {
			t.Errorf("Run: %v", err)
		}
		if connections != 1 || asked.Load() < 4 || asked.Load() > 6 {
			t.Errorf("%d connections, %d tokens in twenty minutes", connections, asked.Load())
		}
		transport.CloseIdleConnections()
		e.Close()
		n.Close()
	})
}

// The server cuts after 10 s without a ping or pong, whatever the reader of the
// output does. When hark's own buffer is full too, what comes waits in those of
// the network, and hark's pings are all that the server hears.
func TestDrogueSurvivesABlockedOutput(t *testing.T) {
	for name, buffer := range map[string]int{"buffered": 64 << 20, "full": 2000} {
		t.Run(name, func(t *testing.T) {
			opts := byDefault()
			opts.Rate = 0.2
			inWorld(t, "drogue", opts, func(w *world) {
				gate := make(chan struct{})
				time.AfterFunc(5*time.Minute, func() { close(gate) })
				w.options.Buffer = buffer
				w.options.PingInterval = 4 * time.Second
				err := proto.Run(w.t.Context(), w.drogue("demo-app"), &tally{t: t, limit: 100, gate: gate}, w.options)
				if !errors.Is(err, errTally) || len(w.statuses) != 4 {
					t.Errorf("Run: %v, statuses %v", err, w.statuses)
				}
			})
		})
	}
}

// A session that nobody uses in time is replaced by a new one, at no cost.
func TestOctaveSessionExpires(t *testing.T) {
	inWorld(t, "octave", byDefault(), func(w *world) {
		o := w.octave("/demo/stream")
		first := true
		o.Client = &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			resp, err := w.transport.RoundTrip(req)
			if first {
				first = false
				time.Sleep(31 * time.Second)
			}
			return resp, err
		})}
		w.options.ConnectTimeout = time.Minute
		w.options.Retries = 0
		if err := proto.Run(w.t.Context(), o, &tally{t: t, limit: 3}, w.options); !errors.Is(err, errTally) {
			t.Errorf("Run: %v", err)
		}
	})
}

// A command that asks a vault for the token, and its user for a finger, takes its time,
// which is none of the network's. That still has no more than it is given.
func TestSlowTokenIsNoSlowConnection(t *testing.T) {
	for _, tt := range []struct {
		name         string
		token, reply time.Duration
		fails        bool
	}{
		{"slow token", 25 * time.Second, 9 * time.Second, false},
		{"slow network", 25 * time.Second, 11 * time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, "octave", byDefault(), func(w *world) {
				o := w.octave("/demo/stream")
				o.Token = func(ctx context.Context) (secret.Value, error) {
					defer proto.HoldConnectTimeout(ctx)()
					select {
					case <-time.After(tt.token):
					case <-ctx.Done():
						t.Error("the token source was cut short")
					}
					return secret.Value(w.env["HARK_OCTAVE_TOKEN"]), nil
				}
				o.Client = &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
					select {
					case <-time.After(tt.reply):
						return w.transport.RoundTrip(req)
					case <-req.Context().Done():
						return nil, context.Cause(req.Context())
					}
				})}
				w.options.ConnectTimeout, w.options.Retries = 10*time.Second, 0
				begun := time.Now()
				err := proto.Run(w.t.Context(), o, &tally{t: t, limit: 1}, w.options)
				var late *proto.ConnectTimeoutError
				if got := errors.As(err, &late); got != tt.fails {
					t.Errorf("after %s: %v", time.Since(begun), err)
				}
				if d := time.Since(begun); tt.fails && d != tt.token+10*time.Second {
					t.Errorf("it failed after %s", d)
				}
			})
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// Without heartbeats the services cut the connection; that we stay connected shows
// nothing if they did not.
func TestHeartbeatsMatter(t *testing.T) {
	inWorld(t, "octave", byDefault(), func(w *world) {
		o := w.octave("/demo/devices/nothing-ever")
		o.Streams = []string{"/demo/stream"}
		o.Heartbeat = 0
		w.options.PingInterval = 0
		w.options.Retries = 0
		err := proto.Run(w.t.Context(), o, &tally{t: t}, w.options)
		if ce, ok := errors.AsType[*proto.CloseError](err); !ok || ce.Code != 1001 {
			t.Errorf("octave without heartbeats: %v, want close 1001", err)
		}
	})
}
