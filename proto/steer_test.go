package proto

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/wire"
)

var errDone = errors.New("done")

// A close frame of Input closes the connection with its code, the run waits, and
// goes on when it is asked to.
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
		o.Input, o.Steering = input, Steering{Again: again, Ask: ask}
		var d traceRecorder
		o.Trace = d.trace()
		ctx, cancel := cancelled(errDone)
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

// A wait for a retry is cut short, and used-up retries are there again.
func TestSteeringOutOfAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(n int, p *peer) {}}
		o := testOptions(nw)
		o.Retries, o.RetryWindow = 1, time.Hour
		o.Backoff = Backoff{Base: 10 * time.Minute, Max: 10 * time.Minute}
		again := make(chan struct{}, 1)
		o.Steering.Again = again
		var d traceRecorder
		o.Trace = d.trace()
		ctx, cancel := cancelled(errDone)
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

func TestOctaveCommands(t *testing.T) {
	now := time.Now()
	s := &octaveSession{o: &Octave{Streams: []string{"/a"}}}
	s.Greet(now)
	command := func(name string, args ...string) string {
		t.Helper()
		effects, text, err := s.Command(name, args, now)
		if err != nil {
			return "error: " + err.Error()
		}
		for _, f := range framesOf(effects) {
			text += string(f.Payload)
		}
		return text
	}
	answer := func(id string, ok bool) Step {
		t.Helper()
		step, err := decode(s, Message{Data: mustJSON(wire.OctaveAnswer{Head: &wire.OctaveHead{MsgID: mustJSON(id), OK: ok, Status: 200}})})
		if err != nil {
			t.Fatal(err)
		}
		return step
	}
	answer("subscribe-1", true)
	for _, tt := range []struct{ got, want string }{
		{command("streams"), "/a"},
		{command("subscribe"), "error: /subscribe needs the id or the path of a stream"},
		{command("subscribe", "/a"), "error: already subscribed to /a"},
		{command("unsubscribe", "/b"), "error: not subscribed to /b"},
		{command("subscribe", "/b", "s1"), `{"msgId":"by-hand-1","object":"event","type":"subscribe","path":"/b"}` +
			`{"msgId":"by-hand-2","object":"event","type":"subscribe","streamId":"s1"}`},
		{answer("by-hand-1", true).Answer, "subscribed to /b"},
		{answer("by-hand-2", false).Warning, "subscribe s1 refused with status 200"},
		{command("streams"), "/a\n/b"},
		{command("unsubscribe", "/a"), `{"msgId":"by-hand-3","object":"event","type":"unsubscribe","path":"/a"}`},
		{answer("by-hand-3", true).Answer, "unsubscribed from /a"},
		{command("streams"), "/b"},
		{command("dance"), "error: unknown command"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s\nwant %s", tt.got, tt.want)
		}
	}
}

func TestDrogueAndDoshiiCommands(t *testing.T) {
	now := time.Now()
	d := &drogueSession{d: &Drogue{}, limited: true, ask: now.Add(time.Hour)}
	if _, _, err := d.Command("refresh", nil, now); err == nil {
		t.Error("a token that cannot be renewed was renewed")
	}
	d.d = &Drogue{Renewable: true}
	if _, _, err := d.Command("refresh", nil, now); err != nil || !d.ask.Equal(now) {
		t.Errorf("refresh: %v, due %s", err, d.ask)
	}
	s := &doshiiSession{d: &Doshii{Heartbeat: time.Minute}, beat: now}
	effects, _, err := s.Command("heartbeat", nil, now)
	if err != nil || len(framesOf(effects)) != 1 || !s.beat.Equal(now.Add(time.Minute)) {
		t.Errorf("heartbeat: %v, %d frames, next %s", err, len(framesOf(effects)), s.beat)
	}
}
