package proto

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto/frame"
)

// firstOf returns the first status with a state of that type, and the state.
func firstOf[S State](statuses []Status) (st Status, s S, ok bool) {
	for _, st = range statuses {
		if s, ok = st.State.(S); ok {
			return st, s, true
		}
	}
	return Status{}, s, false
}

// lastOf returns the last status with a state of that type, and the state.
func lastOf[S State](statuses []Status) (st Status, s S) {
	statuses = slices.Clone(statuses)
	slices.Reverse(statuses)
	st, s, _ = firstOf[S](statuses)
	return st, s
}

func TestReadiness(t *testing.T) {
	tests := []struct {
		name  string
		svc   Service
		serve func(p *peer)
		delay time.Duration
		after time.Duration // 0: never
	}{
		{"connect at once", testService, func(p *peer) {}, 0, 1},
		{"connect with a delay", testService, func(p *peer) {}, 3 * time.Second, 3 * time.Second},
		{"late, at the first ping", lateService, func(p *peer) {
			time.Sleep(5 * time.Second)
			p.send(frame.OpPing, "ping")
		}, 0, 5 * time.Second},
		{"late, ping and delay", lateService, func(p *peer) {
			time.Sleep(5 * time.Second)
			p.send(frame.OpPing, "")
			time.Sleep(5 * time.Second)
			p.send(frame.OpPing, "")
		}, 7 * time.Second, 12 * time.Second},
		{"late, at the first event", lateService, func(p *peer) { time.Sleep(time.Second); p.text("{}") }, 0, time.Second},
		{"late, not by a pong", lateService, func(p *peer) { p.send(frame.OpPong, "unsolicited") }, 0, 0},
		{"lost before the delay is over", testService, func(p *peer) { time.Sleep(time.Second); p.conn.Close() }, 3 * time.Second, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nw := &network{t: t, serve: func(_ int, p *peer) { tt.serve(p); p.untilClose() }}
				o := testOptions(nw)
				o.Retries, o.ReadyDelay = 0, tt.delay
				var d traceRecorder
				o.Trace = d.trace()
				ctx, cancel := canceled(errEnough)
				start := time.Now()
				time.AfterFunc(time.Minute, cancel)
				_ = Run(ctx, tt.svc, &recorder{}, o)
				st, _, ok := firstOf[Ready](d.statuses)
				if ok != (tt.after > 0) || ok && st.Time.Sub(start) != tt.after.Truncate(time.Second) {
					t.Errorf("ready %v after %s, want %s", ok, st.Time.Sub(start), tt.after)
				}
				nw.wg.Wait()
			})
		})
	}
}

// A stream is live before it is ready: the idle limit counts from then.
func TestIdleDoesNotWaitForReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) { p.untilClose() }}
		o := testOptions(nw)
		o.Idle = 2 * time.Second
		start := time.Now()
		err := Run(t.Context(), lateService, &recorder{}, o)
		if d := time.Since(start); !errors.Is(err, ErrIdle) || d != o.Idle {
			t.Errorf("%v after %s", err, d)
		}
		nw.wg.Wait()
	})
}

func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			last := "none"
			for range 2 {
				payload, _ := p.next(frame.OpPing)
				p.send(frame.OpPong, "unsolicited")
				p.send(frame.OpPong, last)
				time.Sleep(20 * time.Millisecond)
				p.send(frame.OpPong, payload)
				p.send(frame.OpPong, payload)
				last = payload
			}
			p.text("end")
			p.untilClose()
		}}
		o := testOptions(nw)
		o.PingInterval, o.PingTimeout = 20*time.Second, 20*time.Second
		var d traceRecorder
		o.Trace = d.trace()
		o.Trace.Frame = nil
		start := time.Now()
		if err := runTest(t, nw, &recorder{limit: 1}, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		if len(d.heartbeats) != 2 {
			t.Fatalf("%d heartbeats, want one for each ping of ours: %v", len(d.heartbeats), d.heartbeats)
		}
		for i, h := range d.heartbeats {
			want := time.Duration(i+1)*20*time.Second + 20*time.Millisecond
			if rtt := h.State.(Heartbeat).RTT; rtt != 20*time.Millisecond || h.Time.Sub(start) != want {
				t.Errorf("heartbeat after %s took %s", h.Time.Sub(start), rtt)
			}
		}
		nw.wg.Wait()
	})
}

// A gap lasts from the end of the last ready stream to the next one, however many
// connections are between.
func TestGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		nw := &network{t: t, serve: func(n int, p *peer) {
			switch n {
			case 1:
				p.text("1")
				time.Sleep(10 * time.Second)
				p.send(frame.OpPing, "")
				p.send(frame.OpClose, string(frame.ClosePayload(1012, "restart")))
			case 2: // lost before its first ping
				time.Sleep(time.Second)
			case 3:
				time.Sleep(5 * time.Second)
				p.send(frame.OpPing, "")
				p.text("2")
				p.untilClose()
			}
		}}
		o := testOptions(nw)
		var d traceRecorder
		o.Trace = d.trace()
		if err := Run(t.Context(), lateService, &recorder{limit: 2}, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		want := []string{
			"connecting", "connected", "ready", "disconnected", "retrying",
			"connecting", "connected", "disconnected", "retrying",
			"connecting", "connected", "ready", "gap",
		}
		if diff := cmp.Diff(want, d.states); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		ready, gap := d.statuses[len(want)-2], d.statuses[len(want)-1].State.(Gap)
		if from := gap.From.Sub(start); from < 8*time.Second || from > 10*time.Second || !gap.To.Equal(ready.Time) || gap.Filled ||
			gap.Reason != "server closed the connection with status 1012: restart" {
			t.Errorf("gap %+v", gap)
		}
		nw.wg.Wait()
	})
}
