package proto

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
)

type sinkFunc func(*Event) error

func (f sinkFunc) Event(ev *Event) error { return f(ev) }
func (f sinkFunc) Flush() error          { return nil }

// For a slow but busy sink little data waits in memory, however fast the server is; a
// blocked one gets the whole buffer, soon enough for the server's pings to be answered.
func TestWorkingSinkIsNotFarBehind(t *testing.T) {
	const size, count, buffer = 10_000, 1000, 5 << 20
	const room = buffer / 2 // is surely for messages
	for _, tt := range []struct {
		name        string
		overflow    Overflow
		took        time.Duration // by the sink, for an event
		least, most int64         // of what is sent and not taken, in bytes
		pong        time.Duration // how long it takes at most behind half a buffer of messages
	}{
		{"at work", OverflowBlock, time.Millisecond, 1, throttleSize + 6*wsconn.BatchSize, time.Second},
		{"too slow", OverflowBlock, time.Second, room, buffer + 6*wsconn.BatchSize, throttleTime},
		{"still", OverflowBlock, 5 * time.Minute, room, buffer + 6*wsconn.BatchSize, throttleTime},
		{"overflow", OverflowDropOldest, time.Millisecond, count * size / 2, count * size, time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sent, taken atomic.Int64
				var behind int64
				nw := &network{t: t, serve: func(_ int, p *peer) {
					text := strings.Repeat("x", size)
					for i := range count {
						if !p.send(frame.OpText, text) {
							return
						}
						sent.Add(size)
						if i == buffer/size/2 {
							at := time.Now()
							p.send(frame.OpPing, "here?")
							go func() {
								p.next(frame.OpPong)
								if d := time.Since(at); d > tt.pong {
									t.Errorf("the ping was answered after %s, want at most %s", d, tt.pong)
								}
							}()
						}
					}
					p.send(frame.OpClose, string(frame.ClosePayload(1000, "")))
				}}
				sink := sinkFunc(func(*Event) error {
					time.Sleep(tt.took)
					behind = max(behind, sent.Load()-taken.Load())
					taken.Add(size)
					return nil
				})
				o := testOptions(nw)
				o.Retries, o.Buffer, o.Overflow = 0, buffer, tt.overflow
				if err := runTest(t, nw, sink, o); err != nil {
					t.Errorf("Run: %v", err)
				}
				if n := taken.Load(); tt.overflow == OverflowBlock && n != count*size {
					t.Errorf("the sink took %d bytes", n)
				}
				if behind > tt.most || behind < tt.least {
					t.Errorf("the sink was behind by %d bytes, want %d to %d", behind, tt.least, tt.most)
				}
				nw.wg.Wait()
			})
		})
	}
}

// Unread messages at the end of the run do not prevent reading the answer to the close
// frame.
func TestCloseBehindBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.Repeat("x", 10_000)
		nw := &network{t: t, serve: func(_ int, p *peer) {
			closed := make(chan struct{})
			go func() {
				p.next(frame.OpClose)
				close(closed)
			}()
			for open := true; open; {
				select {
				case <-closed:
					open = false
				default:
					p.send(frame.OpText, text)
				}
			}
			for range 5000 {
				p.send(frame.OpText, text)
			}
			if !p.send(frame.OpClose, string(frame.ClosePayload(1000, ""))) {
				t.Error("the connection was cut")
			}
		}}
		ctx, cancel := canceled(errEnough)
		n := 0
		sink := sinkFunc(func(*Event) error {
			time.Sleep(500 * time.Microsecond)
			if n++; n == 300 {
				cancel()
			}
			return nil
		})
		if err := Run(ctx, testService, sink, testOptions(nw)); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		nw.wg.Wait()
	})
}

// A large message is read when there is room for it in addition to the one that the
// sink is processing, whether its size is known before or not; depending on the policy,
// events are dropped for it, or the run ends.
func TestLargeMessagesWaitForRoom(t *testing.T) {
	const size, count = 3 << 20, 4
	for _, tt := range []struct {
		name      string
		overflow  Overflow
		fragments bool
		least     int64 // sent while the sink is stuck with the first
		most      int64
		taken     int
		fails     bool
	}{
		{"known", OverflowBlock, false, 1, 1, count, false},
		{"unknown", OverflowBlock, true, 1, 1, count, false},
		{"dropped", OverflowDropOldest, false, count, count, 2, false},
		{"failed", OverflowFail, false, 1, 2, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sent atomic.Int64
				nw := &network{t: t, serve: func(_ int, p *peer) {
					for range count {
						parts := 1
						if tt.fragments {
							parts = 8
						}
						for i := range parts {
							h := frame.Header{Fin: i == parts-1, Opcode: frame.OpText, Length: size / uint64(parts)}
							if i > 0 {
								h.Opcode = frame.OpContinuation
							}
							frame := append(frame.AppendHeader(nil, h), strings.Repeat("x", size/parts)...)
							if _, err := p.conn.Write(frame); err != nil {
								return
							}
						}
						sent.Add(1)
						synctest.Wait() // the sink has taken it, if it can
					}
					p.send(frame.OpClose, string(frame.ClosePayload(1000, "")))
				}}
				var stuck int64
				n := 0
				sink := sinkFunc(func(ev *Event) error {
					if len(ev.Data) != size {
						t.Errorf("an event of %d bytes", len(ev.Data))
					}
					if n++; n == 1 {
						time.Sleep(1500 * time.Millisecond)
						stuck = sent.Load()
					}
					return nil
				})
				o := testOptions(nw)
				o.Retries, o.Buffer, o.Overflow = 0, size+size/2, tt.overflow
				start := time.Now()
				err := runTest(t, nw, sink, o)
				if d := time.Since(start); tt.overflow == OverflowBlock && d != 1500*time.Millisecond {
					t.Errorf("it took %s, although there was room after 1.5s", d)
				}
				if (err != nil) != tt.fails {
					t.Errorf("Run: %v", err)
				}
				if stuck < tt.least || stuck > tt.most {
					t.Errorf("%d messages were read while the sink was stuck", stuck)
				}
				if tt.taken > 0 && n != tt.taken {
					t.Errorf("the sink took %d", n)
				}
				nw.wg.Wait()
			})
		})
	}
}
