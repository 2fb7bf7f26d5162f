package proto

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto/frame"
)

func TestBackoff(t *testing.T) {
	b := Backoff{Base: time.Second, Max: 30 * time.Second}
	tests := []struct {
		n      int
		random float64
		asked  time.Duration
		want   time.Duration
	}{
		{0, 0, 0, 500 * time.Millisecond},
		{0, 0.5, 0, 750 * time.Millisecond},
		{1, 0, 0, time.Second},
		{3, 0, 0, 4 * time.Second},
		{5, 0, 0, 15 * time.Second},
		{31, 0, 0, 15 * time.Second},
		{1 << 30, 0, 0, 15 * time.Second},
		{0, 0, time.Minute, time.Minute},
	}
	for _, tt := range tests {
		if got := b.Delay(tt.n, tt.random, tt.asked); got != tt.want {
			t.Errorf("Delay(%d, %v, %s) = %s, want %s", tt.n, tt.random, tt.asked, got, tt.want)
		}
	}
}

// A connectionLife is one attempt as the policy sees it: how long the connection was
// open, how long of that its stream was ready, and the result of its end.
type connectionLife struct {
	open, ready time.Duration // open 0: the attempt failed; ready 0: it never was
	events      bool
	free        bool          // its end asks for a retry for free
	want        time.Duration // the longest delay after it; 0: there is none
}

func TestReconnectPolicy(t *testing.T) {
	const s = time.Second
	refused := connectionLife{}
	after := func(l connectionLife, want time.Duration) connectionLife { l.want = want; return l }
	lived := func(open, ready time.Duration, events bool) connectionLife {
		return connectionLife{open: open, ready: ready, events: events}
	}
	wantsFree := func(l connectionLife) connectionLife { l.free = true; return l }
	tests := []struct {
		name  string
		max   time.Duration
		lives []connectionLife
		spent int // of the budget; 0: whatever
	}{
		{"refused", 8 * s, []connectionLife{after(refused, s), after(refused, 2*s), after(refused, 4*s), after(refused, 8*s), after(refused, 8*s), after(refused, 0)}, 0},
		{"accepted and dropped", 8 * s, []connectionLife{
			after(lived(1, 1, false), s), after(lived(1, 1, false), 2*s), after(lived(1, 1, false), 4*s), after(lived(1, 1, false), 8*s)}, 0},
		{"open and quiet for a while", 8 * s, []connectionLife{after(lived(29*s, 29*s, false), s), after(lived(29*s, 29*s, false), 2*s)}, 0},
		{"lasted", 8 * s, []connectionLife{after(refused, s), after(refused, 2*s), after(lived(30*s, 0, false), s), after(refused, 2*s)}, 0},
		{"lasted, but not the longest delay", 60 * s, []connectionLife{after(refused, s), after(lived(59*s, 0, false), 2*s), after(lived(60*s, 0, false), s)}, 0},
		{"events, ready as long as the delay", 8 * s, []connectionLife{after(refused, s), after(refused, 2*s), after(lived(3*s, 2*s, true), 4*s)}, 0},
		{"events, ready for longer", 8 * s, []connectionLife{after(refused, s), after(refused, 2*s), after(lived(3*s, 2*s+1, true), s)}, 0},
		{"ready for longer, no events", 8 * s, []connectionLife{after(refused, s), after(refused, 2*s), after(lived(3*s, 2*s+1, false), 4*s)}, 0},
		{"events, never ready", 8 * s, []connectionLife{after(refused, s), after(refused, 2*s), after(lived(3*s, 0, true), 4*s)}, 0},
		{"events at once, then dropped", 8 * s, []connectionLife{after(lived(s, s, true), s), after(lived(s, s, true), 2*s), after(lived(s, s, true), 4*s)}, 0},
		{"free once in a row", 8 * s, []connectionLife{
			after(wantsFree(lived(1, 0, false)), s), after(wantsFree(lived(1, 0, false)), 2*s), after(wantsFree(lived(30*s, 0, false)), s), after(wantsFree(refused), 2*s)}, 2},
		{"free costs no retry", 8 * s, []connectionLife{
			after(wantsFree(refused), s), after(refused, 2*s), after(refused, 4*s), after(refused, 8*s), after(refused, 8*s), after(refused, 8*s), after(refused, 0)}, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Retries: 5, RetryWindow: time.Hour, Backoff: Backoff{Base: s, Max: tt.max}}
			p := newReconnectPolicy(&o)
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for i, l := range tt.lives {
				if l.open > 0 {
					p.connected(now)
					if l.ready > 0 {
						p.streamReady(now.Add(l.open - l.ready))
						p.streamReady(now.Add(l.open)) // is not more than it was
					}
					p.events = l.events
					now = now.Add(l.open)
					p.lost(now)
				}
				const most = 1 - 1e-12 // of the random numbers
				var delay time.Duration
				ok := false
				if l.free {
					delay, ok = p.free(most)
				}
				if !ok {
					delay, ok = p.retry(now, most, 0)
				}
				if ok != (l.want > 0) || delay.Round(time.Millisecond) != l.want {
					t.Fatalf("attempt %d: retry %t in %s, want %s", i+1, ok, delay, l.want)
				}
				now = now.Add(delay)
			}
			if tt.spent > 0 && len(p.budget.spent) != tt.spent {
				t.Errorf("%d retries were spent, want %d", len(p.budget.spent), tt.spent)
			}
		})
	}
}

// A server that accepts and drops is given as much time as one that refuses.
func TestAcceptAndDrop(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for name, nw := range map[string]*network{
		"drops":   {serve: func(_ int, p *peer) { p.conn.Close() }},
		"refuses": {refuse: func(int, *http.Request) (*http.Response, error) { return nil, refused }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nw.t = t
				start := time.Now()
				err := runTest(t, nw, &recorder{}, testOptions(nw))
				if f, ok := errors.AsType[*Failure](err); !ok || f.Retries != 10 {
					t.Errorf("Run: %v", err)
				}
				// 0.5 + 1 + 2 + 4 + 8 + 16 + 4 × 30 s, each shortened by up to a half.
				const most = 151500 * time.Millisecond
				if d := time.Since(start); d < most/2 || d > most || nw.connections() != 11 {
					t.Errorf("gave up after %s and %d attempts", d, nw.connections())
				}
				nw.wg.Wait()
			})
		})
	}
}

// A server that accepts credentials and then reports them as expired is retried once
// for free, and then like any other lost connection.
func TestExpiredForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(n int, p *peer) {
			p.send(frame.OpPing, "") // it is ready
			p.send(frame.OpClose, string(frame.ClosePayload(frame.StatusPolicy, "expired")))
			p.untilClose()
		}}
		o := testOptions(nw)
		start := time.Now()
		err := Run(t.Context(), freeService{testService}, &recorder{}, o)
		if f, ok := errors.AsType[*Failure](err); !ok || f.Retries != 10 || nw.connections() != 12 {
			t.Errorf("%d connections: %v", nw.connections(), err)
		}
		if d := time.Since(start); d < time.Minute {
			t.Errorf("gave up after %s", d)
		}
		nw.wg.Wait()
	})
}

// A server that requests a longer wait than the window of retries is not retried, nor
// is one that requests a wait beyond the range of a duration.
func TestLongRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"299": 299 * time.Second, "301": 0, "86400": 0, "9223372036": 0, "9223372037": 0, "18446744074": 0, "99999999999999999999": 0,
		"-5": 1, "-99999999999999999999": 1, "soon": 1,
	} {
		synctest.Test(t, func(t *testing.T) {
			nw := &network{t: t, refuse: func(n int, _ *http.Request) (*http.Response, error) {
				if n > 3 {
					return answer(404, nil, ""), nil
				}
				return answer(503, http.Header{"Retry-After": {value}}, ""), nil
			}}
			o := testOptions(nw)
			o.Retries = 1
			start := time.Now()
			err := runTest(t, nw, &recorder{}, o)
			f, ok := errors.AsType[*Failure](err)
			if !ok || f.Class != Transient {
				t.Errorf("%s: %v", value, err)
			}
			d := time.Since(start)
			switch {
			case want == 1: // no such header
				if d > o.Backoff.Base || nw.connections() != 2 {
					t.Errorf("%s: %d attempts in %s", value, nw.connections(), d)
				}
			case d != want || nw.connections() != map[bool]int{true: 2, false: 1}[want > 0]:
				t.Errorf("%s: %d attempts in %s, want to wait for %s", value, nw.connections(), d, want)
			}
		})
	}
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
			// Otherwise the connection is lost.
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

// The budget is a sliding window: a connection that is lost now and then is reopened
// without limit.
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

// A classifier's immediate retry costs nothing, but only once.
type freeService struct{ *rawService }

func (freeService) Classify(error) Verdict { return Verdict{Class: Transient, RetryNow: true} }

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
