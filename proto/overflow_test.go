package proto

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/proto/frame"
)

// flood sends events of a kilobyte, one every second, and closes. It ends when the
// client has disconnected.
func flood(n int) func(int, *peer) {
	return func(_ int, p *peer) {
		for i := range n {
			if !p.send(frame.OpText, fmt.Sprintf("%03d%s", i, strings.Repeat(".", 997))) {
				return
			}
			time.Sleep(time.Second)
		}
		p.send(frame.OpClose, string(frame.ClosePayload(1000, "")))
	}
}

func TestOverflowDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: flood(100)}
		o := testOptions(nw)
		o.Retries, o.Buffer, o.Overflow = 0, 10_000, OverflowDropOldest
		var d traceRecorder
		o.Trace = d.trace()
		sink := recorder{gate: make(chan struct{})}
		go func() {
			time.Sleep(50*time.Second + 500*time.Millisecond)
			close(sink.gate)
		}()
		if err := runTest(t, nw, &sink, o); err != nil {
			t.Errorf("Run: %v", err)
		}
		var total uint64
		var last time.Time
		for _, st := range d.statuses {
			d, ok := st.State.(Dropped)
			if !ok {
				continue
			}
			if total += d.Events; d.Total != total || d.Events == 0 {
				t.Errorf("dropped %d, %d in all, want %d", d.Events, d.Total, total)
			}
			if !last.IsZero() && st.Time.Sub(last) < 5*time.Second {
				t.Errorf("reported %s after the last report", st.Time.Sub(last))
			}
			last = st.Time
		}
		if total == 0 || int(total)+len(sink.events) != 100 {
			t.Errorf("%d events and %d dropped, want 100 in all", len(sink.events), total)
		}
		// The sink had the first one; the newest of those that waited follow.
		if len(sink.events) != 58 || sink.events[0][:3] != "000" || sink.events[1][:3] != "043" || sink.events[57][:3] != "099" {
			t.Errorf("%d events, from %.3s and %.3s", len(sink.events), sink.events[0], sink.events[1])
		}
		nw.wg.Wait()
	})
}

// What cannot be reported at once is reported before the end.
func TestEveryDroppedEventIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: flood(17)}
		o := testOptions(nw)
		o.Retries, o.Buffer, o.Overflow = 0, 1, OverflowDropOldest
		var d traceRecorder
		o.Trace = d.trace()
		sink := recorder{gate: make(chan struct{})}
		time.AfterFunc(time.Minute, func() { close(sink.gate) })
		if err := runTest(t, nw, &sink, o); err != nil {
			t.Errorf("Run: %v", err)
		}
		last := d.statuses[len(d.statuses)-2]
		if d, ok := last.State.(Dropped); !ok || d.Total != 15 || len(sink.events) != 2 {
			t.Errorf("%d events, last status but one %+v", len(sink.events), last)
		}
		nw.wg.Wait()
	})
}

func TestOverflowFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(n int, p *peer) {
			var wg sync.WaitGroup
			wg.Go(func() { flood(100)(n, p) })
			p.untilClose()
			p.conn.Close()
			wg.Wait()
		}}
		o := testOptions(nw)
		o.Buffer, o.Overflow = 10_000, OverflowFail
		sink := recorder{gate: make(chan struct{})}
		start := time.Now()
		err := runTest(t, nw, &sink, o)
		of, ok := errors.AsType[*OverflowError](err)
		// Ten were in the buffer when one more came.
		if !ok || of.Events != 11 || of.Limit != 10_000 {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("ended after %s, although the sink will never go on", d)
		}
		close(sink.gate)
		nw.wg.Wait()
	})
}

// An event that is larger than the buffer is not an overflow if nothing waits.
func TestOneLargeEventIsNoOverflow(t *testing.T) {
	for _, overflow := range []Overflow{OverflowBlock, OverflowDropOldest, OverflowFail} {
		synctest.Test(t, func(t *testing.T) {
			nw := &network{t: t, serve: flood(5)}
			o := testOptions(nw)
			o.Retries, o.Buffer, o.Overflow = 0, 100, overflow
			var sink recorder
			if err := runTest(t, nw, &sink, o); err != nil || len(sink.events) != 5 {
				t.Errorf("Run: %v, %d events", err, len(sink.events))
			}
			nw.wg.Wait()
		})
	}
}

// Pings of the server are answered, however long the sink is blocked, also with a
// recording.
func TestPingsAreAnsweredWhileTheBufferIsFull(t *testing.T) {
	for _, recording := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			sink := recorder{gate: make(chan struct{}), limit: 2}
			nw := &network{t: t, serve: func(_ int, p *peer) {
				p.text("one", "two")
				for i := range 20 {
					time.Sleep(time.Second)
					p.send(frame.OpPing, fmt.Sprint(i))
					if got, ok := p.next(frame.OpPong); !ok || got != fmt.Sprint(i) {
						t.Errorf("ping %d was answered by %q", i, got)
					}
				}
				close(sink.gate)
				p.untilClose()
			}}
			o := testOptions(nw)
			o.Buffer = 1
			var d traceRecorder
			if recording {
				o.Trace = d.trace()
			}
			if err := runTest(t, nw, &sink, o); !errors.Is(err, errEnough) {
				t.Errorf("Run: %v", err)
			}
			nw.wg.Wait()
		})
	}
}

// A watchingSession is slow to handle control frames.
type watchingSession struct {
	rawSession
	seen int
}

func (s *watchingSession) Control(frame.Opcode, time.Time) []Effect {
	time.Sleep(time.Millisecond)
	s.seen++
	return nil
}

// Every control frame reaches a session that watches them, however fast they arrive and
// whatever the sink does.
func TestWatchedControlFramesAreNotDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		sink := recorder{gate: make(chan struct{}), limit: 2}
		nw := &network{t: t, serve: func(_ int, p *peer) {
			p.text("one", "two")
			for i := range n {
				p.send(map[bool]frame.Opcode{true: frame.OpPing, false: frame.OpPong}[i%2 == 0], "x")
			}
			time.Sleep(time.Minute)
			close(sink.gate)
			p.untilClose()
		}}
		o := testOptions(nw)
		o.Buffer = 1
		session := &watchingSession{}
		if err := Run(t.Context(), sessionService{testService, session}, &sink, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		if session.seen != n {
			t.Errorf("the session was told of %d control frames, want %d", session.seen, n)
		}
		nw.wg.Wait()
	})
}
