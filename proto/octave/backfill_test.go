package octave_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	octaveemu "github.com/hark-cli/hark/internal/emulator/octave"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/octave"
	"github.com/hark-cli/hark/proto/prototest"
)

// The connection is lost at random moments, while connecting, while events are fetched,
// and while they arrive in bursts: each event is printed once, in order.
func TestLosesNothing(t *testing.T) {
	streams := []string{"/demo/stream", "/demo/devices/pump_01/level", "/demo/devices/pump_02/:command"}
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inWorld(t, quiet(), func(w *world) {
				r := rand.New(rand.NewPCG(seed, 7))
				o := withREST(w, streams...)
				o.Ago = time.Hour
				c := cuttable(w, o)
				o.API.Client = slow(o.API.Client.Transport, rand.New(rand.NewPCG(seed, 9)))
				publish(w, streams[0], 1, 30) // before the start: --since
				time.Sleep(2 * time.Second)

				ctx, cancel := context.WithCancelCause(w.T.Context())
				published := map[string]int{streams[0]: 30}
				quit := rand.New(rand.NewPCG(seed, 8))
				var wg sync.WaitGroup
				wg.Go(func() {
					for range 80 {
						s := streams[r.IntN(len(streams))]
						n := 1
						if r.IntN(20) == 0 {
							n = r.IntN(150)
						}
						publish(w, s, published[s]+1, published[s]+n)
						published[s] += n
						time.Sleep(time.Duration(r.ExpFloat64() * float64(500*time.Millisecond)))
					}
					time.Sleep(3 * time.Minute)
					cancel(prototest.ErrEnough)
				})
				wg.Go(func() {
					for range 15 {
						time.Sleep(time.Duration(quit.ExpFloat64() * float64(3*time.Second)))
						c.cut(time.Duration(quit.IntN(3)) * time.Second)
					}
				})
				l := newLedger(t, 0)
				if err := proto.Run(ctx, o, l, w.Options); !errors.Is(err, prototest.ErrEnough) {
					t.Errorf("Run: %v", err)
				}
				wg.Wait()
				for _, s := range streams {
					l.check(s, 1, published[s])
				}
				for _, g := range gaps(w) {
					if g != "filled" {
						t.Errorf("gap: %s", g)
					}
				}
			})
		})
	}
}

// listen runs a service concurrently with the test until stop, which returns its
// result.
func listen(w *world, o *octave.Service) (l *ledger, stop func()) {
	w.T.Helper()
	ctx, cancel := context.WithCancelCause(w.T.Context())
	l = newLedger(w.T, 0)
	done := make(chan error, 1)
	go func() { done <- proto.Run(ctx, o, l, w.Options) }()
	time.Sleep(time.Second)
	return l, func() {
		w.T.Helper()
		time.Sleep(time.Minute)
		cancel(prototest.ErrEnough)
		if err := <-done; !errors.Is(err, prototest.ErrEnough) {
			w.T.Errorf("Run: %v", err)
		}
	}
}

// Events evicted from a full stream before they could be fetched are a gap.
func TestEviction(t *testing.T) {
	inWorld(t, quiet(), func(w *world) {
		const stream = "/demo/stream" // keeps 1000 events
		o := withREST(w, stream)
		c := cuttable(w, o)
		l, stop := listen(w, o)
		publish(w, stream, 1, 10)
		time.Sleep(time.Minute)
		go c.cut(10 * time.Second)
		time.Sleep(time.Second)
		lost := time.Now()
		publish(w, stream, 11, 11)
		time.Sleep(2 * time.Second)
		publish(w, stream, 12, 1111)
		stop()
		l.mu.Lock()
		got := l.numbers[stream]
		l.mu.Unlock()
		if len(got) != 1010 || got[9] != 10 || got[10] != 112 || got[1009] != 1111 {
			t.Errorf("%d events", len(got))
		}
		gaps := gaps(w)
		if len(gaps) != 1 || gaps[0] != "/demo/stream keeps 1000 events, and older ones are gone" {
			t.Errorf("gaps %q", gaps)
		}
		g := w.Statuses[len(w.Statuses)-1].State.(proto.Gap)
		if g.From.After(lost) || g.To.Before(lost) || g.To.Sub(g.From) > 65*time.Second {
			t.Errorf("gap from %s to %s, but an event of %s was lost", g.From, g.To, lost)
		}
	})
}

// A full stream from which no event was missed is not a gap, however often it happens.
func TestFullStream(t *testing.T) {
	inWorld(t, quiet(), func(w *world) {
		const stream = "/demo/stream"
		publish(w, stream, -1500, 0)
		time.Sleep(time.Minute)
		o := withREST(w, stream)
		c := cuttable(w, o)
		l, stop := listen(w, o)
		for i := range 5 {
			publish(w, stream, i*900+1, i*900+450)
			time.Sleep(10 * time.Second)
			go c.cut(2 * time.Second)
			time.Sleep(time.Second)
			publish(w, stream, i*900+451, i*900+900)
			time.Sleep(10 * time.Second)
		}
		stop()
		l.check(stream, 1, 4500)
		for _, g := range gaps(w) {
			if g != "filled" {
				t.Errorf("gap: %s", g)
			}
		}
	})
}

// A stream of capacity 1 keeps an id for ever; one of capacity 0 keeps nothing.
func TestSmallCapacities(t *testing.T) {
	inWorld(t, quiet(), func(w *world) {
		o := withREST(w, "/demo/latest", "/demo/live")
		c := cuttable(w, o)
		l, stop := listen(w, o)
		for _, s := range o.Streams {
			publish(w, s, 1, 3) // three times in a millisecond
		}
		time.Sleep(10 * time.Second)
		go c.cut(10 * time.Second)
		time.Sleep(time.Second)
		publish(w, "/demo/latest", 4, 4)
		publish(w, "/demo/live", 4, 4)
		time.Sleep(20 * time.Second)
		publish(w, "/demo/latest", 5, 6)
		publish(w, "/demo/live", 5, 6)
		time.Sleep(10 * time.Second)
		c.cut(0) // and no event is missed
		stop()
		l.check("/demo/latest", 1, 6)
		if got := fmt.Sprint(l.numbers["/demo/live"]); got != "[1 2 3 5 6]" {
			t.Errorf("/demo/live: %s", got)
		}
		want := "[/demo/live keeps no events /demo/latest keeps 1 event, and older ones are gone /demo/live keeps no events]"
		if got := fmt.Sprint(gaps(w)); got != want {
			t.Errorf("gaps %s, want %s", got, want)
		}
		if len(w.Warnings) != 1 || !strings.HasSuffix(w.Warnings[0], "cannot be fetched from /demo/live") {
			t.Errorf("warnings %q", w.Warnings)
		}
	})
}

// A token without access to the REST interface still streams.
func TestRESTRefused(t *testing.T) {
	opts := quiet()
	opts.Octave.NoRestrictedREST = true
	inWorld(t, opts, func(w *world) {
		const stream = "/demo/stream"
		o := withREST(w, stream)
		o.User, o.Token = "", prototest.StaticToken(octaveemu.RestrictedToken)
		o.API.User, o.API.Token = "", o.Token
		c := cuttable(w, o)
		l, stop := listen(w, o)
		publish(w, stream, 1, 5)
		time.Sleep(time.Second)
		go c.cut(10 * time.Second)
		time.Sleep(time.Second)
		publish(w, stream, 6, 6)
		time.Sleep(20 * time.Second)
		publish(w, stream, 7, 9)
		stop()
		if got := fmt.Sprint(l.numbers[stream]); got != "[1 2 3 4 5 7 8 9]" {
			t.Errorf("%s", got)
		}
		want := "/demo/stream: request http://hark-emulator.invalid/octave/v5.0/demo/event/"
		if gaps := gaps(w); len(gaps) != 1 || !strings.HasPrefix(gaps[0], want) || !strings.Contains(gaps[0], "HTTP 403 Forbidden") {
			t.Errorf("gaps %q", gaps)
		}
		if len(w.Warnings) != 1 || !strings.HasPrefix(w.Warnings[0], "events missed while disconnected cannot be fetched: request ") {
			t.Errorf("warnings %q", w.Warnings)
		}
	})
}

// While the REST interface is unavailable, live events wait a little and then continue;
// the gap has the reason.
func TestRESTAway(t *testing.T) {
	for name, answer := range map[string]func() (*http.Response, error){
		"unreachable": func() (*http.Response, error) { return nil, errors.New("no route") },
		"503": func() (*http.Response, error) {
			return &http.Response{StatusCode: 503, Body: http.NoBody, Header: http.Header{"Retry-After": {"2"}}}, nil
		},
		"nonsense": func() (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{}}, nil
		},
		"silent": nil,
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, quiet(), func(w *world) {
				const stream = "/demo/stream"
				o := withREST(w, stream)
				c := cuttable(w, o)
				away := false
				through := o.API.Client.Transport
				o.API.Client.Transport = prototest.RoundTrip(func(req *http.Request) (*http.Response, error) {
					switch {
					case !away:
						return through.RoundTrip(req)
					case answer == nil:
						<-req.Context().Done()
						return nil, req.Context().Err()
					}
					return answer()
				})
				l, stop := listen(w, o)
				publish(w, stream, 1, 5)
				time.Sleep(time.Second)
				away = true
				go c.cut(10 * time.Second)
				time.Sleep(time.Second)
				publish(w, stream, 6, 6)
				time.Sleep(14 * time.Second)
				publish(w, stream, 7, 9) // reconnected, these are pushed
				time.Sleep(time.Minute)
				l.mu.Lock()
				got := fmt.Sprint(l.numbers[stream])
				l.mu.Unlock()
				if got != "[1 2 3 4 5 7 8 9]" {
					t.Errorf("a minute later: %s", got)
				}
				away = false
				go c.cut(10 * time.Second)
				time.Sleep(time.Second)
				publish(w, stream, 10, 11)
				stop()
				if got := fmt.Sprint(l.numbers[stream]); got != "[1 2 3 4 5 7 8 9 10 11]" {
					t.Errorf("in the end: %s", got)
				}
				if gaps := gaps(w); len(gaps) != 2 || !strings.HasPrefix(gaps[0], "/demo/stream: ") || gaps[1] != "filled" {
					t.Errorf("gaps %q", gaps)
				}
			})
		})
	}
}

// A server may send events again, and out of order; without the optional members too.
func TestDuplicates(t *testing.T) {
	opts := quiet()
	opts.Faults = []string{"duplicate=3 absent", "reorder=4"}
	inWorld(t, opts, func(w *world) {
		const stream = "/demo/stream"
		o := withREST(w, stream)
		c := cuttable(w, o)
		l, stop := listen(w, o)
		for i := range 10 {
			publish(w, stream, i*10+1, i*10+10)
			time.Sleep(time.Second)
			if i%3 == 2 {
				c.cut(0)
			}
		}
		stop()
		seen := make(map[int]int)
		for _, n := range l.numbers[stream] {
			if seen[n]++; seen[n] > 1 {
				t.Errorf("event %d has come %d times", n, seen[n])
			}
		}
		if len(seen) != 100 {
			t.Errorf("%d events have come, want 100", len(seen))
		}
	})
}

// --since: stored events first, then the live ones.
func TestSince(t *testing.T) {
	inWorld(t, quiet(), func(w *world) {
		const stream = "/demo/stream"
		publish(w, stream, -9, 0)
		time.Sleep(time.Minute)
		since := time.Now()
		publish(w, stream, 1, 800)
		time.Sleep(time.Minute)
		o := withREST(w, stream, "/demo/latest")
		o.Since = since
		o.Backfill = false
		c := cuttable(w, o)
		l, stop := listen(w, o)
		publish(w, stream, 801, 810)
		time.Sleep(time.Minute)
		c.cut(0)
		stop()
		l.check(stream, 1, 810)
		if gaps := gaps(w); len(gaps) != 1 || gaps[0] != "" {
			t.Errorf("gaps %q, want one without an attempt to fill it", gaps)
		}
	})
	inWorld(t, quiet(), func(w *world) {
		const stream = "/demo/stream"
		publish(w, stream, 1, 1500)
		time.Sleep(time.Minute)
		o := withREST(w, stream)
		o.Ago = 2 * time.Minute
		l, stop := listen(w, o)
		stop()
		if l.count != 1000 {
			t.Errorf("%d events", l.count)
		}
		if gaps := gaps(w); len(gaps) != 1 || gaps[0] != "/demo/stream keeps 1000 events, and older ones are gone" {
			t.Errorf("gaps %q", gaps)
		}
	})
}

// More events are pushed while events are fetched than may be buffered, and the reader
// of the output is slow.
func TestSlowFill(t *testing.T) {
	inWorld(t, quiet(), func(w *world) {
		streams := []string{"/demo/stream", "/demo/devices/tank_01/level"}
		publish(w, streams[0], 1, 900)
		publish(w, streams[1], 1, 900)
		time.Sleep(time.Minute)
		o := withREST(w, streams...)
		o.Ago = time.Hour
		w.Options.Buffer = 1000
		through := w.Transport
		o.API.Client = &http.Client{Transport: prototest.RoundTrip(func(req *http.Request) (*http.Response, error) {
			time.Sleep(9 * time.Second)
			return through.RoundTrip(req)
		})}
		l, stop := listen(w, o)
		for i := range 9 {
			publish(w, streams[0], 901+i, 901+i)
			time.Sleep(10 * time.Second)
		}
		stop()
		l.check(streams[0], 1, 909)
		l.check(streams[1], 1, 900)
	})
}
