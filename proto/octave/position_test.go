package octave_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/octave"
	"github.com/hark-cli/hark/proto/prototest"
)

// A process is one that may be killed: a sink that moves a position over the events that
// it has taken, and stores it now and then.
type process struct {
	*ledger
	position proto.Position
	save     func(json.RawMessage)
	saved    int // number of events at the last save
	taken    int
	kill     int // end after so many events
	every    int // save after so many events
}

var errKilled = errors.New("killed")

func (p *process) Event(ev *proto.Event) error {
	if ev.Position == nil {
		p.t.Errorf("event %d has no position", ev.Seq)
	}
	if p.taken == p.kill {
		return errKilled
	}
	if err := p.ledger.Event(ev); err != nil {
		return err
	}
	p.taken++
	return p.Position(ev.Position)
}

// Position implements proto.PositionSink.
func (p *process) Position(v any) error {
	p.position.Move(v)
	if p.taken == 0 || p.taken-p.saved >= p.every {
		p.saved = p.taken
		if b := p.position.JSON(); b != nil {
			p.save(slices.Clone(b))
		}
	}
	return nil
}

// A process is killed at random moments: while it fetches events, while they arrive, and
// before the first one; it continues from the position that it has stored. Each event is
// printed, and again only if it was printed after the last save.
func TestResume(t *testing.T) {
	streams := []string{"/demo/stream", "/demo/devices/pump_01/level"}
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inWorld(t, quiet(), func(w *world) {
				r := rand.New(rand.NewPCG(seed, 7))
				var stored json.RawMessage
				every := 1 + r.IntN(10)*int(seed%2)
				var wg sync.WaitGroup
				stop := make(chan struct{})
				published := map[string]int{}
				begun := make(chan struct{})
				wg.Go(func() {
					<-begun
					p := rand.New(rand.NewPCG(seed, 8))
					for range 100 {
						s := streams[p.IntN(len(streams))]
						n := 1 + p.IntN(3)
						publish(w, s, published[s]+1, published[s]+n)
						published[s] += n
						time.Sleep(time.Duration(p.ExpFloat64() * float64(400*time.Millisecond)))
					}
					close(stop)
				})
				all := make(map[string][]int)
				kills, repeats := 0, 0
				for last := false; !last; {
					select {
					case <-stop:
						last = true
					default:
					}
					o := withREST(w, streams...)
					o.BackfillDelay = time.Duration(r.IntN(2)) * 5 * time.Second
					svc, position, err := o.Resume(stored)
					if err != nil {
						t.Fatal(err)
					}
					p := &process{ledger: newLedger(t, 0), position: position, every: every, kill: -1, save: func(b json.RawMessage) {
						if stored == nil {
							close(begun)
						}
						stored = b
					}}
					ctx, cancel := context.WithCancelCause(w.T.Context())
					if last {
						time.AfterFunc(time.Minute, func() { cancel(prototest.ErrEnough) })
					} else {
						kills++
						p.kill = r.IntN(20)
						time.AfterFunc(time.Second+time.Duration(r.IntN(7000))*time.Millisecond, func() { cancel(errKilled) })
					}
					if err := proto.Run(ctx, svc, p, w.Options); !errors.Is(err, errKilled) && !errors.Is(err, prototest.ErrEnough) {
						t.Errorf("Run: %v", err)
					}
					cancel(nil)
					time.Sleep(10 * time.Millisecond) // or the clock might stand still
					for s, numbers := range p.numbers {
						for _, n := range numbers {
							if slices.Contains(all[s], n) {
								repeats++
							}
						}
						all[s] = append(all[s], numbers...)
					}
				}
				wg.Wait()
				for _, s := range streams {
					for n := 1; n <= published[s]; n++ {
						if !slices.Contains(all[s], n) {
							t.Errorf("%s: event %d was lost", s, n)
						}
					}
				}
				if repeats > kills*(every-1) {
					t.Errorf("%d repeats after %d kills, saved after each %d events", repeats, kills, every)
				}
				for _, g := range gaps(w) {
					if g != "filled" && !strings.HasPrefix(g, "the run ended") {
						t.Errorf("gap: %s", g)
					}
				}
				t.Logf("%d kills, %d repeats, saved after each %d events", kills, repeats, every)
			})
		})
	}
}

// What the service does not keep any more is a gap.
func TestResumeEvicted(t *testing.T) {
	inWorld(t, quiet(), func(w *world) {
		const stream = "/demo/stream" // keeps 1000 events
		var stored json.RawMessage
		run := func(limit int) *ledger {
			svc, position, err := withREST(w, stream).Resume(stored)
			if err != nil {
				t.Fatal(err)
			}
			p := &process{ledger: newLedger(t, limit), position: position, kill: -1, every: 1, save: func(b json.RawMessage) { stored = b }}
			ctx, cancel := context.WithTimeoutCause(w.T.Context(), time.Minute, prototest.ErrEnough)
			defer cancel()
			w.Options.Resumed = time.Now().Add(-time.Minute)
			if err := proto.Run(ctx, svc, p, w.Options); !errors.Is(err, prototest.ErrEnough) {
				t.Errorf("Run: %v", err)
			}
			return p.ledger
		}
		run(0)
		publish(w, stream, 1, 10)
		run(0).check(stream, 1, 10)
		time.Sleep(time.Hour)
		publish(w, stream, 11, 1100)
		run(0).check(stream, 101, 1100)
		if g := gaps(w); !strings.Contains(g[len(g)-1], "keeps 1000 events, and older ones are gone") {
			t.Errorf("gaps: %v", g)
		}
	})
}

// A position that is not one of Octave is an error.
func TestResumeErrors(t *testing.T) {
	inWorld(t, quiet(), func(w *world) {
		for text, want := range map[string]string{
			`7`:                              "not one of Octave",
			`{"/a":null}`:                    "the position in /a",
			`{"/a":{"mark":1}}`:              "the position in /a",
			`{"/a":{"mark":"x"}}`:            "not one of Octave",
			`{"/a":{"mark":1700,"from":15}}`: "",
		} {
			_, _, err := withREST(w, "/a").Resume([]byte(text))
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: %v, want %q", text, err, want)
			}
		}
		o := withREST(w, "/a")
		o.API.Base = ""
		if _, _, err := o.Resume(nil); err == nil || !strings.Contains(err.Error(), "--api") {
			t.Errorf("without a REST interface: %v", err)
		}
	})
}

// Even if the REST interface shows events late, does not answer, and nodes' clocks differ,
// no event is missing outside of a reported gap when a process is killed and continues.
func TestResumeLateStore(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			store := lateStore{lag: []time.Duration{800, 3000}[seed%2] * time.Millisecond, dates: true, capacity: []int{100_000, 300}[seed/2]}
			synctest.Test(t, func(t *testing.T) { store.resume(t, seed) })
		})
	}
}

func (s *lateStore) resume(t *testing.T, seed uint64) {
	s.rand, s.stored = rand.New(rand.NewPCG(seed, 1)), map[string][]*lateEvent{}
	n := emulator.NewNetwork(s)
	defer n.Close()
	transport := &http.Transport{DialContext: n.DialContext}
	defer transport.CloseIdleConnections()
	const base = "http://octave.example"
	streams := []string{"s000000000000000000000001", "s000000000000000000000002"}
	token := prototest.StaticToken(secret.Value("token"))
	client := &http.Client{Transport: transport}
	o := &octave.Service{
		Endpoint: base, User: "user", Company: "acme", Token: token, Streams: streams,
		AckTimeout: 3 * time.Second, Heartbeat: 20 * time.Second, Client: client, Backfill: true, BackfillDelay: 5 * time.Second,
		API: &octave.API{Base: base, User: "user", Company: "acme", Token: token, Client: client, Timeout: 10 * time.Second},
	}
	var gaps []proto.Gap
	options := proto.DefaultOptions()
	options.Transport, options.Retries = transport, 10_000
	options.Trace.Status = func(st proto.Status) {
		// What a killed process has not filled, the next one must fill.
		if g, ok := st.State.(proto.Gap); ok && !g.Filled && !strings.HasPrefix(g.Unfilled, "the run ended") {
			gaps = append(gaps, g)
		}
	}
	var begun time.Time
	makes, kills := rand.New(rand.NewPCG(seed, 2)), rand.New(rand.NewPCG(seed, 3))
	end := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-end:
				return
			case <-time.After(time.Duration(makes.IntN(60)) * time.Millisecond):
			}
			s.make(streams[makes.IntN(2)])
		}
	})
	var stored json.RawMessage
	seen := make(map[string]int)
	for run := range 30 {
		svc, position, err := o.Resume(stored)
		if err != nil {
			t.Fatal(err)
		}
		p := &process{position: position, every: 1, kill: -1, save: func(b json.RawMessage) {
			if begun.IsZero() {
				begun = time.Now()
			}
			stored, options.Resumed = b, time.Now()
		}}
		tally := idTally{seen: make(map[string]int)}
		ctx, cancel := context.WithCancelCause(t.Context())
		after := time.Duration(kills.ExpFloat64()*3000) * time.Millisecond
		if run == 29 {
			close(end)
			after = time.Minute
		}
		time.AfterFunc(after, func() { cancel(errKilled) })
		sink := &tallied{process: p, tally: &tally}
		if err := proto.Run(ctx, svc, sink, options); !errors.Is(err, errKilled) {
			t.Errorf("Run: %v", err)
		}
		for id, n := range tally.seen {
			seen[id] += n
		}
		time.Sleep(time.Duration(kills.IntN(4000)) * time.Millisecond)
	}
	wg.Wait()
	for _, e := range s.made {
		switch covered := slices.ContainsFunc(gaps, func(g proto.Gap) bool {
			const slack = 50 * time.Millisecond
			return !e.made.Before(g.From.Add(-slack)) && !e.made.After(g.To.Add(slack))
		}); {
		case seen[e.ID] > 1:
			t.Errorf("%s came %d times", e.ID, seen[e.ID])
		case seen[e.ID] == 0 && e.made.After(begun) && !covered:
			t.Errorf("%s of %s, made %s, is missing outside of all gaps", e.ID, e.StreamID, e.made.Format("04:05.000"))
		}
	}
	t.Logf("%d events, %d gaps", len(s.made), len(gaps))
}

// A tallied process counts events instead of numbers.
type tallied struct {
	*process
	tally *idTally
}

func (p *tallied) Event(ev *proto.Event) error {
	if err := p.tally.Event(ev); err != nil {
		return err
	}
	p.taken++
	return p.Position(ev.Position)
}

func (p *tallied) Flush() error { return nil }
