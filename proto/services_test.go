package proto_test

import (
	"context"
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
	"github.com/hark-cli/hark/proto/prototest"
)

type world = prototest.World

// inWorld runs f in a bubble with an emulator of the service.
func inWorld(t *testing.T, service string, opts emulated, f func(*world)) {
	t.Helper()
	for _, s := range opts.services() {
		if s.Name == service {
			prototest.InWorld(t, opts.Options, s, f)
		}
	}
}

func octaveOf(w *world, streams ...string) *octave.Service {
	return &octave.Service{
		Endpoint: w.Env["HARK_OCTAVE_ENDPOINT"],
		User:     w.Env["HARK_OCTAVE_USER"], Company: w.Env["HARK_OCTAVE_COMPANY"],
		Token:   prototest.StaticToken(secret.Value(w.Env["HARK_OCTAVE_TOKEN"])),
		Streams: streams, AckTimeout: 10 * time.Second, Heartbeat: 20 * time.Second,
		Client: &http.Client{Transport: w.Transport},
	}
}

func drogueOf(w *world, app string) *drogue.Service {
	return &drogue.Service{
		Endpoint: w.Env["HARK_DROGUE_ENDPOINT"], Application: app,
		Token: prototest.StaticToken(secret.Value(w.Env["HARK_DROGUE_TOKEN"])),
	}
}

func doshiiOf(w *world) *doshii.Service {
	return &doshii.Service{
		Endpoint: w.Env["HARK_DOSHII_ENDPOINT"], Path: "/app/socket/v3",
		Auth:       prototest.StaticToken(doshii.Auth(secret.Value(w.Env["HARK_DOSHII_CLIENT_ID"]))),
		AppVersion: "1.0.0", Heartbeat: 30 * time.Second,
	}
}

// Half an hour of each service on one connection: heartbeats in both directions,
// idle limits and pings included.
func TestHalfAnHour(t *testing.T) {
	for service, make := range map[string]func(*world) proto.Service{
		"octave": func(w *world) proto.Service { return octaveOf(w, "/demo/stream") },
		"drogue": func(w *world) proto.Service { return drogueOf(w, "demo-app") },
		"doshii": func(w *world) proto.Service { return doshiiOf(w) },
	} {
		t.Run(service, func(t *testing.T) {
			opts := byDefault()
			opts.Rate = 1.0 / 60
			opts.Drogue.TokenLifetime = 2 * time.Hour
			inWorld(t, service, opts, func(w *world) {
				start := time.Now()
				err := proto.Run(w.T.Context(), make(w), &prototest.Tally{T: t, Limit: 30}, w.Options)
				if !errors.Is(err, prototest.ErrEnough) {
					t.Errorf("Run: %v", err)
				}
				if d := time.Since(start); d < 29*time.Minute || d > 31*time.Minute {
					t.Errorf("took %s", d)
				}
				if len(w.Statuses) != 4 || len(w.Warnings) != 0 {
					t.Errorf("statuses %v, warnings %v", w.Statuses, w.Warnings)
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
			o := octaveOf(w, "/demo/stream")
			o.Token = prototest.StaticToken("wrong")
			return o
		}, proto.Credentials, "session http://hark-emulator.invalid/octave/session: HTTP 403 Forbidden"},
		{"octave stream", "octave", func(w *world) proto.Service { return octaveOf(w, "/demo/stream", "/demo/nothing") },
			proto.Refused, "subscription to /demo/nothing refused with status 404"},
		{"octave right", "octave", func(w *world) proto.Service { return octaveOf(w, "/demo/private") },
			proto.Refused, "subscription to /demo/private refused with status 403"},
		{"drogue token", "drogue", func(w *world) proto.Service {
			d := drogueOf(w, "demo-app")
			d.Token = prototest.StaticToken("wrong")
			return d
		}, proto.Credentials, `HTTP 403 Forbidden: {"error":"Forbidden","message":"Forbidden"}`},
		{"drogue application", "drogue", func(w *world) proto.Service { return drogueOf(w, "nothing") },
			proto.Refused, `HTTP 404 Not Found: {"error":"NotFound","message":"Resource not found: Application / nothing"}`},
		{"drogue anonymous", "drogue", func(w *world) proto.Service {
			d := drogueOf(w, "demo-app")
			d.Token = nil
			return d
		}, proto.Refused, `HTTP 404 Not Found`},
		{"doshii client id", "doshii", func(w *world) proto.Service {
			d := doshiiOf(w)
			d.Auth = prototest.StaticToken(doshii.Auth("wrong"))
			return d
		}, proto.Credentials, "HTTP 401 Unauthorized"},
		{"doshii path", "doshii", func(w *world) proto.Service {
			d := doshiiOf(w)
			d.Path = "/nothing"
			return d
		}, proto.Unreachable, "HTTP 404 Not Found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, tt.service, byDefault(), func(w *world) {
				start := time.Now()
				err := proto.Run(w.T.Context(), tt.make(w), &prototest.Tally{T: t}, w.Options)
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
		if err := proto.Run(t.Context(), d, &prototest.Tally{T: t, Limit: 120}, o); !errors.Is(err, prototest.ErrEnough) {
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

// The server disconnects after 10 s without a ping or pong, whatever the reader of the
// output does. If hark's own buffer is full too, data waits in those of the network,
// and the server receives only hark's pings.
func TestDrogueSurvivesABlockedOutput(t *testing.T) {
	for name, buffer := range map[string]int{"buffered": 64 << 20, "full": 2000} {
		t.Run(name, func(t *testing.T) {
			opts := byDefault()
			opts.Rate = 0.2
			inWorld(t, "drogue", opts, func(w *world) {
				gate := make(chan struct{})
				time.AfterFunc(5*time.Minute, func() { close(gate) })
				w.Options.Buffer = buffer
				w.Options.PingInterval = 4 * time.Second
				err := proto.Run(w.T.Context(), drogueOf(w, "demo-app"), &prototest.Tally{T: t, Limit: 100, Gate: gate}, w.Options)
				if !errors.Is(err, prototest.ErrEnough) || len(w.Statuses) != 4 {
					t.Errorf("Run: %v, statuses %v", err, w.Statuses)
				}
			})
		})
	}
}

// A session that has expired before it is used is replaced by a new one, without a
// retry.
func TestOctaveSessionExpires(t *testing.T) {
	inWorld(t, "octave", byDefault(), func(w *world) {
		o := octaveOf(w, "/demo/stream")
		first := true
		o.Client = &http.Client{Transport: prototest.RoundTrip(func(req *http.Request) (*http.Response, error) {
			resp, err := w.Transport.RoundTrip(req)
			if first {
				first = false
				time.Sleep(31 * time.Second)
			}
			return resp, err
		})}
		w.Options.ConnectTimeout = time.Minute
		w.Options.Retries = 0
		if err := proto.Run(w.T.Context(), o, &prototest.Tally{T: t, Limit: 3}, w.Options); !errors.Is(err, prototest.ErrEnough) {
			t.Errorf("Run: %v", err)
		}
	})
}

// The time of a command for the token, which may ask the user, does not count towards
// the time limit of the connection, which still applies.
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
				o := octaveOf(w, "/demo/stream")
				o.Token = func(ctx context.Context) (secret.Value, error) {
					defer proto.HoldConnectTimeout(ctx)()
					select {
					case <-time.After(tt.token):
					case <-ctx.Done():
						t.Error("the token source was cut short")
					}
					return secret.Value(w.Env["HARK_OCTAVE_TOKEN"]), nil
				}
				o.Client = &http.Client{Transport: prototest.RoundTrip(func(req *http.Request) (*http.Response, error) {
					select {
					case <-time.After(tt.reply):
						return w.Transport.RoundTrip(req)
					case <-req.Context().Done():
						return nil, context.Cause(req.Context())
					}
				})}
				w.Options.ConnectTimeout, w.Options.Retries = 10*time.Second, 0
				begun := time.Now()
				err := proto.Run(w.T.Context(), o, &prototest.Tally{T: t, Limit: 1}, w.Options)
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

// Without heartbeats the services close the connection; otherwise staying connected
// would prove nothing.
func TestHeartbeatsMatter(t *testing.T) {
	inWorld(t, "octave", byDefault(), func(w *world) {
		o := octaveOf(w, "/demo/devices/nothing-ever")
		o.Streams = []string{"/demo/stream"}
		o.Heartbeat = 0
		w.Options.PingInterval = 0
		w.Options.Retries = 0
		err := proto.Run(w.T.Context(), o, &prototest.Tally{T: t}, w.Options)
		if ce, ok := errors.AsType[*proto.CloseError](err); !ok || ce.Code != 1001 {
			t.Errorf("octave without heartbeats: %v, want close 1001", err)
		}
	})
}
