package proto

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto/frame"
)

func TestEventsArriveInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			p.text("one")
			p.send(frame.OpPing, "x")
			p.send(frame.OpBinary, "two")
			time.Sleep(time.Second)
			// Fragments with a control frame between them (RFC 6455, section 5.4).
			p.conn.Write(frame.AppendHeader(nil, frame.Header{Opcode: frame.OpText, Length: 2}))
			p.conn.Write([]byte("th"))
			p.send(frame.OpPing, "y")
			p.conn.Write(frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.OpContinuation, Length: 3}))
			p.conn.Write([]byte("ree"))
			p.send(frame.OpClose, string(frame.ClosePayload(1000, "bye")))
		}}
		o := testOptions(nw)
		o.Retries = 0
		var d traceRecorder
		o.Trace = d.trace()
		var sink recorder
		start := time.Now()
		if err := runTest(t, nw, &sink, o); err != nil {
			t.Errorf("Run: %v, want nil after a normal close without retries", err)
		}
		if diff := cmp.Diff([]string{"one", "two", "three"}, sink.events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if got := sink.times[2].Sub(start); got != time.Second {
			t.Errorf("receive time of the last event: %s after the start, want 1s", got)
		}
		want := []string{
			"< text one", "< ping x", "> pong x", "< binary two", "< ping y", "> pong y", "< text three",
			"< close 1000 bye", "> close 1000 bye",
		}
		if diff := cmp.Diff(want, d.frames); diff != "" {
			t.Errorf("frames (-want +got):\n%s", diff)
		}
		nw.wg.Wait()
	})
}

// Complete messages must not wait for incomplete ones.
func TestCompleteMessagesDoNotWaitForAPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		big := strings.Repeat("x", 300_000)
		nw := &network{t: t, serve: func(_ int, p *peer) {
			b := append(frameBytes(frame.OpText, "first"), frameBytes(frame.OpText, big)...)
			p.conn.Write(b[:1000])
			time.Sleep(time.Hour)
			p.conn.Write(b[1000:100_000])
			p.conn.Write(b[100_000:])
			p.text("last")
			p.untilClose()
		}}
		sink := recorder{limit: 3}
		o := testOptions(nw)
		go func() {
			time.Sleep(time.Minute)
			if got := sink.got(); len(got) != 1 || got[0] != "first" {
				t.Errorf("after a minute the sink has %d events, want the first one", len(got))
			}
		}()
		if err := runTest(t, nw, &sink, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		if len(sink.events) != 3 || sink.events[1] != big || sink.events[2] != "last" {
			t.Errorf("got %d events", len(sink.events))
		}
		nw.wg.Wait()
	})
}

func TestFinalFailures(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		err    error
		class  Class
		stage  netdial.Stage
	}{
		{name: "no such host", err: &net.DNSError{Err: "no such host", Name: "test", IsNotFound: true}, class: Unreachable, stage: netdial.StageDNS},
		{name: "401", status: 401, class: Credentials, stage: netdial.StageUpgrade},
		{name: "404 with a body", status: 404, body: "<p>nothing\n here\x1b[31m", class: Unreachable, stage: netdial.StageUpgrade},
		{name: "redirect", status: 302, class: Unreachable, stage: netdial.StageUpgrade},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nw := &network{t: t, refuse: func(int, *http.Request) (*http.Response, error) {
					if tt.err != nil {
						return nil, tt.err
					}
					return answer(tt.status, http.Header{}, tt.body), nil
				}}
				err := runTest(t, nw, &recorder{}, testOptions(nw))
				f, ok := errors.AsType[*Failure](err)
				if !ok || f.Class != tt.class {
					t.Errorf("Run: %#v, want class %d", err, tt.class)
				}
				h, ok := errors.AsType[*HandshakeError](err)
				if !ok || h.Stage != tt.stage || h.Status != tt.status || h.Address != "ws://test/stream" {
					t.Fatalf("Run: %#v, want status %d at %v", h, tt.status, tt.stage)
				}
				// The excerpt of the body is one line without control characters.
				if text := err.Error(); strings.ContainsAny(text, "\x1b\n") || strings.Contains(text, "nothing here") != (tt.body != "") {
					t.Errorf("error %q", text)
				}
				if nw.connections() != 1 {
					t.Errorf("%d attempts, want 1", nw.connections())
				}
			})
		})
	}
}

// The address may contain a credential, and net/http includes it in its errors.
func TestErrorsHideTheAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, refuse: func(int, *http.Request) (*http.Response, error) { return nil, errors.New("broken") }}
		o := testOptions(nw)
		o.Retries = 0
		svc := &rawService{URL: "ws://user:hunter2@test/stream?token=hunter2"}
		err := Run(t.Context(), svc, &recorder{}, o)
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "broken") {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			time.Sleep(3 * time.Second)
			p.text("x")
			p.send(frame.OpPing, "not an event")
			p.untilClose()
		}}
		o := testOptions(nw)
		o.Idle = 5 * time.Second
		start := time.Now()
		if err := runTest(t, nw, &recorder{}, o); !errors.Is(err, ErrIdle) {
			t.Errorf("Run: %v, want ErrIdle", err)
		}
		if d := time.Since(start); d != 8*time.Second {
			t.Errorf("ended after %s, want 8s", d)
		}
		nw.wg.Wait()
	})
}

func TestConnectTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(&network{t: t, refuse: func(_ int, req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}})
		o.Retries = 0
		start := time.Now()
		err := Run(t.Context(), testService, &recorder{}, o)
		if err == nil || !strings.Contains(err.Error(), "no connection within 10s") {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("gave up after %s", d)
		}
	})
}
