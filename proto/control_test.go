package proto

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto/frame"
)

var errDone = errors.New("done")

// A close frame of Input closes the connection with its code, the run waits, and
// continues on request.
func TestSteering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(n int, p *peer) {
			p.text("hello")
			if n == 1 {
				if payload, _ := p.next(frame.OpPing); payload != "my own" {
					t.Errorf("ping %q", payload)
				}
				p.send(frame.OpPong, "my own")
			}
			_, code := p.untilClose()
			want := map[int]int{1: 4001, 2: 1000, 3: 1000}[n]
			if code != want {
				t.Errorf("connection %d was closed with %d, want %d", n, code, want)
			}
		}}
		o := testOptions(nw)
		o.Retries = 5
		input, again, ask := make(chan Frame), make(chan struct{}, 1), make(chan func(Session, time.Time) []Effect)
		o.Input, o.Control = input, Control{Again: again, Ask: ask}
		var d traceRecorder
		o.Trace = d.trace()
		ctx, cancel := canceled(errDone)
		go func() {
			input <- Frame{Opcode: frame.OpPing, Payload: []byte("my own")}
			input <- Frame{Opcode: frame.OpClose, Payload: frame.ClosePayload(4001, "enough")}
			time.Sleep(time.Hour)
			if n := nw.connections(); n != 1 {
				t.Errorf("%d connections after a close from here, want 1", n)
			}
			again <- struct{}{}
			time.Sleep(time.Minute)
			again <- struct{}{}
			time.Sleep(time.Minute)
			ask <- func(_ Session, now time.Time) []Effect { return []Effect{Note("asked")} }
			cancel()
		}()
		var sink recorder
		if err := Run(ctx, testService, &sink, o); err != errDone {
			t.Errorf("Run: %v", err)
		}
		want := []string{
			"connecting", "connected", "ready", "disconnected", "held",
			"connecting", "connected", "ready", "gap", "disconnected",
			"connecting", "connected", "ready", "gap",
		}
		if diff := cmp.Diff(want, d.states); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		if st := d.statuses[4].State.(Held); st.Err != nil || !st.ClosedHere {
			t.Errorf("held because of %v, closed here: %t", st.Err, st.ClosedHere)
		}
		if diff := cmp.Diff([]string{"asked"}, d.notes); diff != "" {
			t.Errorf("notes (-want +got):\n%s", diff)
		}
		nw.wg.Wait()
	})
}

// A wait for a retry is interrupted, and the retries are reset.
func TestSteeringOutOfAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(n int, p *peer) {}}
		o := testOptions(nw)
		o.Retries, o.RetryWindow = 1, time.Hour
		o.Backoff = Backoff{Base: 10 * time.Minute, Max: 10 * time.Minute}
		again := make(chan struct{}, 1)
		o.Control.Again = again
		var d traceRecorder
		o.Trace = d.trace()
		ctx, cancel := canceled(errDone)
		start := time.Now()
		go func() {
			time.Sleep(time.Second)
			again <- struct{}{} // out of the wait
			time.Sleep(time.Second)
			again <- struct{}{} // out of Held, with a retry to spend
			time.Sleep(time.Second)
			cancel()
		}()
		var sink recorder
		if err := Run(ctx, testService, &sink, o); err != errDone {
			t.Errorf("Run: %v", err)
		}
		if got := time.Since(start); got != 3*time.Second {
			t.Errorf("took %s", got)
		}
		want := []string{
			"connecting", "connected", "ready", "disconnected", "retrying",
			"connecting", "connected", "ready", "gap", "disconnected", "held",
			"connecting", "connected", "ready", "gap", "disconnected", "retrying",
		}
		if diff := cmp.Diff(want, d.states); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		if f, ok := errors.AsType[*Failure](d.statuses[10].State.(Held).Err); !ok || !f.Connected {
			t.Errorf("held: %+v", d.statuses[10].State)
		}
		nw.wg.Wait()
	})
}
