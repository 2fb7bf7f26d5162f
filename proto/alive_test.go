package proto

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto/frame"
)

// A blocked sink must not lose the connection or an event: pings are answered, and
// pings and heartbeats are sent.
func TestBlockedSinkKeepsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events = 200
		nw := &network{t: t, serve: func(_ int, p *peer) {
			for i := range events {
				p.text(fmt.Sprint(i))
				p.send(frame.OpPing, "are you there")
				heard := time.Now()
				for {
					f, ok := <-p.in
					if !ok {
						t.Errorf("connection lost at event %d", i)
						return
					}
					if f.Opcode == frame.OpPing {
						p.send(frame.OpPong, string(f.Payload))
						continue
					}
					break
				}
				if d := time.Since(heard); d > 0 {
					t.Errorf("event %d: answer to the ping took %s", i, d)
				}
				time.Sleep(5 * time.Second)
			}
			p.untilClose()
		}}
		o := testOptions(nw)
		o.PingInterval, o.PingTimeout = 20*time.Second, 20*time.Second
		sink := recorder{limit: events, gate: make(chan struct{})}
		time.AfterFunc(events*5*time.Second, func() { close(sink.gate) })
		if err := runTest(t, nw, &sink, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		nw.wg.Wait()
	})
}

// With a full buffer nothing more is read, and nothing is lost; the client still sends
// pings, and does not consider the peer silent.
func TestFullBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events = 100
		payload := strings.Repeat("x", 10_000)
		var pings int
		nw := &network{t: t, serve: func(_ int, p *peer) {
			for range events {
				p.text(payload)
			}
			for f := range p.in {
				switch f.Opcode {
				case frame.OpPing:
					pings++
					p.send(frame.OpPong, string(f.Payload))
				case frame.OpClose:
					p.send(frame.OpClose, string(f.Payload))
					return
				}
			}
		}}
		o := testOptions(nw)
		o.Buffer = 200_000
		o.PingInterval, o.PingTimeout = 20*time.Second, 20*time.Second
		sink := recorder{limit: events, gate: make(chan struct{})}
		time.AfterFunc(time.Hour, func() { close(sink.gate) })
		if err := runTest(t, nw, &sink, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		if nw.connections() != 1 {
			t.Errorf("%d connections, want 1", nw.connections())
		}
		nw.wg.Wait()
		if pings < 170 {
			t.Errorf("%d pings in an hour with a full buffer, want about 180", pings)
		}
	})
}

// The idle time is suspended while events may be unread.
func TestIdleWithAFullBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events = 100
		nw := &network{t: t, serve: func(_ int, p *peer) {
			for i := range events {
				p.text(fmt.Sprint(i, strings.Repeat("x", 1000)))
			}
			p.untilClose()
		}}
		o := testOptions(nw)
		o.Buffer, o.Idle = 10_000, 5*time.Second
		sink := recorder{gate: make(chan struct{})}
		time.AfterFunc(time.Minute, func() { close(sink.gate) })
		start := time.Now()
		if err := runTest(t, nw, &sink, o); !errors.Is(err, ErrIdle) {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(start); len(sink.events) != events || d < time.Minute+o.Idle || d > time.Minute+2*o.Idle {
			t.Errorf("%d events, ended after %s", len(sink.events), d)
		}
		nw.wg.Wait()
	})
}

// The library gives a control frame five seconds: while it waits for the rest of one,
// the reader must not wait for anything else.
func TestHalfAPingWhileTheBufferIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ping := frameBytes(frame.OpPing, "are you there")
		nw := &network{t: t, serve: func(_ int, p *peer) {
			for _, s := range []string{"one", "two", "three"} {
				p.text(s)
				time.Sleep(time.Second)
			}
			p.conn.Write(append(frameBytes(frame.OpText, "four"), ping[:5]...))
			time.Sleep(4 * time.Second)
			p.conn.Write(ping[5:])
			if payload, _ := p.next(frame.OpPong); payload != "are you there" {
				t.Errorf("pong %q", payload)
			}
			p.untilClose()
		}}
		o := testOptions(nw)
		o.Buffer = 1
		sink := recorder{gate: make(chan struct{}), limit: 4}
		time.AfterFunc(time.Minute, func() { close(sink.gate) })
		if err := runTest(t, nw, &sink, o); !errors.Is(err, errEnough) || nw.connections() != 1 {
			t.Errorf("Run: %v, %d connections", err, nw.connections())
		}
		nw.wg.Wait()
	})
}

// A server that violated the protocol has time to read the close frame: a connection
// that is closed with unread data is reset, and data written before may be lost.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			p.send(0x3, "reserved")
			if _, ok := p.next(frame.OpClose); !ok {
				t.Error("no close frame")
			}
			for range 10 {
				if !p.send(frame.OpText, strings.Repeat("x", 10_000)) {
					t.Error("the connection was closed before the server had closed it")
					return
				}
			}
		}}
		o := testOptions(nw)
		start := time.Now()
		if err := runTest(t, nw, &recorder{}, o); !is[*ProtocolError](err) {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(start); d > 0 {
			t.Errorf("ended after %s, although the server had closed", d)
		}
		nw.wg.Wait()
	})
}

// The peer does not answer: neither data nor a pong within the limit.
func TestDeadPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t}
		stop := make(chan struct{})
		nw.serve = func(n int, p *peer) {
			if n == 1 {
				<-stop // half open
				return
			}
			p.text("x")
			p.untilClose()
		}
		o := testOptions(nw)
		o.PingInterval, o.PingTimeout = 20*time.Second, 7*time.Second
		var d traceRecorder
		o.Trace = d.trace()
		start := time.Now()
		if err := runTest(t, nw, &recorder{limit: 1}, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(start); d < 27*time.Second || d > 28*time.Second {
			t.Errorf("took %s, want 27s and a short wait", d)
		}
		if _, s, ok := firstOf[Disconnected](d.statuses); !ok || s.Err.Error() != "connection lost: no data received within 7s of a ping" {
			t.Errorf("statuses %v", d.statuses)
		}
		close(stop)
		nw.wg.Wait()
	})
}

// A peer that answers pings is never considered lost.
func TestQuietPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			end := time.After(2 * time.Hour)
			for {
				select {
				case f := <-p.in:
					p.send(frame.OpPong, string(f.Payload))
				case <-end:
					p.text("x")
					p.untilClose()
					return
				}
			}
		}}
		o := testOptions(nw)
		o.PingInterval, o.PingTimeout = 20*time.Second, 20*time.Second
		if err := runTest(t, nw, &recorder{limit: 1}, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		if nw.connections() != 1 {
			t.Errorf("%d connections, want 1", nw.connections())
		}
		nw.wg.Wait()
	})
}

func TestPeerBreaksTheProtocol(t *testing.T) {
	big := strings.Repeat("x", 1001)
	tests := []struct {
		name  string
		send  []byte
		text  string
		code  int
		class Class
	}{
		{"too big", frameBytes(frame.OpText, big), "message larger than the limit of 1000 bytes", frame.StatusTooBig, Refused},
		{"masked", append(frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.OpText, Masked: true, Length: 1}), 'x'),
			"protocol error: the server masked a frame, which only clients may do", frame.StatusProtocol, Refused},
		{"reserved opcode", frameBytes(0x3, ""), "protocol error: the server sent a frame with the reserved opcode 3", frame.StatusProtocol, Refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var code int
				nw := &network{t: t, serve: func(_ int, p *peer) {
					p.conn.Write(frameBytes(frame.OpText, "fine"))
					go p.conn.Write(tt.send)
					_, code = p.untilClose()
				}}
				o := testOptions(nw)
				o.MaxMessageSize = 1000
				var sink recorder
				err := runTest(t, nw, &sink, o)
				f, ok := errors.AsType[*Failure](err)
				if !ok || f.Class != tt.class || err.Error() != tt.text {
					t.Errorf("Run: %v, want %s", err, tt.text)
				}
				nw.wg.Wait()
				if code != tt.code {
					t.Errorf("close code %d, want %d", code, tt.code)
				}
				if diff := cmp.Diff([]string{"fine"}, sink.events); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		})
	}
}
