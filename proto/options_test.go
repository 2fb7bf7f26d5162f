package proto

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/proto/frame"
)

func TestOptionsAreChecked(t *testing.T) {
	for name, change := range map[string]func(o *Options){
		"ConnectTimeout":    func(o *Options) { o.ConnectTimeout = -1 },
		"Retries":           func(o *Options) { o.Retries = -1 },
		"RetryWindow":       func(o *Options) { o.RetryWindow = -1 },
		"Backoff.Base":      func(o *Options) { o.Backoff.Base = -1 },
		"Backoff.Max":       func(o *Options) { o.Backoff.Max = -1 },
		"PingInterval":      func(o *Options) { o.PingInterval = -1 },
		"PingTimeout":       func(o *Options) { o.PingTimeout = -1 },
		"MaxMessageSize":    func(o *Options) { o.MaxMessageSize = 0 },
		"MaxFrameSize":      func(o *Options) { o.MaxFrameSize = -1 },
		"Buffer":            func(o *Options) { o.Buffer = 0 },
		"ReadyDelay":        func(o *Options) { o.ReadyDelay = -1 },
		"Idle":              func(o *Options) { o.Idle = -1 },
		"CloseTimeout":      func(o *Options) { o.CloseTimeout = -1 },
		"Dial.MaxRedirects": func(o *Options) { o.Dial.MaxRedirects = -1 },
	} {
		nw := &network{t: t, refuse: func(int, *http.Request) (*http.Response, error) { return answer(404, nil, ""), nil }}
		o := testOptions(nw)
		change(&o)
		err := runTest(t, nw, &recorder{}, o)
		if e, ok := errors.AsType[*optionError](err); !ok || e.Name != name || nw.connections() > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Zero disables a limit.
func TestZeroOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			p.text("one", "two")
			time.Sleep(24 * time.Hour)
			p.untilClose()
		}}
		nw.refuse = func(int, *http.Request) (*http.Response, error) {
			time.Sleep(24 * time.Hour) // no limit for the handshake
			return nil, nil
		}
		o := Options{Transport: nw, MaxMessageSize: 1000, Buffer: 1000}
		var sink recorder
		ctx, cancel := canceled(errStop)
		time.AfterFunc(36*time.Hour, cancel)
		start := time.Now()
		err := Run(ctx, testService, &sink, o)
		if d := time.Since(start); !errors.Is(err, errStop) || d != 36*time.Hour || len(sink.events) != 2 {
			t.Errorf("Run after %s: %v; %q", d, err, sink.events)
		}
		nw.wg.Wait()
	})
}

// An unlimited size does not allocate memory in advance.
func TestHugeLimit(t *testing.T) {
	for _, limit := range []int64{40 << 30, math.MaxInt64} {
		for _, way := range []string{"fragments", "one frame", "promised"} {
			synctest.Test(t, func(t *testing.T) {
				const parts, size = 40, 100_000
				nw := &network{t: t, serve: func(_ int, p *peer) {
					part := strings.Repeat("x", size)
					switch way {
					case "fragments":
						for i := range parts {
							h := frame.Header{Fin: i == parts-1, Opcode: frame.OpText, Length: size}
							if i > 0 {
								h.Opcode = frame.OpContinuation
							}
							p.conn.Write(append(frame.AppendHeader(nil, h), part...))
						}
					case "one frame":
						p.send(frame.OpText, strings.Repeat(part, parts))
					case "promised":
						p.conn.Write(append(frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.OpText, Length: 39 << 30}), part...))
						return
					}
					p.send(frame.OpClose, string(frame.ClosePayload(1000, "")))
				}}
				o := testOptions(nw)
				o.Retries, o.MaxMessageSize = 0, limit
				var sink recorder
				err := runTest(t, nw, &sink, o)
				if way == "promised" {
					if !is[*LostError](err) || len(sink.events) > 0 {
						t.Errorf("limit %d, %s: %v", limit, way, err)
					}
				} else if err != nil || len(sink.events) != 1 || len(sink.events[0]) != parts*size {
					t.Errorf("limit %d, %s: %v; %d events", limit, way, err, len(sink.events))
				}
				nw.wg.Wait()
			})
		}
	}
}

// A panic in any part is an error of the run, not the end of the program, and is not
// blamed on the peer.
func TestPanics(t *testing.T) {
	boom := func() { panic("boom") }
	for name, setup := range map[string]func(o *Options) (Service, Sink){
		"sink": func(*Options) (Service, Sink) {
			return testService, sinkFunc(func(*Event) error { boom(); return nil })
		},
		"flush": func(*Options) (Service, Sink) { return testService, panicking{} },
		"reader": func(o *Options) (Service, Sink) {
			next := o.Transport
			o.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(req)
				resp.Body = panickingConn{resp.Body.(io.ReadWriteCloser), true}
				return resp, err
			})
			return testService, &recorder{}
		},
		"writer": func(o *Options) (Service, Sink) {
			next := o.Transport
			o.PingInterval = time.Second
			o.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(req)
				resp.Body = panickingConn{resp.Body.(io.ReadWriteCloser), false}
				return resp, err
			})
			return testService, &recorder{}
		},
		"work": func(*Options) (Service, Sink) {
			return &filler{times: 1, ready: []Effect{StreamReady{}}, do: func(context.Context) Work { boom(); return Work{} }}, &recorder{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nw := &network{t: t, serve: func(_ int, p *peer) { p.text("one"); p.untilClose() }}
				o := testOptions(nw)
				svc, sink := setup(&o)
				err := Run(t.Context(), svc, sink, o)
				if e, ok := errors.AsType[*InternalError](err); !ok || e.Value != "boom" || !strings.Contains(string(e.Stack), "options_test.go") {
					t.Errorf("Run: %v", err)
				}
				if nw.connections() > 1 {
					t.Errorf("%d connections", nw.connections())
				}
				nw.wg.Wait()
			})
		})
	}
}

type panicking struct{}

func (panicking) Event(*Event) error { return nil }
func (panicking) Flush() error       { panic("boom") }

type panickingConn struct {
	io.ReadWriteCloser
	reads bool
}

func (c panickingConn) Read(p []byte) (int, error) {
	if c.reads {
		panic("boom")
	}
	return c.ReadWriteCloser.Read(p)
}

func (c panickingConn) Write(p []byte) (int, error) { panic("boom") }
