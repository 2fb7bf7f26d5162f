package proto_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	octaveemu "github.com/hark-cli/hark/internal/emulator/octave"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/octave"
)

// withREST makes a service that fetches what was missed.
func (w *world) withREST(streams ...string) *octave.Service {
	o := w.octave(streams...)
	o.Backfill, o.API = true, w.api()
	return o
}

func (w *world) api() *octave.API {
	return &octave.API{
		Base: w.env["HARK_OCTAVE_API"], User: w.env["HARK_OCTAVE_USER"], Company: w.env["HARK_OCTAVE_COMPANY"],
		Token: proto.StaticToken(secret.Value(w.env["HARK_OCTAVE_TOKEN"])), Client: &http.Client{Transport: w.transport},
		Timeout: 10 * time.Second,
	}
}

// quiet is an emulator that makes up no events.
func quiet() emulated {
	opts := byDefault()
	opts.Rate = 0
	return opts
}

// publish writes events numbered from first to last into a stream.
func (w *world) publish(stream string, first, last int) {
	w.t.Helper()
	api := w.api()
	for n := first; n <= last; n++ {
		if _, err := api.Publish(context.Background(), stream, json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))); err != nil {
			w.t.Errorf("publish: %v", err)
		}
	}
}

// A ledger is a sink that writes down the number of each event, by stream.
type ledger struct {
	t  *testing.T
	mu sync.Mutex
	// numbers are those of elems.n, dates the creationDates.
	numbers map[string][]int
	dates   map[string][]int64
	count   int
	end     int // of the run, after so many events; 0 for never
}

func newLedger(t *testing.T, end int) *ledger {
	return &ledger{t: t, numbers: make(map[string][]int), dates: make(map[string][]int64), end: end}
}

func (l *ledger) Event(ev *proto.Event) error {
	var m struct {
		Type, Resource string
		Value          struct {
			ID, Path, StreamID string
			CreationDate       int64
			Elems              struct{ N int }
		}
	}
	if err := json.Unmarshal(ev.Data, &m); err != nil || m.Type != "message" || m.Resource != m.Value.StreamID || ev.Time.IsZero() {
		l.t.Errorf("event: %v: %s", err, ev.Data)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	path := m.Value.Path
	l.numbers[path] = append(l.numbers[path], m.Value.Elems.N)
	l.dates[path] = append(l.dates[path], m.Value.CreationDate)
	if l.count++; l.count == l.end {
		return errTally
	}
	return nil
}

func (l *ledger) Flush() error { return nil }

// check compares what has come of a stream with the numbers from first to last.
func (l *ledger) check(stream string, first, last int) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	got := l.numbers[stream]
	for i, n := range got {
		if n != first+i {
			l.t.Errorf("%s: event %d comes after %v, want %d", stream, n, got[max(0, i-5):i], first+i)
			return
		}
	}
	if len(got) != last-first+1 {
		l.t.Errorf("%s: %d events have come, want %d", stream, len(got), last-first+1)
	}
}

// A cutter is a DialContext that can cut what it has dialled.
type cutter struct {
	dial  func(ctx context.Context, network, addr string) (net.Conn, error)
	mu    sync.Mutex
	conns []net.Conn
	down  bool
}

func (c *cutter) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c.mu.Lock()
	down := c.down
	c.mu.Unlock()
	if down {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("network is down")}
	}
	conn, err := c.dial(ctx, network, addr)
	if err == nil {
		c.mu.Lock()
		c.conns = append(c.conns, conn)
		c.mu.Unlock()
	}
	return conn, err
}

// cut ends all connections, for down no new one can be made.
func (c *cutter) cut(down time.Duration) {
	c.mu.Lock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns, c.down = nil, down > 0
	c.mu.Unlock()
	if down > 0 {
		time.Sleep(down)
		c.mu.Lock()
		c.down = false
		c.mu.Unlock()
	}
}

// cuttable gives the client a network of its own, apart from that of publish.
func (w *world) cuttable(o *octave.Service) *cutter {
	c := &cutter{dial: w.transport.DialContext}
	t := &http.Transport{DialContext: c.DialContext}
	w.options.Transport = t
	o.Client, o.API.Client = &http.Client{Transport: t}, &http.Client{Transport: t}
	w.t.Cleanup(t.CloseIdleConnections)
	w.options.Retries, w.options.Backoff = 1000, proto.Backoff{Base: time.Second, Max: 2 * time.Second}
	return c
}

// slow makes requests take up to two seconds.
func slow(through http.RoundTripper, r *rand.Rand) *http.Client {
	var mu sync.Mutex
	return &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		mu.Lock()
		d := time.Duration(r.Int64N(int64(2 * time.Second)))
		mu.Unlock()
		select {
		case <-time.After(d):
			return through.RoundTrip(req)
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	})}
}

// gaps are the reports of gaps: "filled", or the reason.
func (w *world) gaps() []string {
	var out []string
	for _, s := range w.statuses {
		gap, ok := s.State.(proto.Gap)
		if !ok {
			continue
		}
		if gap.From.IsZero() || gap.To.Before(gap.From) {
			w.t.Errorf("a gap from %s to %s", gap.From, gap.To)
		}
		if gap.Filled {
			out = append(out, "filled")
		} else {
			out = append(out, gap.Unfilled)
		}
	}
	return out
}

// The connection breaks at random moments, while it is made, while events are
// fetched, and while they come in bursts: each event comes once, in order.
func TestOctaveLosesNothing(t *testing.T) {
	streams := []string{"/demo/stream", "/demo/devices/pump_01/level", "/demo/devices/pump_02/:command"}
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inWorld(t, "octave", quiet(), func(w *world) {
				r := rand.New(rand.NewPCG(seed, 7))
				o := w.withREST(streams...)
				o.Ago = time.Hour
				c := w.cuttable(o)
				o.API.Client = slow(o.API.Client.Transport, rand.New(rand.NewPCG(seed, 9)))
				w.publish(streams[0], 1, 30) // before the start: --since
				time.Sleep(2 * time.Second)

				ctx, cancel := context.WithCancelCause(w.t.Context())
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
						w.publish(s, published[s]+1, published[s]+n)
						published[s] += n
						time.Sleep(time.Duration(r.ExpFloat64() * float64(500*time.Millisecond)))
					}
					time.Sleep(3 * time.Minute)
					cancel(errTally)
				})
				wg.Go(func() {
					for range 15 {
						time.Sleep(time.Duration(quit.ExpFloat64() * float64(3*time.Second)))
						c.cut(time.Duration(quit.IntN(3)) * time.Second)
					}
				})
				l := newLedger(t, 0)
				if err := proto.Run(ctx, o, l, w.options); !errors.Is(err, errTally) {
					t.Errorf("Run: %v", err)
				}
				wg.Wait()
				for _, s := range streams {
					l.check(s, 1, published[s])
				}
				for _, g := range w.gaps() {
					if g != "filled" {
						t.Errorf("gap: %s", g)
					}
				}
			})
		})
	}
}

// listen runs a service beside the test until stop, which returns what it did.
func (w *world) listen(o *octave.Service) (l *ledger, stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancelCause(w.t.Context())
	l = newLedger(w.t, 0)
	done := make(chan error, 1)
	go func() { done <- proto.Run(ctx, o, l, w.options) }()
	time.Sleep(time.Second)
	return l, func() {
		w.t.Helper()
		time.Sleep(time.Minute)
		cancel(errTally)
		if err := <-done; !errors.Is(err, errTally) {
			w.t.Errorf("Run: %v", err)
		}
	}
}

// What the capacity of a stream has evicted before it could be fetched is a gap.
func TestOctaveEviction(t *testing.T) {
	inWorld(t, "octave", quiet(), func(w *world) {
		const stream = "/demo/stream" // keeps 1000 events
		o := w.withREST(stream)
		c := w.cuttable(o)
		l, stop := w.listen(o)
		w.publish(stream, 1, 10)
		time.Sleep(time.Minute)
		go c.cut(10 * time.Second)
		time.Sleep(time.Second)
		lost := time.Now()
		w.publish(stream, 11, 11)
		time.Sleep(2 * time.Second)
		w.publish(stream, 12, 1111)
		stop()
		l.mu.Lock()
		got := l.numbers[stream]
		l.mu.Unlock()
		if len(got) != 1010 || got[9] != 10 || got[10] != 112 || got[1009] != 1111 {
			t.Errorf("%d events", len(got))
		}
		gaps := w.gaps()
		if len(gaps) != 1 || gaps[0] != "/demo/stream keeps 1000 events, and older ones are gone" {
			t.Errorf("gaps %q", gaps)
		}
		g := w.statuses[len(w.statuses)-1].State.(proto.Gap)
		if g.From.After(lost) || g.To.Before(lost) || g.To.Sub(g.From) > 65*time.Second {
			t.Errorf("gap from %s to %s, but an event of %s was lost", g.From, g.To, lost)
		}
	})
}

// A full stream of which nothing was missed is no gap, however often.
func TestOctaveFullStream(t *testing.T) {
	inWorld(t, "octave", quiet(), func(w *world) {
		const stream = "/demo/stream"
		w.publish(stream, -1500, 0)
		time.Sleep(time.Minute)
		o := w.withREST(stream)
		c := w.cuttable(o)
		l, stop := w.listen(o)
		for i := range 5 {
			w.publish(stream, i*900+1, i*900+450)
			time.Sleep(10 * time.Second)
			go c.cut(2 * time.Second)
			time.Sleep(time.Second)
			w.publish(stream, i*900+451, i*900+900)
			time.Sleep(10 * time.Second)
		}
		stop()
		l.check(stream, 1, 4500)
		for _, g := range w.gaps() {
			if g != "filled" {
				t.Errorf("gap: %s", g)
			}
		}
	})
}

// A stream of capacity 1 keeps an id for ever; one of capacity 0 keeps nothing.
func TestOctaveSmallCapacities(t *testing.T) {
	inWorld(t, "octave", quiet(), func(w *world) {
		o := w.withREST("/demo/latest", "/demo/live")
		c := w.cuttable(o)
		l, stop := w.listen(o)
		for _, s := range o.Streams {
			w.publish(s, 1, 3) // three times in a millisecond
		}
		time.Sleep(10 * time.Second)
		go c.cut(10 * time.Second)
		time.Sleep(time.Second)
		w.publish("/demo/latest", 4, 4)
		w.publish("/demo/live", 4, 4)
		time.Sleep(20 * time.Second)
		w.publish("/demo/latest", 5, 6)
		w.publish("/demo/live", 5, 6)
		time.Sleep(10 * time.Second)
		c.cut(0) // and nothing is missed
		stop()
		l.check("/demo/latest", 1, 6)
		if got := fmt.Sprint(l.numbers["/demo/live"]); got != "[1 2 3 5 6]" {
			t.Errorf("/demo/live: %s", got)
		}
		want := "[/demo/live keeps no events /demo/latest keeps 1 event, and older ones are gone /demo/live keeps no events]"
		if got := fmt.Sprint(w.gaps()); got != want {
			t.Errorf("gaps %s, want %s", got, want)
		}
		if len(w.warnings) != 1 || !strings.HasSuffix(w.warnings[0], "cannot be fetched from /demo/live") {
			t.Errorf("warnings %q", w.warnings)
		}
	})
}

// A token without a right to the REST interface still streams.
func TestOctaveRESTRefused(t *testing.T) {
	opts := quiet()
	opts.Octave.NoRestrictedREST = true
	inWorld(t, "octave", opts, func(w *world) {
		const stream = "/demo/stream"
		o := w.withREST(stream)
		o.User, o.Token = "", proto.StaticToken(octaveemu.RestrictedToken)
		o.API.User, o.API.Token = "", o.Token
		c := w.cuttable(o)
		l, stop := w.listen(o)
		w.publish(stream, 1, 5)
		time.Sleep(time.Second)
		go c.cut(10 * time.Second)
		time.Sleep(time.Second)
		w.publish(stream, 6, 6)
		time.Sleep(20 * time.Second)
		w.publish(stream, 7, 9)
		stop()
		if got := fmt.Sprint(l.numbers[stream]); got != "[1 2 3 4 5 7 8 9]" {
			t.Errorf("%s", got)
		}
		want := "/demo/stream: request http://hark-emulator.invalid/octave/v5.0/demo/event/"
		if gaps := w.gaps(); len(gaps) != 1 || !strings.HasPrefix(gaps[0], want) || !strings.Contains(gaps[0], "HTTP 403 Forbidden") {
			t.Errorf("gaps %q", gaps)
		}
		if len(w.warnings) != 1 || !strings.HasPrefix(w.warnings[0], "events that are missed while there is no connection cannot be fetched: request ") {
			t.Errorf("warnings %q", w.warnings)
		}
	})
}

// While the REST interface is away, live events wait a little and then go on; the
// gap says why it stays.
func TestOctaveRESTAway(t *testing.T) {
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
			inWorld(t, "octave", quiet(), func(w *world) {
				const stream = "/demo/stream"
				o := w.withREST(stream)
				c := w.cuttable(o)
				away := false
				through := o.API.Client.Transport
				o.API.Client.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
					switch {
					case !away:
						return through.RoundTrip(req)
					case answer == nil:
						<-req.Context().Done()
						return nil, req.Context().Err()
					}
					return answer()
				})
				l, stop := w.listen(o)
				w.publish(stream, 1, 5)
				time.Sleep(time.Second)
				away = true
				go c.cut(10 * time.Second)
				time.Sleep(time.Second)
				w.publish(stream, 6, 6)
				time.Sleep(14 * time.Second)
				w.publish(stream, 7, 9) // the connection is back, these are pushed
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
				w.publish(stream, 10, 11)
				stop()
				if got := fmt.Sprint(l.numbers[stream]); got != "[1 2 3 4 5 7 8 9 10 11]" {
					t.Errorf("in the end: %s", got)
				}
				if gaps := w.gaps(); len(gaps) != 2 || !strings.HasPrefix(gaps[0], "/demo/stream: ") || gaps[1] != "filled" {
					t.Errorf("gaps %q", gaps)
				}
			})
		})
	}
}

// A server may send what it has sent before, and out of order; without the
// optional members too.
func TestOctaveDuplicates(t *testing.T) {
	opts := quiet()
	opts.Faults = []string{"duplicate=3 absent", "reorder=4"}
	inWorld(t, "octave", opts, func(w *world) {
		const stream = "/demo/stream"
		o := w.withREST(stream)
		c := w.cuttable(o)
		l, stop := w.listen(o)
		for i := range 10 {
			w.publish(stream, i*10+1, i*10+10)
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
func TestOctaveSince(t *testing.T) {
	inWorld(t, "octave", quiet(), func(w *world) {
		const stream = "/demo/stream"
		w.publish(stream, -9, 0)
		time.Sleep(time.Minute)
		since := time.Now()
		w.publish(stream, 1, 800)
		time.Sleep(time.Minute)
		o := w.withREST(stream, "/demo/latest")
		o.Since = since
		o.Backfill = false
		c := w.cuttable(o)
		l, stop := w.listen(o)
		w.publish(stream, 801, 810)
		time.Sleep(time.Minute)
		c.cut(0)
		stop()
		l.check(stream, 1, 810)
		if gaps := w.gaps(); len(gaps) != 1 || gaps[0] != "" {
			t.Errorf("gaps %q, want one that nobody tried to fill", gaps)
		}
	})
	inWorld(t, "octave", quiet(), func(w *world) {
		const stream = "/demo/stream"
		w.publish(stream, 1, 1500)
		time.Sleep(time.Minute)
		o := w.withREST(stream)
		o.Ago = 2 * time.Minute
		l, stop := w.listen(o)
		stop()
		if l.count != 1000 {
			t.Errorf("%d events", l.count)
		}
		if gaps := w.gaps(); len(gaps) != 1 || gaps[0] != "/demo/stream keeps 1000 events, and older ones are gone" {
			t.Errorf("gaps %q", gaps)
		}
	})
}

// More is pushed while events are fetched than may be held back, and the reader
// of the output is slow.
func TestOctaveSlowFill(t *testing.T) {
	inWorld(t, "octave", quiet(), func(w *world) {
		streams := []string{"/demo/stream", "/demo/devices/tank_01/level"}
		w.publish(streams[0], 1, 900)
		w.publish(streams[1], 1, 900)
		time.Sleep(time.Minute)
		o := w.withREST(streams...)
		o.Ago = time.Hour
		w.options.Buffer = 1000
		through := w.transport
		o.API.Client = &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			time.Sleep(9 * time.Second)
			return through.RoundTrip(req)
		})}
		l, stop := w.listen(o)
		for i := range 9 {
			w.publish(streams[0], 901+i, 901+i)
			time.Sleep(10 * time.Second)
		}
		stop()
		l.check(streams[0], 1, 909)
		l.check(streams[1], 1, 900)
	})
}
