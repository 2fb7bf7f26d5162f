package proto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
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

// What is complete must not wait for what is not.
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

func TestReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(n int, p *peer) {
			p.text(fmt.Sprint(n))
			time.Sleep(time.Second)
			if n == 3 {
				p.text("end")
				p.untilClose()
			}
			// Otherwise the connection just breaks.
		}}
		o := testOptions(nw)
		var d traceRecorder
		o.Trace = d.trace()
		sink := recorder{limit: 4}
		if err := runTest(t, nw, &sink, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		if diff := cmp.Diff([]string{"1", "2", "3", "end"}, sink.events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		want := []string{
			"connecting", "connected", "ready", "disconnected", "retrying",
			"connecting", "connected", "ready", "gap", "disconnected", "retrying",
			"connecting", "connected", "ready", "gap",
		}
		if diff := cmp.Diff(want, d.states); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		gap := d.statuses[8].State.(Gap)
		if !gap.From.Before(gap.To) || gap.To.Sub(gap.From) > 2*time.Second {
			t.Errorf("gap from %s to %s", gap.From, gap.To)
		}
		nw.wg.Wait()
	})
}

func TestRetriesAreLimited(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, refuse: func(int, *http.Request) (*http.Response, error) { return nil, refused }}
		o := testOptions(nw)
		o.Retries = 4
		start := time.Now()
		err := runTest(t, nw, &recorder{}, o)
		f, ok := errors.AsType[*Failure](err)
		if !ok || f.Class != Transient || f.Connected || f.Retries != 4 || !errors.Is(err, refused) {
			t.Errorf("Run: %#v", err)
		}
		if n := nw.connections(); n != 5 {
			t.Errorf("%d attempts, want 5", n)
		}
		// 0.5 + 1 + 2 + 4 s, each shortened by up to a half.
		if d := time.Since(start); d < 3750*time.Millisecond || d > 7500*time.Millisecond {
			t.Errorf("gave up after %s", d)
		}
	})
}

// The budget is a sliding window: a connection that breaks now and then is
// redone for ever.
func TestRetriesComeBackWithTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(n int, p *peer) {
			p.text(fmt.Sprint(n))
			time.Sleep(2 * time.Minute)
			if n == 50 {
				p.untilClose()
			}
		}}
		o := testOptions(nw)
		o.Retries = 3
		sink := recorder{limit: 50}
		if err := runTest(t, nw, &sink, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		nw.wg.Wait()
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t,
			refuse: func(n int, _ *http.Request) (*http.Response, error) {
				if n > 1 {
					return nil, nil
				}
				return answer(503, http.Header{"Retry-After": {"77"}}, "later"), nil
			},
			serve: func(_ int, p *peer) { p.text("x"); p.untilClose() },
		}
		start := time.Now()
		if err := runTest(t, nw, &recorder{limit: 1}, testOptions(nw)); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(start); d < 77*time.Second || d > 78*time.Second {
			t.Errorf("came back after %s, want 77s", d)
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
				// What it shows of the body is one line that does nothing to a terminal.
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

// The address may hold a credential; net/http puts it into its errors.
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

var errSignal = errors.New("signal")

// The first signal says goodbye properly, and what the server still sends is not
// lost.
func TestFirstSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan int, 1)
		nw := &network{t: t, serve: func(_ int, p *peer) {
			p.text("before")
			payload, _ := p.next(frame.OpClose)
			p.text("after")
			p.send(frame.OpClose, payload)
			code, _ := frame.ParseClose([]byte(payload))
			closed <- code
		}}
		ctx, cancel := cancelled(errSignal)
		time.AfterFunc(time.Minute, cancel)
		var sink recorder
		start := time.Now()
		if err := Run(ctx, testService, &sink, testOptions(nw)); !errors.Is(err, errSignal) {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(start); d != time.Minute {
			t.Errorf("ended after %s, want 1m0s: the peer answered at once", d)
		}
		if code := <-closed; code != frame.StatusNormal {
			t.Errorf("close code %d, want 1000", code)
		}
		if diff := cmp.Diff([]string{"before", "after"}, sink.events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		nw.wg.Wait()
	})
}

// A peer that never answers costs the close time-out and no more.
func TestFirstSignalToAMutePeer(t *testing.T) {
	for _, unread := range []bool{false, true} {
		t.Run(fmt.Sprintf("unread=%t", unread), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stop := make(chan struct{})
				nw := &network{t: t, unread: unread, serve: func(_ int, p *peer) { <-stop }}
				ctx, cancel := cancelled(errSignal)
				time.AfterFunc(time.Minute, cancel)
				start := time.Now()
				if err := Run(ctx, testService, &recorder{}, testOptions(nw)); !errors.Is(err, errSignal) {
					t.Errorf("Run: %v", err)
				}
				if d := time.Since(start); d != time.Minute+2*time.Second {
					t.Errorf("ended after %s, want 1m2s", d)
				}
				close(stop)
				nw.wg.Wait()
			})
		})
	}
}

// A time that the user has set is not exceeded by more than promptClose, whatever the
// peer does with our close frame.
func TestEndOfATimeLimit(t *testing.T) {
	for _, unread := range []bool{false, true} {
		for _, idle := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				stop := make(chan struct{})
				nw := &network{t: t, unread: unread, serve: func(_ int, p *peer) { <-stop }}
				o := testOptions(nw)
				ctx := t.Context()
				want := context.DeadlineExceeded
				if idle {
					o.Idle, want = time.Minute, ErrIdle
				} else {
					var cancel func()
					ctx, cancel = context.WithTimeoutCause(ctx, time.Minute, want)
					defer cancel()
				}
				start := time.Now()
				if err := Run(ctx, testService, &recorder{}, o); !errors.Is(err, want) {
					t.Errorf("Run: %v", err)
				}
				if d := time.Since(start); d > time.Minute+promptClose {
					t.Errorf("idle %t, unread %t: ended after %s", idle, unread, d)
				}
				close(stop)
				nw.wg.Wait()
			})
		}
	}
}

// When the sink wants no more, the peer has a short time to answer our close frame.
func TestEndOfTheSinkAndAMutePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		nw := &network{t: t, serve: func(_ int, p *peer) { p.text("x"); <-stop }}
		start := time.Now()
		if err := runTest(t, nw, &recorder{limit: 1}, testOptions(nw)); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(start); d > promptClose {
			t.Errorf("ended after %s", d)
		}
		close(stop)
		nw.wg.Wait()
	})
}

func TestSecondSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		nw := &network{t: t, serve: func(_ int, p *peer) { <-stop }}
		ctx, cancel := cancelled(errSignal)
		kill := make(chan struct{})
		time.AfterFunc(time.Minute, cancel)
		time.AfterFunc(time.Minute+100*time.Millisecond, func() { close(kill) })
		o := testOptions(nw)
		o.Kill = kill
		start := time.Now()
		if err := Run(ctx, testService, &recorder{}, o); !errors.Is(err, errSignal) {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(start); d != time.Minute+100*time.Millisecond {
			t.Errorf("ended after %s, want 1m0.1s", d)
		}
		close(stop)
		nw.wg.Wait()
	})
}

func TestSignalWhileWaitingOrConnecting(t *testing.T) {
	for name, refuse := range map[string]func(int, *http.Request) (*http.Response, error){
		"waiting": func(int, *http.Request) (*http.Response, error) { return nil, errors.New("broken") },
		"connecting": func(_ int, req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := cancelled(errSignal)
				time.AfterFunc(700*time.Millisecond, cancel)
				start := time.Now()
				if err := Run(ctx, testService, &recorder{}, testOptions(&network{t: t, refuse: refuse})); !errors.Is(err, errSignal) {
					t.Errorf("Run: %v", err)
				}
				if d := time.Since(start); d != 700*time.Millisecond {
					t.Errorf("ended after %s, want 700ms", d)
				}
			})
		})
	}
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

// A sink that is stuck must cost neither the connection nor an event: pings are
// answered, our own go out, heartbeats go on.
func TestBlockedSinkKeepsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events = 200
		nw := &network{t: t, serve: func(_ int, p *peer) {
			for i := range events {
				p.text(fmt.Sprint(i))
				p.send(frame.OpPing, "are you there")
				heard := time.Now()
				for {
					f, ok := <-p.in
					if !ok {
						t.Errorf("connection lost at event %d", i)
						return
					}
					if f.Opcode == frame.OpPing {
						p.send(frame.OpPong, string(f.Payload))
						continue
					}
					break
				}
				if d := time.Since(heard); d > 0 {
					t.Errorf("event %d: answer to the ping took %s", i, d)
				}
				time.Sleep(5 * time.Second)
			}
			p.untilClose()
		}}
		o := testOptions(nw)
		o.PingInterval, o.PingTimeout = 20*time.Second, 20*time.Second
		sink := recorder{limit: events, gate: make(chan struct{})}
		time.AfterFunc(events*5*time.Second, func() { close(sink.gate) })
		if err := runTest(t, nw, &sink, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		nw.wg.Wait()
	})
}

// With a full buffer nothing more is read, and nothing is lost; pings of ours go
// on, and the silence is not taken for the peer's.
func TestFullBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events = 100
		payload := strings.Repeat("x", 10_000)
		var pings int
		nw := &network{t: t, serve: func(_ int, p *peer) {
			for range events {
				p.text(payload)
			}
			for f := range p.in {
				switch f.Opcode {
				case frame.OpPing:
					pings++
					p.send(frame.OpPong, string(f.Payload))
				case frame.OpClose:
					p.send(frame.OpClose, string(f.Payload))
					return
				}
			}
		}}
		o := testOptions(nw)
		o.Buffer = 200_000
		o.PingInterval, o.PingTimeout = 20*time.Second, 20*time.Second
		sink := recorder{limit: events, gate: make(chan struct{})}
		time.AfterFunc(time.Hour, func() { close(sink.gate) })
		if err := runTest(t, nw, &sink, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		if nw.connections() != 1 {
			t.Errorf("%d connections, want 1", nw.connections())
		}
		nw.wg.Wait()
		if pings < 170 {
			t.Errorf("%d pings in an hour with a full buffer, want about 180", pings)
		}
	})
}

// The time without an event does not count while events may lie unread.
func TestIdleWithAFullBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events = 100
		nw := &network{t: t, serve: func(_ int, p *peer) {
			for i := range events {
				p.text(fmt.Sprint(i, strings.Repeat("x", 1000)))
			}
			p.untilClose()
		}}
		o := testOptions(nw)
		o.Buffer, o.Idle = 10_000, 5*time.Second
		sink := recorder{gate: make(chan struct{})}
		time.AfterFunc(time.Minute, func() { close(sink.gate) })
		start := time.Now()
		if err := runTest(t, nw, &sink, o); !errors.Is(err, ErrIdle) {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(start); len(sink.events) != events || d < time.Minute+o.Idle || d > time.Minute+2*o.Idle {
			t.Errorf("%d events, ended after %s", len(sink.events), d)
		}
		nw.wg.Wait()
	})
}

// The library gives a control frame five seconds: while it waits for the rest of one,
// nothing else may be waited for.
func TestHalfAPingWhileTheBufferIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ping := frameBytes(frame.OpPing, "are you there")
		nw := &network{t: t, serve: func(_ int, p *peer) {
			for _, s := range []string{"one", "two", "three"} {
				p.text(s)
				time.Sleep(time.Second)
			}
			p.conn.Write(append(frameBytes(frame.OpText, "four"), ping[:5]...))
			time.Sleep(4 * time.Second)
			p.conn.Write(ping[5:])
			if payload, _ := p.next(frame.OpPong); payload != "are you there" {
				t.Errorf("pong %q", payload)
			}
			p.untilClose()
		}}
		o := testOptions(nw)
		o.Buffer = 1
		sink := recorder{gate: make(chan struct{}), limit: 4}
		time.AfterFunc(time.Minute, func() { close(sink.gate) })
		if err := runTest(t, nw, &sink, o); !errors.Is(err, errEnough) || nw.connections() != 1 {
			t.Errorf("Run: %v, %d connections", err, nw.connections())
		}
		nw.wg.Wait()
	})
}

// A server that broke a rule has time to read why it is left: a connection that is
// closed while data are unread is reset, and what was written before may be lost.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			p.send(0x3, "reserved")
			if _, ok := p.next(frame.OpClose); !ok {
				t.Error("no close frame")
			}
			for range 10 {
				if !p.send(frame.OpText, strings.Repeat("x", 10_000)) {
					t.Error("the connection was closed before the server had closed it")
					return
				}
			}
		}}
		o := testOptions(nw)
		start := time.Now()
		if err := runTest(t, nw, &recorder{}, o); !is[*ProtocolError](err) {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(start); d > 0 {
			t.Errorf("ended after %s, although the server had closed", d)
		}
		nw.wg.Wait()
	})
}

// A signal ends the run although the sink is stuck, and says what was not written.
func TestSignalWithABlockedSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			p.text("a", "b", "c")
			p.untilClose()
		}}
		ctx, cancel := cancelled(errSignal)
		time.AfterFunc(time.Minute, cancel)
		sink := recorder{gate: make(chan struct{})}
		err := Run(ctx, testService, &sink, testOptions(nw))
		u, ok := errors.AsType[*UnwrittenError](err)
		if !ok || u.Events != 3 || !errors.Is(err, errSignal) {
			t.Errorf("Run: %#v, want an UnwrittenError of 3 events", err)
		}
		close(sink.gate)
		nw.wg.Wait()
	})
}

// Nobody answers: neither data nor a pong within the limit.
func TestDeadPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t}
		stop := make(chan struct{})
		nw.serve = func(n int, p *peer) {
			if n == 1 {
				<-stop // half open
				return
			}
			p.text("x")
			p.untilClose()
		}
		o := testOptions(nw)
		o.PingInterval, o.PingTimeout = 20*time.Second, 7*time.Second
		var d traceRecorder
		o.Trace = d.trace()
		start := time.Now()
		if err := runTest(t, nw, &recorder{limit: 1}, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(start); d < 27*time.Second || d > 28*time.Second {
			t.Errorf("took %s, want 27s and a short wait", d)
		}
		if _, s, ok := firstOf[Disconnected](d.statuses); !ok || s.Err.Error() != "connection lost: nothing came within 7s after a ping" {
			t.Errorf("statuses %v", d.statuses)
		}
		close(stop)
		nw.wg.Wait()
	})
}

// A peer that answers pings is alive for as long as it likes.
func TestQuietPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			end := time.After(2 * time.Hour)
			for {
				select {
				case f := <-p.in:
					p.send(frame.OpPong, string(f.Payload))
				case <-end:
					p.text("x")
					p.untilClose()
					return
				}
			}
		}}
		o := testOptions(nw)
		o.PingInterval, o.PingTimeout = 20*time.Second, 20*time.Second
		if err := runTest(t, nw, &recorder{limit: 1}, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		if nw.connections() != 1 {
			t.Errorf("%d connections, want 1", nw.connections())
		}
		nw.wg.Wait()
	})
}

func TestPeerBreaksTheProtocol(t *testing.T) {
	big := strings.Repeat("x", 1001)
	tests := []struct {
		name  string
		send  []byte
		text  string
		code  int
		class Class
	}{
		{"too big", frameBytes(frame.OpText, big), "message larger than the limit of 1000 bytes", frame.StatusTooBig, Refused},
		{"masked", append(frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.OpText, Masked: true, Length: 1}), 'x'),
			"protocol error: the server masked a frame, which only clients may do", frame.StatusProtocol, Refused},
		{"reserved opcode", frameBytes(0x3, ""), "protocol error: the server sent a frame with the reserved opcode 3", frame.StatusProtocol, Refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var code int
				nw := &network{t: t, serve: func(_ int, p *peer) {
					p.conn.Write(frameBytes(frame.OpText, "fine"))
					go p.conn.Write(tt.send)
					_, code = p.untilClose()
				}}
				o := testOptions(nw)
				o.MaxMessageSize = 1000
				var sink recorder
				err := runTest(t, nw, &sink, o)
				f, ok := errors.AsType[*Failure](err)
				if !ok || f.Class != tt.class || err.Error() != tt.text {
					t.Errorf("Run: %v, want %s", err, tt.text)
				}
				nw.wg.Wait()
				if code != tt.code {
					t.Errorf("close code %d, want %d", code, tt.code)
				}
				if diff := cmp.Diff([]string{"fine"}, sink.events); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Input goes out in order, and the end of the input is not the end of the run.
func TestInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan string, 10)
		nw := &network{t: t, serve: func(n int, p *peer) {
			for range n { // one message on the first connection, two on the second
				s, _ := p.next(frame.OpText)
				got <- s
			}
			if n == 2 {
				p.text("done")
				p.untilClose()
			}
		}}
		in := make(chan Frame)
		go func() {
			for _, s := range []string{"a", "b", "c"} {
				time.Sleep(10 * time.Second)
				in <- Text([]byte(s))
			}
			close(in)
		}()
		o := testOptions(nw)
		o.Input = in
		if err := runTest(t, nw, &recorder{limit: 1}, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		nw.wg.Wait()
		if a, b, c := <-got, <-got, <-got; a+b+c != "abc" {
			t.Errorf("got %q %q %q", a, b, c)
		}
	})
}

// A frame of Input whose connection ends while the loop is busy has been written, and is
// not written again. Which of the two the loop learns first is chance.
func TestInputWrittenLate(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			var got []string
			nw := &network{t: t, serve: func(n int, p *peer) {
				for range n {
					s, _ := p.next(frame.OpText)
					got = append(got, s)
				}
				if n == 2 {
					p.text("done")
					p.untilClose()
				}
			}}
			in := make(chan Frame)
			go func() {
				for _, s := range []string{"a", "b", "c"} {
					in <- Text([]byte(s))
				}
			}()
			o := testOptions(nw)
			o.Input = in
			o.Trace.Frame = func(r FrameRecord) {
				if r.Direction == Out && r.Opcode == frame.OpText && string(r.Payload) == "a" {
					time.Sleep(time.Second)
				}
			}
			if err := runTest(t, nw, &recorder{limit: 1}, o); !errors.Is(err, errEnough) {
				t.Errorf("Run: %v", err)
			}
			nw.wg.Wait()
			if strings.Join(got, "") != "abc" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// A frame of Input that could not be written waits for the next connection, once, and
// is in doubt if there is none.
func TestInputThatCouldNotBeWritten(t *testing.T) {
	for _, again := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var got []string
			nw := &network{t: t, unread: true, serve: func(n int, p *peer) {
				time.Sleep(10 * time.Second)
				if n == 1 {
					return // nothing was read
				}
				go p.read()
				for range 2 {
					s, _ := p.next(frame.OpText)
					got = append(got, s)
				}
				p.text("done")
				p.untilClose()
			}}
			in := make(chan Frame)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				for _, s := range []string{"a", "b"} {
					select {
					case in <- Text([]byte(s)):
					case <-ctx.Done():
					}
				}
			}()
			o := testOptions(nw)
			o.Input = in
			var d traceRecorder
			o.Trace = d.trace()
			if !again {
				o.Retries = 0
			}
			err := runTest(t, nw, &recorder{limit: 1}, o)
			_, st, ok := firstOf[Unconfirmed](d.statuses)
			if again {
				if !errors.Is(err, errEnough) || strings.Join(got, " ") != "a b" || ok {
					t.Errorf("Run: %v; got %q, unconfirmed: %v", err, got, st)
				}
			} else if !is[*LostError](err) || st.Messages != 1 {
				t.Errorf("Run: %v; unconfirmed: %v", err, st)
			}
			cancel()
			nw.wg.Wait()
		})
	}
}

// What was sent since the server last answered a ping may be lost with the connection.
// A close frame answers what went before, and so does any message before a normal end.
func TestUnconfirmed(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(p *peer)
		want int // of three messages, the first of which comes before an answered ping
	}{
		{"cut", func(p *peer) {}, 2},
		{"cut after an answer", func(p *peer) { p.text("x"); p.next(frame.OpText) }, 2},
		{"a wrong pong", func(p *peer) { p.send(frame.OpPong, "hark 7") }, 2},
		{"going away", func(p *peer) { p.text("x"); p.send(frame.OpClose, string(frame.ClosePayload(1001, ""))) }, 2},
		{"normal", func(p *peer) { p.send(frame.OpClose, string(frame.ClosePayload(1000, ""))) }, 2},
		{"normal after an answer", func(p *peer) {
			p.text("x")
			time.Sleep(time.Millisecond)
			p.send(frame.OpClose, string(frame.ClosePayload(1000, "")))
		}, 0},
		{"from here, answered", func(p *peer) { p.untilClose() }, 0},
		{"from here, not answered", func(p *peer) { p.next(frame.OpClose) }, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nw := &network{t: t, serve: func(n int, p *peer) {
					if n == 2 {
						p.untilClose()
						return
					}
					p.next(frame.OpText)
					ping, _ := p.next(frame.OpPing)
					p.send(frame.OpPong, ping)
					p.next(frame.OpText)
					p.next(frame.OpText)
					tt.end(p)
				}}
				in := make(chan Frame)
				go func() {
					for _, pause := range []time.Duration{time.Second, 11 * time.Second, time.Second} {
						time.Sleep(pause)
						in <- Text([]byte("line"))
					}
				}()
				o := testOptions(nw)
				o.Input, o.PingInterval = in, 10*time.Second
				var d traceRecorder
				o.Trace = d.trace()
				ctx, cancel := cancelled(errStop)
				time.AfterFunc(19*time.Second, cancel)
				_ = Run(ctx, testService, &recorder{}, o)
				if _, st, _ := firstOf[Unconfirmed](d.statuses); st.Messages != tt.want {
					t.Errorf("%d messages are unconfirmed, want %d", st.Messages, tt.want)
				}
				if last, ready := lastOf[Ready](d.statuses); ready.Earlier != map[bool]int{true: 3}[last.Attempt == 2] {
					t.Errorf("at attempt %d, %d messages had gone out before", last.Attempt, ready.Earlier)
				}
				nw.wg.Wait()
			})
		})
	}
}

// A judge's free retry costs nothing, but only once.
type freeService struct{ *rawService }

func (freeService) Judge(error) Verdict { return Verdict{Class: Transient, Free: true} }

func TestFreeRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, refuse: func(int, *http.Request) (*http.Response, error) { return answer(404, nil, ""), nil }}
		o := testOptions(nw)
		o.Retries = 0
		start := time.Now()
		err := Run(t.Context(), freeService{testService}, &recorder{}, o)
		if f, ok := errors.AsType[*Failure](err); !ok || f.Class != Transient {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(start); nw.connections() != 2 || d < o.Backoff.Base/2 || d > o.Backoff.Base {
			t.Errorf("%d attempts in %s, want 2 and the shortest delay", nw.connections(), d)
		}
	})
}

// Sessions get their time, and their blocking work runs beside the connection.
type keeperService struct{ *rawService }

type keeperSession struct {
	rawSession
	next time.Time
	done int
}

func (s keeperService) Start() Source {
	return SourceFunc(func(ctx context.Context) (*Handshake, error) {
		hs, err := s.handshake(ctx)
		hs.Session = &keeperSession{}
		return hs, err
	})
}

func (s *keeperSession) Due(now time.Time) (Work, error) {
	if s.next.IsZero() {
		s.next = now.Add(7 * time.Second)
	}
	if now.Before(s.next) {
		return Work{Next: s.next}, nil
	}
	s.next = now.Add(7 * time.Second)
	return Work{Do: func(ctx context.Context) func(time.Time) (Work, error) {
		select { // a slow command
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
		}
		return func(now time.Time) (Work, error) {
			s.done++
			s.next = now.Add(7 * time.Second)
			return Work{Effects: []Effect{Send{Text(fmt.Append(nil, s.done))}}, Next: s.next}, nil
		}
	}}, nil
}

func TestKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		nw := &network{t: t, serve: func(_ int, p *peer) {
			for i := 1; i <= 3; i++ {
				s, _ := p.next(frame.OpText)
				if want := time.Duration(i) * 10 * time.Second; s != fmt.Sprint(i) || time.Since(start) != want {
					t.Errorf("message %q after %s, want %d after %s", s, time.Since(start), i, want)
				}
			}
			p.text("x")
			p.untilClose()
		}}
		o := testOptions(nw)
		svc := keeperService{testService}
		if err := Run(t.Context(), svc, &recorder{limit: 1}, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		nw.wg.Wait()
	})
}

// A strictSession wants a message at least every two seconds.
type strictSession struct {
	rawSession
	heard time.Time
}

func (s *strictSession) Greet(now time.Time) []Effect {
	s.heard = now
	return []Effect{StreamReady{}}
}

func (s *strictSession) Decode(m Message) (event bool, _ []Effect, _ error) {
	s.heard = m.Time
	return len(m.Data) > 10, nil, nil
}

func (s *strictSession) Due(now time.Time) (Work, error) {
	if now.Sub(s.heard) > 2*time.Second {
		return Work{Next: now.Add(time.Second)}, &LostError{errors.New("no heartbeat")}
	}
	return Work{Next: now.Add(time.Second)}, nil
}

// What a session misses while nothing is read may be there unread, whatever keeps the
// reader: a full buffer, or a message that does not fit into the rest of it.
func TestNothingIsMissedWhileNothingIsRead(t *testing.T) {
	for _, size := range []int{1000, 3 << 20} {
		for _, takes := range []time.Duration{3 * time.Second, 20 * time.Second} {
			t.Run(fmt.Sprint(size, takes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					nw := &network{t: t, serve: func(_ int, p *peer) {
						var more sync.WaitGroup
						more.Go(func() {
							for p.send(frame.OpText, "beat") {
								time.Sleep(time.Second)
							}
						})
						for range 5 {
							if !p.send(frame.OpText, strings.Repeat("x", size)) {
								break
							}
						}
						p.untilClose()
						p.conn.Close()
						more.Wait()
					}}
					o := testOptions(nw)
					o.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
						resp, err := nw.RoundTrip(req)
						resp.Body = newSocket(resp.Body.(io.ReadWriteCloser))
						return resp, err
					})
					o.Retries, o.Buffer = 0, size+size/2
					n := 0
					sink := sinkFunc(func(*Event) error {
						time.Sleep(takes)
						if n++; n == 5 {
							return errEnough
						}
						return nil
					})
					svc := sessionService{testService, &strictSession{}}
					if err := Run(t.Context(), svc, sink, o); !errors.Is(err, errEnough) {
						t.Errorf("Run: %v", err)
					}
					nw.wg.Wait()
				})
			})
		}
	}
}

// A session that misses something when everything is read is right.
func TestMissedHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) { p.text("event number 1"); p.untilClose() }}
		o := testOptions(nw)
		o.Retries = 0
		start := time.Now()
		err := Run(t.Context(), sessionService{testService, &strictSession{}}, &recorder{}, o)
		if !is[*LostError](err) || time.Since(start) > 4*time.Second {
			t.Errorf("Run: %v after %s", err, time.Since(start))
		}
		nw.wg.Wait()
	})
}
