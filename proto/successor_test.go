package proto

import (
	"context"
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

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto/frame"
)

// A replacedSession asks for a successor when it gets "next", and is ready with "ready".
type replacedSession struct {
	makingSession
	svc Service
}

func (s replacedSession) Decode(m Message) (event bool, effects []Effect, _ error) {
	if string(m.Data) != "next" {
		return s.makingSession.Decode(m)
	}
	return false, []Effect{Successor{Handshake: func(ctx context.Context) (*Handshake, func(), error) {
		hs, err := s.svc.Start().Handshake(ctx)
		return hs, func() {}, err
	}}}, nil
}

// A replacedService has replacedSessions.
type replacedService struct{ makingService }

func newReplacedService() Service {
	svc := &replacedService{}
	svc.makingService = makingService{sessionService{testService, replacedSession{svc: svc}}}
	return svc
}

// A turn is a step of a server that several connections take in a fixed order.
type turns struct{ c map[int]chan struct{} }

func newTurns() *turns {
	t := &turns{make(map[int]chan struct{})}
	for i := range 20 {
		t.c[i] = make(chan struct{})
	}
	return t
}

func (t *turns) done(i int) { close(t.c[i]) }
func (t *turns) wait(i int) { <-t.c[i] }

// runReplaced runs a service whose server is serve, and returns what the run has made of it.
func runReplaced(t *testing.T, ctx context.Context, nw *network, sink Sink, change func(*Options)) (*traceRecorder, error) {
	d := &traceRecorder{}
	o := testOptions(nw)
	o.Trace = d.trace()
	if change != nil {
		change(&o)
	}
	err := Run(ctx, newReplacedService(), sink, o)
	nw.wg.Wait()
	return d, err
}

// The connection that is to be replaced is used until the stream of the new one is ready,
// and until the server has answered its close frame: no event is lost, none comes twice,
// there is no gap, and pings are answered on both.
func TestSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		step := newTurns()
		nw := &network{t: t, serve: func(n int, p *peer) {
			if n == 1 {
				p.text("ready", "a1", "next", "next", "a2")
				step.wait(0) // the other one is open, and not ready
				p.send(frame.OpPing, "old")
				if payload, _ := p.next(frame.OpPong); payload != "old" {
					t.Errorf("the old connection answers a ping with %q", payload)
				}
				p.text("send x", "a3")
				if text, _ := p.next(frame.OpText); text != "x" {
					t.Errorf("the old connection sends %q", text)
				}
				step.done(1)
				payload, _ := p.next(frame.OpClose)
				if code, _ := frame.ParseClose([]byte(payload)); code != 4321 {
					t.Errorf("closed with %d", code)
				}
				p.text("a4") // was on its way
				p.send(frame.OpClose, payload)
				step.done(2)
				return
			}
			step.done(0)
			step.wait(1)
			p.send(frame.OpPing, "new")
			if payload, _ := p.next(frame.OpPong); payload != "new" {
				t.Errorf("the new connection answers a ping with %q", payload)
			}
			p.text("b1", "ready", "b2")
			step.wait(2)
			time.Sleep(time.Minute) // of pings
			p.text("done")
			p.untilClose()
		}}
		sink := &recorder{}
		d, err := runReplaced(t, testContext(t), nw, sink, func(o *Options) { o.PingInterval, o.PingTimeout = 20*time.Second, 0 })
		if err != nil {
			t.Error(err)
		}
		got := sink.got()
		slices.Sort(got)
		if diff := cmp.Diff([]string{"a1", "a2", "a3", "a4", "b1", "b2", "done", "last"}, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"connecting", "connected", "ready", "connecting", "connected", "ready", "disconnected"}, d.states); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		for i, want := range []int{1, 1, 1, 2, 2, 2, 2} {
			if i < len(d.statuses) && d.statuses[i].Attempt != want {
				t.Errorf("state %d: attempt %d, want %d", i, d.statuses[i].Attempt, want)
			}
		}
	})
}

// gaps are the attempts with which a gap was reported.
func (d *traceRecorder) gaps() (attempts []int) {
	for _, s := range d.statuses {
		if _, ok := s.State.(Gap); ok {
			attempts = append(attempts, s.Attempt)
		}
	}
	return attempts
}

// What becomes of a successor that cannot be opened, or is lost before it is ready, and of
// an old connection that does not last until then.
func TestSuccessorFaults(t *testing.T) {
	busy := func(n int, _ *http.Request) (*http.Response, error) {
		if n == 2 || n == 3 {
			return answer(503, nil, ""), nil
		}
		return nil, nil
	}
	tests := []struct {
		name   string
		refuse func(n int, _ *http.Request) (*http.Response, error)
		serve  func(n int, p *peer, step *turns)
		events string
		states string // after the first ready
		warns  string
	}{
		{"refused twice", busy, func(n int, p *peer, step *turns) {
			if n == 1 {
				p.text("ready", "next")
				payload, _ := p.next(frame.OpClose)
				p.text("a")
				p.send(frame.OpClose, payload)
				return
			}
			p.text("ready", "b")
			time.Sleep(time.Second)
			p.text("done")
			p.untilClose()
		}, "a b done last", "connecting retrying connecting retrying connecting connected ready disconnected", ""},
		{"refused for good", func(n int, _ *http.Request) (*http.Response, error) {
			if n == 2 {
				return answer(401, nil, ""), nil
			}
			return nil, nil
		}, func(n int, p *peer, step *turns) {
			if n == 1 {
				p.text("ready", "next")
				time.Sleep(5 * time.Second)
				p.text("a")
				return // cut
			}
			p.text("ready", "b", "done")
			p.untilClose()
		}, "a b done last", "connecting disconnected retrying connecting connected ready gap disconnected",
			"the connection that the service asked for cannot be opened: upgrade ws://test/stream: HTTP 401 Unauthorized; the old one goes on until it ends"},
		{"lost before it is ready", nil, func(n int, p *peer, step *turns) {
			switch n {
			case 1:
				p.text("ready", "next")
				step.wait(0)
				time.Sleep(100 * time.Millisecond)
				p.text("a")
				p.untilClose()
			case 2:
				p.text("b1")
				step.done(0)
			case 3:
				p.text("ready", "b2")
				time.Sleep(time.Second)
				p.text("done")
				p.untilClose()
			}
		}, "a b1 b2 done last", "connecting connected retrying connecting connected ready disconnected", ""},
		{"the old one is lost before", nil, func(n int, p *peer, step *turns) {
			if n == 1 {
				p.text("ready", "next", "a")
				step.wait(0)
				time.Sleep(time.Second)
				return
			}
			step.done(0)
			time.Sleep(2 * time.Second)
			p.text("ready", "b", "done")
			p.untilClose()
		}, "a b done last", "connecting connected disconnected ready gap disconnected", ""},
		{"the old one is lost at once", nil, func(n int, p *peer, step *turns) {
			if n == 1 {
				p.text("ready", "next", "a")
				return
			}
			p.text("ready", "b", "done")
			p.untilClose()
		}, "a b done last", "disconnected connecting connected ready gap disconnected", ""},
		{"the old one is lost while it is dialed", func(n int, _ *http.Request) (*http.Response, error) {
			if n == 2 {
				time.Sleep(5 * time.Second)
			}
			return nil, nil
		}, func(n int, p *peer, step *turns) {
			switch n {
			case 1:
				p.text("ready", "next", "a")
				time.Sleep(3 * time.Second)
				return
			case 2:
				p.text("ready", "b", "done")
			}
			p.untilClose()
		}, "a b done last", "disconnected connecting connected ready gap disconnected", ""},
		{"lost before both are there", func(n int, _ *http.Request) (*http.Response, error) {
			if n == 2 {
				time.Sleep(5 * time.Second)
				return answer(503, nil, ""), nil
			}
			return nil, nil
		}, func(n int, p *peer, step *turns) {
			if n == 1 {
				p.text("ready", "next", "a")
				return
			}
			p.text("ready", "b", "done")
			p.untilClose()
		}, "a b done last", "disconnected connecting retrying connecting connected ready gap disconnected", ""},
		{"the old one is closed after", nil, func(n int, p *peer, step *turns) {
			if n == 1 {
				p.text("ready", "next", "a")
				step.wait(0)
				time.Sleep(time.Millisecond)
				p.send(frame.OpClose, string(frame.ClosePayload(4004, "too late")))
				p.untilClose()
				return
			}
			p.text("ready", "b")
			step.done(0)
			time.Sleep(time.Second)
			p.text("done")
			p.untilClose()
		}, "a b done last", "connecting connected ready disconnected", ""},
		{"the old one does not answer", nil, func(n int, p *peer, step *turns) {
			if n == 1 {
				p.text("ready", "next", "a")
				time.Sleep(time.Hour)
				return
			}
			p.text("ready", "b")
			time.Sleep(time.Minute)
			p.text("done")
			p.untilClose()
		}, "a b done last", "connecting connected ready disconnected", ""},
		{"after a gap", nil, func(n int, p *peer, step *turns) {
			switch n {
			case 1:
				p.text("ready", "a")
				return // cut
			case 2:
				p.text("ready", "b", "next")
			case 3:
				p.text("ready", "done")
			}
			p.untilClose()
		}, "a b done last", "disconnected retrying connecting connected ready gap connecting connected ready disconnected", ""},
		{"and again", nil, func(n int, p *peer, step *turns) {
			p.text("ready", fmt.Sprint("e", n))
			if n < 4 {
				p.text("next")
			} else {
				p.text("done")
			}
			p.untilClose()
		}, "done e1 e2 e3 e4 last", "connecting connected ready retrying connecting connected ready retrying connecting connected ready disconnected", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				step := newTurns()
				nw := &network{t: t, refuse: tt.refuse, serve: func(n int, p *peer) { tt.serve(n, p, step) }}
				sink := &recorder{}
				d, err := runReplaced(t, testContext(t), nw, sink, nil)
				if err != nil {
					t.Error(err)
				}
				got := sink.got()
				slices.Sort(got)
				if got := strings.Join(got, " "); got != tt.events {
					t.Errorf("events %s, want %s", got, tt.events)
				}
				if got := strings.Join(d.states[3:], " "); got != tt.states {
					t.Errorf("states %s\nwant   %s", got, tt.states)
				}
				if got := strings.Join(d.warnings, "; "); got != tt.warns {
					t.Errorf("warnings %s", got)
				}
			})
		})
	}
}

// Both connections are closed when the run is to end.
func TestSuccessorStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		codes := make(chan int, 2)
		nw := &network{t: t, serve: func(n int, p *peer) {
			if n == 1 {
				p.text("ready", "next", "a")
			}
			_, code := p.untilClose()
			codes <- code
		}}
		ctx, cancel := canceled(errSignal)
		time.AfterFunc(time.Minute, cancel)
		start := time.Now()
		if _, err := runReplaced(t, ctx, nw, &recorder{}, nil); !errors.Is(err, errSignal) {
			t.Error(err)
		}
		if a, b := <-codes, <-codes; a != 4321 || b != 4321 {
			t.Errorf("closed with %d and %d", a, b)
		}
		if d := time.Since(start); d != time.Minute {
			t.Errorf("ended after %s", d)
		}
	})
}

// While both are full, what waits is as bounded as with one; nothing is lost, and neither
// connection waits for the other for ever.
func TestSuccessorMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, each, count = 300 << 10, 200 << 10, 20
		text := strings.Repeat("x", each)
		nw := &network{t: t, serve: func(n int, p *peer) {
			if n == 1 {
				p.text("ready", "next")
			}
			for range count {
				p.text(text)
			}
			if n == 2 {
				p.text("ready", "done")
			}
			p.untilClose()
		}}
		sink := &recorder{gate: make(chan struct{})}
		go func() {
			time.Sleep(time.Minute)
			close(sink.gate)
		}()
		d, err := runReplaced(t, testContext(t), nw, sink, func(o *Options) { o.Buffer = limit })
		if err != nil {
			t.Error(err)
		}
		if n := len(sink.got()); n != 2*count+2 {
			t.Errorf("%d events, want %d", n, 2*count+2)
		}
		if len(d.gaps()) > 0 || len(d.warnings) > 0 {
			t.Errorf("gaps %v, warnings %q", d.gaps(), d.warnings)
		}
	})
}

// Two readers share the room of the queue, and one that holds room while it waits does
// not keep the other waiting.
func TestReserveInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueueTest(t, 1000<<10, OverflowBlock)
		settle := func() {
			time.Sleep(time.Minute) // a reader waits for a busy sink first
			synctest.Wait()
		}
		a, b := share{q.queue}, share{q.queue}
		a.Reserve(0, 400<<10, 1, q.stop)
		b.Reserve(0, 400<<10, 1, q.stop)
		done := make(chan string, 2)
		grow := func(name string, s share) {
			go func() {
				s.Reserve(400<<10, 900<<10, 1, q.stop)
				done <- name
			}()
			settle()
		}
		grow("a", a)
		if len(done) > 0 || !q.waiting() {
			t.Error("it got room that the other one has")
		}
		grow("b", b)
		if len(done) != 1 || <-done != "a" || q.bytes != 1300<<10 {
			t.Errorf("each waits for the other: %d bytes", q.bytes)
		}
		a.Release(900 << 10)
		settle()
		if len(done) != 1 || q.bytes != 900<<10 {
			t.Errorf("%d bytes", q.bytes)
		}
		b.Release(900 << 10)

		// One that is stopped while it waits for its turn ends.
		a.Reserve(0, 900<<10, 1, q.stop)
		q.add(200)
		go a.Reserve(900<<10, 2000<<10, 1, q.stop)
		settle()
		stop := make(chan struct{})
		ended := make(chan bool, 1)
		go func() { ended <- b.Reserve(0, 10, 1, stop) }()
		settle()
		if len(ended) > 0 {
			t.Error("it has not waited for its turn")
		}
		close(stop)
		if ok := <-ended; !ok {
			t.Error("it has no reservation")
		}
		close(q.stop)
		settle()
		if q.bytes != 2000<<10+10+200 || q.behind != 0 {
			t.Errorf("%d bytes, %d behind", q.bytes, q.behind)
		}
	})
}

// A peer that accepts no pings gets none.
func TestNoPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			time.Sleep(time.Hour)
			p.send(frame.OpClose, string(frame.ClosePayload(1000, "")))
			for f := range p.in {
				if f.Opcode == frame.OpPing {
					t.Error("a ping was sent")
				}
			}
		}}
		o := testOptions(nw)
		o.PingInterval, o.Retries = 20*time.Second, 0
		if err := Run(testContext(t), quietService{testService}, &recorder{}, o); err != nil {
			t.Error(err)
		}
		nw.wg.Wait()
	})
}

type quietService struct{ *rawService }

func (s quietService) Start() Source {
	return SourceFunc(func(ctx context.Context) (*Handshake, error) {
		hs, err := s.handshake(ctx)
		hs.NoPings = true
		return hs, err
	})
}

// A haltingSink takes a few seconds for some events.
type haltingSink struct {
	recorder
	slow func() bool
}

func (s *haltingSink) Event(ev *Event) error {
	if s.slow() {
		time.Sleep(6 * time.Second)
	}
	return s.recorder.Event(ev)
}

// Under random faults, from a seed, each event that was sent is passed on once: those of
// old connections, of new ones before they are ready, and of those that fail.
func TestSuccessorsAtRandom(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			random := rand.New(rand.NewPCG(seed, 1))
			chance := func(n int) bool {
				mu.Lock()
				defer mu.Unlock()
				return random.IntN(n) == 0
			}
			var sent []string
			last, ended := 0, false
			event := func(p *peer) {
				mu.Lock()
				i := len(sent)
				sent = append(sent, "")
				mu.Unlock()
				p.send(frame.OpText, fmt.Sprint(i))
				mu.Lock()
				defer mu.Unlock()
				if !ended { // otherwise nothing more is expected
					sent[i] = fmt.Sprint(i)
				}
			}
			start := time.Now()
			nw := &network{t: t}
			nw.refuse = func(int, *http.Request) (*http.Response, error) {
				if chance(5) {
					return answer(503, nil, ""), nil
				}
				return nil, nil
			}
			nw.serve = func(n int, p *peer) {
				mu.Lock()
				last = n
				mu.Unlock()
				for ready := false; ; {
					select {
					case f, ok := <-p.in:
						if !ok {
							return
						}
						if f.Opcode == frame.OpClose {
							event(p) // was on its way
							p.send(frame.OpClose, string(f.Payload))
							return
						}
					case <-time.After(50 * time.Millisecond):
					}
					mu.Lock()
					over := n == last && time.Since(start) > 30*time.Second
					mu.Unlock()
					switch event(p); {
					case over:
						mu.Lock()
						ended = true
						mu.Unlock()
						p.text("done")
						p.untilClose()
						return
					case !ready && chance(5):
						p.text("ready")
						ready = true
					case chance(15):
						p.text("next")
					case chance(40):
						return // cut
					}
				}
			}
			sink := &haltingSink{slow: func() bool { return seed%2 == 1 && chance(40) }}
			_, err := runReplaced(t, testContext(t), nw, sink, func(o *Options) {
				o.Retries, o.RetryWindow, o.Backoff.Max, o.Buffer = 10_000, 0, time.Second, 1000
			})
			if err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			want := slices.DeleteFunc(sent, func(s string) bool { return s == "" })
			got := slices.DeleteFunc(sink.got(), func(s string) bool { return s == "done" || s == "last" })
			most := slices.Clone(got)
			slices.Sort(most)
			if once := slices.Compact(slices.Clone(most)); len(once) != len(most) {
				t.Errorf("seed %d: %d events, of which %d are different", seed, len(most), len(once))
			}
			got = slices.DeleteFunc(got, func(s string) bool { return !slices.Contains(want, s) })
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("seed %d: events (-sent +passed on):\n%s", seed, diff)
			}
		})
	}
}

// What the old connection still sends is read, however long the sink takes.
func TestSuccessorIsDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count = 50
		nw := &network{t: t, serve: func(n int, p *peer) {
			if n == 2 {
				p.text("ready")
				time.Sleep(time.Minute)
				p.text("done")
				p.untilClose()
				return
			}
			p.text("ready", "next")
			payload, _ := p.next(frame.OpClose)
			for range count {
				p.text(strings.Repeat("x", 100))
			}
			p.send(frame.OpClose, payload)
		}}
		sink := &recorder{gate: make(chan struct{})}
		time.AfterFunc(30*time.Second, func() { close(sink.gate) })
		d, err := runReplaced(t, testContext(t), nw, sink, func(o *Options) { o.Buffer = 1000 })
		if err != nil {
			t.Error(err)
		}
		if n := len(sink.got()); n != count+2 || len(d.gaps()) > 0 {
			t.Errorf("%d events, want %d; gaps %v", n, count+2, d.gaps())
		}
	})
}

// An old connection that breaks while it is being closed leaves a gap; one that ends
// without a close frame does not.
func TestSuccessorBreaks(t *testing.T) {
	for _, tt := range []struct {
		broken bool
		want   []int
	}{{false, nil}, {true, []int{2}}} {
		synctest.Test(t, func(t *testing.T) {
			nw := &network{t: t}
			nw.serve = func(n int, p *peer) {
				if n == 2 {
					p.text("ready")
					time.Sleep(time.Second)
					p.text("done")
					p.untilClose()
					return
				}
				p.text("ready", "next")
				p.next(frame.OpClose)
				if tt.broken {
					p.conn.Write([]byte{0x83, 0}) // no frame of RFC 6455
				}
			}
			d, err := runReplaced(t, testContext(t), nw, &recorder{}, nil)
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tt.want, d.gaps()); diff != "" {
				t.Errorf("broken %t: gaps (-want +got):\n%s", tt.broken, diff)
			}
		})
	}
}
