package proto

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto/frame"
)

var errSignal = errors.New("signal")

// After the first signal the connection is closed with a closing handshake, and what
// the server still sends is not lost.
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
		ctx, cancel := canceled(errSignal)
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

// A peer that never answers delays the end by the close timeout and no more.
func TestFirstSignalToAMutePeer(t *testing.T) {
	for _, unread := range []bool{false, true} {
		t.Run(fmt.Sprintf("unread=%t", unread), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stop := make(chan struct{})
				nw := &network{t: t, unread: unread, serve: func(_ int, p *peer) { <-stop }}
				ctx, cancel := canceled(errSignal)
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

// A time limit of the user is not exceeded by more than promptClose, however the peer
// handles the close frame.
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

// When the sink has ended, the peer has a short time to answer the close frame.
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
		ctx, cancel := canceled(errSignal)
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
				ctx, cancel := canceled(errSignal)
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

// A signal ends the run although the sink is blocked, and unwritten events are
// reported.
func TestSignalWithABlockedSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			p.text("a", "b", "c")
			p.untilClose()
		}}
		ctx, cancel := canceled(errSignal)
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
