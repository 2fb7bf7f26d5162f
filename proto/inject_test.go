package proto

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A filler is a service for one run, and its session: each message is an event, and on each
// connection do runs once after it is live.
type filler struct {
	do    func(ctx context.Context) Work
	times int // that do is wanted on each connection
	bulk  bool
	held  []Message
	ready []Effect
	beats atomic.Int64
	left  int
	asked atomic.Int64
}

func (f *filler) Name() string { return "filler" }

func (f *filler) Start() Source { return f }

func (f *filler) Handshake(context.Context) (*Handshake, error) {
	f.left = f.times
	return &Handshake{URL: "ws://test/", Address: "ws://test/", Session: f}, nil
}

func (f *filler) OnOpen(time.Time) []Effect                          { return f.ready }
func (f *filler) Decode(m Message) (event bool, _ []Effect, _ error) { return true, nil, nil }
func (f *filler) OnClose() []Frame                                   { return nil }
func (f *filler) Drain() []Message                                   { return f.held }

func (f *filler) Tick(now time.Time) (Work, error) {
	f.beats.Add(1)
	w := Work{Next: now.Add(time.Second), Bulk: f.bulk}
	if f.left > 0 {
		w.Do = func(ctx context.Context) func(time.Time) (Work, error) {
			w := f.do(ctx)
			return func(time.Time) (Work, error) { f.left--; f.asked.Add(1); return w, nil }
		}
	}
	return w, nil
}

func textMessage(text string) Message { return Message{Data: []byte(text), Time: noon} }

// Events added by a session have their own time, and Tick is called while they are
// fetched.
func TestInject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) { p.text("pushed"); p.untilClose() }}
		data := []byte("fetched")
		f := &filler{times: 1, ready: []Effect{StreamReady{}}, held: []Message{textMessage("held")}}
		f.do = func(context.Context) Work {
			before := f.beats.Load()
			time.Sleep(10*time.Second + time.Millisecond)
			if n := f.beats.Load() - before; n < 10 {
				t.Errorf("asked what is due %d times in 10s of work", n)
			}
			return Work{Effects: []Effect{Inject{{Data: data, Time: noon}, textMessage("and more")}}}
		}
		ctx, cancel := canceled(errEnough)
		go func() { time.Sleep(time.Minute); clear(data); cancel() }()
		var sink recorder
		if err := Run(ctx, f, &sink, testOptions(nw)); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		if diff := cmp.Diff([]string{"pushed", "fetched", "and more", "held"}, sink.events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if !sink.times[1].Equal(noon) {
			t.Errorf("receive time %s", sink.times[1])
		}
		nw.wg.Wait()
	})
}

// Bulk work waits for the sink, and for nothing else.
func TestBulkWaitsForTheSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) { p.text("0123456789"); p.untilClose() }}
		f := &filler{times: 3, ready: []Effect{StreamReady{}}, bulk: true}
		f.do = func(context.Context) Work {
			return Work{Effects: []Effect{Inject{textMessage(fmt.Sprintf("page number %d", f.asked.Load()))}}}
		}
		o := testOptions(nw)
		o.Buffer = 10
		gate := make(chan struct{})
		sink := recorder{gate: gate, limit: 4}
		go func() {
			for i := range 4 {
				time.Sleep(time.Minute)
				if f.asked.Load() > int64(i+1) { // what was begun while there was room
					t.Errorf("%d pages were fetched while event %d waited", f.asked.Load(), i+1)
				}
				gate <- struct{}{}
			}
		}()
		if err := Run(t.Context(), f, &sink, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		nw.wg.Wait()
	})
}

// Bulk work goes on while the next attempt is waited for: connections that are shorter
// than a request do not keep fetched events away. A gap that it fills is over then.
func TestBulkOutlivesTheConnection(t *testing.T) {
	run := func(t *testing.T, bulk bool, work time.Duration) (events []string, gaps []Gap) {
		synctest.Test(t, func(t *testing.T) {
			nw := &network{t: t, serve: func(int, *peer) { time.Sleep(time.Second) }}
			f := &filler{times: 1, ready: []Effect{StreamReady{Filling: true}}, bulk: bulk}
			f.do = func(ctx context.Context) Work {
				select {
				case <-time.After(work):
					return Work{Effects: []Effect{Inject{textMessage("fetched")}, GapReports{{Filled: true}}}}
				case <-ctx.Done():
					return Work{}
				}
			}
			o := testOptions(nw)
			o.Backoff, o.Retries = Backoff{Base: 10 * time.Second, Max: 10 * time.Second}, 3
			var d traceRecorder
			o.Trace = d.trace()
			var sink recorder
			if err := Run(t.Context(), f, &sink, o); !is[*Failure](err) {
				t.Errorf("Run: %v", err)
			}
			for _, s := range d.statuses {
				if gap, ok := s.State.(Gap); ok {
					gaps = append(gaps, gap)
				}
			}
			events = sink.events
			nw.wg.Wait()
		})
		return events, gaps
	}
	// Four connections of a second. No wait follows the last one.
	events, gaps := run(t, true, 3*time.Second)
	if diff := cmp.Diff([]string{"fetched", "fetched", "fetched"}, events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if len(gaps) != 2 || !gaps[0].Filled || !gaps[1].Filled || gaps[1].From.Before(gaps[0].To) {
		t.Errorf("gaps %+v, want two that were filled, one after the other", gaps)
	}
	for name, tt := range map[string]struct {
		bulk bool
		work time.Duration
	}{"longer than the wait": {true, time.Minute}, "other work": {false, 3 * time.Second}} {
		if events, _ := run(t, tt.bulk, tt.work); len(events) > 0 {
			t.Errorf("%s: events %q", name, events)
		}
	}
}

func gapsOf(d *traceRecorder, start time.Time) (out []string) {
	for _, s := range d.statuses {
		if gap, ok := s.State.(Gap); ok {
			out = append(out, fmt.Sprintf("%s: %s to %s, filled %v, %s",
				s.Time.Sub(start), gap.From.Sub(start), gap.To.Sub(start), gap.Filled, gap.Unfilled))
		}
	}
	return out
}

// A gap is reported when the session reports its result, and stays open if the
// connection is lost before.
func TestGapReports(t *testing.T) {
	run := func(t *testing.T, report []GapReport, work time.Duration) []string {
		var got []string
		synctest.Test(t, func(t *testing.T) {
			nw := &network{t: t, serve: func(n int, p *peer) {
				time.Sleep(10*time.Second + 500*time.Millisecond)
				if n > 2 {
					p.untilClose()
				}
			}}
			f := &filler{times: 1, ready: []Effect{StreamReady{Filling: true}}}
			f.do = func(ctx context.Context) Work {
				select {
				case <-time.After(work):
				case <-ctx.Done():
				}
				return Work{Effects: []Effect{GapReports(report)}}
			}
			o := testOptions(nw)
			o.Backoff = Backoff{}
			var d traceRecorder
			o.Trace = d.trace()
			ctx, cancel := canceled(errEnough)
			start := time.Now()
			go func() { time.Sleep(32 * time.Second); cancel() }()
			if err := Run(ctx, f, new(recorder), o); !errors.Is(err, errEnough) {
				t.Errorf("Run: %v", err)
			}
			got = gapsOf(&d, start)
			nw.wg.Wait()
		})
		return got
	}
	for _, tt := range []struct {
		name   string
		report []GapReport
		work   time.Duration
		want   []string
	}{
		{"filled at once", []GapReport{{Filled: true}}, time.Second, []string{
			"11.5s: 9s to 10.5s, filled true, ", "22s: 19.5s to 21s, filled true, ",
		}},
		{"parts of it", []GapReport{{Reason: "no right"}, {From: noon, To: noon.Add(time.Second), Reason: "gone"}}, time.Second, []string{
			"", "11.5s: 9s to 10.5s, filled false, no right", "", "22s: 19.5s to 21s, filled false, no right", "",
		}},
		// The second connection breaks before, and so does the run the third one.
		{"too late", []GapReport{{Filled: true}}, 15 * time.Second, []string{
			"32s: 9s to 21s, filled false, the run ended before it was filled",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, tt.report, tt.work)
			if len(got) != len(tt.want) {
				t.Fatalf("gaps %q, want %q", got, tt.want)
			}
			for i, want := range tt.want {
				if want != "" && got[i] != want {
					t.Errorf("gap %d: %s, want %s", i, got[i], want)
				}
			}
		})
	}
}

// Events added by a session are subject to OverflowDropOldest as well.
func TestInjectedEventsOverflow(t *testing.T) {
	var r runner
	r.o = &Options{Overflow: OverflowDropOldest}
	r.queue = newQueue(100<<10, OverflowDropOldest, newPool())
	for range 10 {
		r.queue.put(batchOf(r.queue.free, []Message{textMessage(string(make([]byte, 60<<10)))}))
	}
	_, waiting := r.queue.progress()
	if waiting != 1 || r.queue.drops() != 9 {
		t.Errorf("%d events wait and %d were dropped, want 1 and 9", waiting, r.queue.drops())
	}
}
