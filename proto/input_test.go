package proto

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/proto/frame"
)

// A frame is received when the one before it is written, and one that was not written
// is sent again on the next connection.
func TestInputOrder(t *testing.T) {
	frames := make(chan Frame, 2)
	frames <- Text([]byte("a"))
	frames <- Text([]byte("b"))
	close(frames)
	ended := 0
	in := input{frames: frames, ended: func() { ended++ }}
	next := func(want string) {
		t.Helper()
		f, ok := <-in.next()
		if !ok || string(f.Payload) != want {
			t.Fatalf("next is %q, %t, want %q", f.Payload, ok, want)
		}
		in.write(f)
		if in.next() != nil {
			t.Error("two frames are with the writer")
		}
	}
	next("a")
	in.written()
	next("b")
	in.disconnected(1, true)
	if in.earlier != 1 || in.pending == nil {
		t.Errorf("%d messages went out, %v is left", in.earlier, in.pending)
	}
	next("b")
	if ended != 0 {
		t.Error("all was written before it was")
	}
	in.written()
	if _, ok := <-in.next(); ok {
		t.Error("there is a third frame")
	}
	in.end()
	if ended != 1 || in.open() || in.next() != nil {
		t.Errorf("the end was reported %d times", ended)
	}
}

// Input is sent in order, and its end is not the end of the run.
func TestInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan string, 10)
		nw := &network{t: t, serve: func(n int, p *peer) {
			for range n { // one message on the first connection, two on the second
				s, _ := p.next(frame.OpText)
				got <- s
			}
			if n == 2 {
				p.text("done")
				p.untilClose()
			}
		}}
		in := make(chan Frame)
		go func() {
			for _, s := range []string{"a", "b", "c"} {
				time.Sleep(10 * time.Second)
				in <- Text([]byte(s))
			}
			close(in)
		}()
		o := testOptions(nw)
		o.Input = in
		if err := runTest(t, nw, &recorder{limit: 1}, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		nw.wg.Wait()
		if a, b, c := <-got, <-got, <-got; a+b+c != "abc" {
			t.Errorf("got %q %q %q", a, b, c)
		}
	})
}

// A frame of Input whose connection ends while the loop is busy has been written, and
// is not written again. Which of the two the loop handles first is random.
func TestInputWrittenLate(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			var got []string
			nw := &network{t: t, serve: func(n int, p *peer) {
				for range n {
					s, _ := p.next(frame.OpText)
					got = append(got, s)
				}
				if n == 2 {
					p.text("done")
					p.untilClose()
				}
			}}
			in := make(chan Frame)
			go func() {
				for _, s := range []string{"a", "b", "c"} {
					in <- Text([]byte(s))
				}
			}()
			o := testOptions(nw)
			o.Input = in
			o.Trace.Frame = func(r FrameRecord) {
				if r.Direction == Out && r.Opcode == frame.OpText && string(r.Payload) == "a" {
					time.Sleep(time.Second)
				}
			}
			if err := runTest(t, nw, &recorder{limit: 1}, o); !errors.Is(err, errEnough) {
				t.Errorf("Run: %v", err)
			}
			nw.wg.Wait()
			if strings.Join(got, "") != "abc" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// A frame of Input that could not be written waits for the next connection, once, and
// is in doubt if there is none.
func TestInputThatCouldNotBeWritten(t *testing.T) {
	for _, again := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var got []string
			nw := &network{t: t, unread: true, serve: func(n int, p *peer) {
				time.Sleep(10 * time.Second)
				if n == 1 {
					return // nothing was read
				}
				go p.read()
				for range 2 {
					s, _ := p.next(frame.OpText)
					got = append(got, s)
				}
				p.text("done")
				p.untilClose()
			}}
			in := make(chan Frame)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				for _, s := range []string{"a", "b"} {
					select {
					case in <- Text([]byte(s)):
					case <-ctx.Done():
					}
				}
			}()
			o := testOptions(nw)
			o.Input = in
			var d traceRecorder
			o.Trace = d.trace()
			if !again {
				o.Retries = 0
			}
			err := runTest(t, nw, &recorder{limit: 1}, o)
			_, st, ok := firstOf[Unconfirmed](d.statuses)
			if again {
				if !errors.Is(err, errEnough) || strings.Join(got, " ") != "a b" || ok {
					t.Errorf("Run: %v; got %q, unconfirmed: %v", err, got, st)
				}
			} else if !is[*LostError](err) || st.Messages != 1 {
				t.Errorf("Run: %v; unconfirmed: %v", err, st)
			}
			cancel()
			nw.wg.Wait()
		})
	}
}

// Messages sent since the server last answered a ping may be lost with the connection.
// A close frame confirms those before it, and so does any message before a normal end.
func TestUnconfirmed(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(p *peer)
		want int // of three messages, the first of which comes before an answered ping
	}{
		{"cut", func(p *peer) {}, 2},
		{"cut after an answer", func(p *peer) { p.text("x"); p.next(frame.OpText) }, 2},
		{"a wrong pong", func(p *peer) { p.send(frame.OpPong, "hark 7") }, 2},
		{"going away", func(p *peer) { p.text("x"); p.send(frame.OpClose, string(frame.ClosePayload(1001, ""))) }, 2},
		{"normal", func(p *peer) { p.send(frame.OpClose, string(frame.ClosePayload(1000, ""))) }, 2},
		{"normal after an answer", func(p *peer) {
			p.text("x")
			time.Sleep(time.Millisecond)
			p.send(frame.OpClose, string(frame.ClosePayload(1000, "")))
		}, 0},
		{"from here, answered", func(p *peer) { p.untilClose() }, 0},
		{"from here, not answered", func(p *peer) { p.next(frame.OpClose) }, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nw := &network{t: t, serve: func(n int, p *peer) {
					if n == 2 {
						p.untilClose()
						return
					}
					p.next(frame.OpText)
					ping, _ := p.next(frame.OpPing)
					p.send(frame.OpPong, ping)
					p.next(frame.OpText)
					p.next(frame.OpText)
					tt.end(p)
				}}
				in := make(chan Frame)
				go func() {
					for _, pause := range []time.Duration{time.Second, 11 * time.Second, time.Second} {
						time.Sleep(pause)
						in <- Text([]byte("line"))
					}
				}()
				o := testOptions(nw)
				o.Input, o.PingInterval = in, 10*time.Second
				var d traceRecorder
				o.Trace = d.trace()
				ctx, cancel := canceled(errStop)
				time.AfterFunc(19*time.Second, cancel)
				_ = Run(ctx, testService, &recorder{}, o)
				if _, st, _ := firstOf[Unconfirmed](d.statuses); st.Messages != tt.want {
					t.Errorf("%d messages are unconfirmed, want %d", st.Messages, tt.want)
				}
				if last, ready := lastOf[Ready](d.statuses); ready.Earlier != map[bool]int{true: 3}[last.Attempt == 2] {
					t.Errorf("at attempt %d, %d messages had gone out before", last.Attempt, ready.Earlier)
				}
				nw.wg.Wait()
			})
		})
	}
}
