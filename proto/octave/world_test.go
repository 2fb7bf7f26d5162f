package octave_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	octaveemu "github.com/hark-cli/hark/internal/emulator/octave"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/octave"
	"github.com/hark-cli/hark/proto/prototest"
)

// withREST returns a service that fetches missed events.
func withREST(w *world, streams ...string) *octave.Service {
	return &octave.Service{
		Endpoint: w.Env["HARK_OCTAVE_ENDPOINT"], User: w.Env["HARK_OCTAVE_USER"], Company: w.Env["HARK_OCTAVE_COMPANY"],
		Token: token(w), Client: &http.Client{Transport: w.Transport},
		Streams: streams, AckTimeout: 10 * time.Second, Heartbeat: 20 * time.Second,
		API: api(w), Backfill: true,
	}
}

func token(w *world) proto.TokenSource {
	return prototest.StaticToken(secret.Value(w.Env["HARK_OCTAVE_TOKEN"]))
}

func api(w *world) *octave.API {
	return &octave.API{
		Base: w.Env["HARK_OCTAVE_API"], User: w.Env["HARK_OCTAVE_USER"], Company: w.Env["HARK_OCTAVE_COMPANY"],
		Token: token(w), Client: &http.Client{Transport: w.Transport},
		Timeout: 10 * time.Second,
	}
}

type world = prototest.World

// emulated returns the options of an emulator.
type emulated struct {
	emulator.Options
	Octave octaveemu.Options
}

// quiet starts an emulator that generates no events.
func quiet() emulated {
	opts := emulated{emulator.DefaultOptions(), octaveemu.DefaultOptions()}
	opts.Rate = 0
	return opts
}

// inWorld runs f in a bubble with an emulator.
func inWorld(t *testing.T, opts emulated, f func(*world)) {
	t.Helper()
	prototest.InWorld(t, opts.Options, octaveemu.Service(opts.Octave), f)
}

// publish writes events numbered from first to last into a stream.
func publish(w *world, stream string, first, last int) {
	w.T.Helper()
	api := api(w)
	for n := first; n <= last; n++ {
		if _, err := api.Publish(context.Background(), stream, json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))); err != nil {
			w.T.Errorf("publish: %v", err)
		}
	}
}

// A ledger is a sink that records the number of each event, by stream.
type ledger struct {
	t  *testing.T
	mu sync.Mutex
	// numbers are those of elems.n, dates the creationDates.
	numbers map[string][]int
	dates   map[string][]int64
	count   int
	end     int // end the run after that many events; 0 for never
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
		return prototest.ErrEnough
	}
	return nil
}

func (l *ledger) Flush() error { return nil }

// check compares the recorded numbers of a stream with those from first to last.
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

// A cutter is a DialContext that can close the connections that it has made.
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

// cut closes all connections; new ones fail for down.
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

// cuttable gives the client a network separate from that of publish.
func cuttable(w *world, o *octave.Service) *cutter {
	c := &cutter{dial: w.Transport.DialContext}
	t := &http.Transport{DialContext: c.DialContext}
	w.Options.Transport = t
	o.Client, o.API.Client = &http.Client{Transport: t}, &http.Client{Transport: t}
	w.T.Cleanup(t.CloseIdleConnections)
	w.Options.Retries, w.Options.Backoff = 1000, proto.Backoff{Base: time.Second, Max: 2 * time.Second}
	return c
}

// slow makes requests take up to two seconds.
func slow(through http.RoundTripper, r *rand.Rand) *http.Client {
	var mu sync.Mutex
	return &http.Client{Transport: prototest.RoundTrip(func(req *http.Request) (*http.Response, error) {
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

// gaps returns the reports of gaps: "filled", or the reason.
func gaps(w *world) []string {
	var out []string
	for _, s := range w.Statuses {
		gap, ok := s.State.(proto.Gap)
		if !ok {
			continue
		}
		if gap.From.IsZero() || gap.To.Before(gap.From) {
			w.T.Errorf("a gap from %s to %s", gap.From, gap.To)
		}
		if gap.Filled {
			out = append(out, "filled")
		} else {
			out = append(out, gap.Unfilled)
		}
	}
	return out
}
