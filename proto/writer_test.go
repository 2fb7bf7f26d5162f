package proto

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/internal/wsserver"
	"github.com/hark-cli/hark/proto/frame"
)

// A ping of the server that arrives while a large message is sent slowly is answered,
// and the message arrives.
func TestPingDuringASlowUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 4 << 20
		var pongs atomic.Int64
		nw := &network{t: t, unread: true, serve: func(_ int, p *peer) {
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				for {
					select {
					case <-time.After(time.Second):
						p.send(frame.OpPing, "x")
					case <-stop:
						return
					}
				}
			}()
			var b []byte
			buf := make([]byte, 4<<10)
			for whole := false; !whole; { // 200 KB/s
				n, err := p.conn.Read(buf)
				if err != nil {
					t.Errorf("the server read %d bytes of a frame, then: %v", len(b), err)
					return
				}
				b = append(b, buf[:n]...)
				time.Sleep(20 * time.Millisecond)
				for {
					h, n := frame.ParseHeader(b)
					if n == 0 || h.Length > uint64(len(b)-n) {
						break
					}
					b = b[n+int(h.Length):]
					if h.Opcode == frame.OpPong {
						pongs.Add(1)
					}
					whole = whole || h.Fin && !h.Opcode.Control()
				}
			}
			p.text("thanks")
			p.conn.SetReadDeadline(time.Now().Add(time.Second)) // it says goodbye
			io.Copy(io.Discard, p.conn)
		}}
		in := make(chan Frame, 1)
		in <- Text([]byte(strings.Repeat("x", size)))
		close(in)
		o := testOptions(nw)
		start := time.Now()
		o.Input, o.InputWritten = in, func() {
			if d := time.Since(start); d < 15*time.Second {
				t.Errorf("said to be written after %s", d)
			}
		}
		if err := runTest(t, nw, &recorder{limit: 1}, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(start); nw.connections() != 1 || pongs.Load() < int64(d/time.Second)-3 {
			t.Errorf("%d connections, %d pongs in %s", nw.connections(), pongs.Load(), d)
		}
		nw.wg.Wait()
	})
}

// Messages of the server before its end are passed to the sink, although frames cannot
// be written any more, and its close frame is reported.
func TestWriteFailureKeepsWhatCame(t *testing.T) {
	for _, code := range []int{1000, 1008, 0} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const events = 2000
				var stream []byte
				for i := range events {
					stream = append(stream, frameBytes(frame.OpText, fmt.Sprintf("%04d%s", i, strings.Repeat(".", 96)))...)
				}
				if code != 0 {
					stream = append(stream, frameBytes(frame.OpClose, string(frame.ClosePayload(code, "done")))...)
				}
				conn := &halfDead{rest: stream, closed: make(chan struct{})}
				sink := recorder{gate: make(chan struct{})}
				time.AfterFunc(3*time.Second, func() { close(sink.gate) })
				o := DefaultOptions()
				o.Transport = conn
				o.Retries, o.Buffer = 0, 10_000
				o.PingInterval, o.PingTimeout = 100*time.Millisecond, 5*time.Second
				in := make(chan Frame, 1)
				in <- Text([]byte("not a ping, which would wait"))
				o.Input = in
				err := Run(t.Context(), testService, &sink, o)
				if len(sink.events) != events {
					t.Errorf("%d events, want %d", len(sink.events), events)
				}
				switch code {
				case 0:
					if !is[*LostError](err) {
						t.Errorf("Run: %v", err)
					}
				case 1000:
					if err != nil {
						t.Errorf("Run: %v", err)
					}
				default:
					if ce, ok := errors.AsType[*CloseError](err); !ok || ce.Code != code {
						t.Errorf("Run: %v", err)
					}
				}
			})
		})
	}
}

// A halfDead connection delivers sent data and accepts none.
type halfDead struct {
	rest   []byte
	closed chan struct{}
}

func (h *halfDead) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusSwitchingProtocols,
		Header: http.Header{
			"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
			"Sec-Websocket-Accept": {wsserver.AcceptKey(req.Header.Get("Sec-WebSocket-Key"))},
		},
		Body: h,
	}, nil
}

func (h *halfDead) Read(p []byte) (int, error) {
	select {
	case <-h.closed:
		return 0, net.ErrClosed
	default:
	}
	if n := copy(p, h.rest); n > 0 {
		h.rest = h.rest[n:]
		return n, nil
	}
	<-h.closed // the server does not close, and nothing more comes
	return 0, io.EOF
}

func (h *halfDead) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func (h *halfDead) Close() error {
	close(h.closed)
	return nil
}

// A server that has sent everything and closed its socket is not written to while its
// system still has data for the client, which would drop it.
func TestPingWaitsForWhatIsOnTheWay(t *testing.T) {
	for _, buffer := range []int{10_000, 64 << 20} {
		t.Run(fmt.Sprint(buffer), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const events = 20_000
				conn := &orphan{halfDead: halfDead{closed: make(chan struct{})}}
				for i := range events {
					conn.rest = append(conn.rest, frameBytes(frame.OpText, fmt.Sprintf("%05d%s", i, strings.Repeat(".", 95)))...)
				}
				conn.rest = append(conn.rest, frameBytes(frame.OpClose, string(frame.ClosePayload(1000, "done")))...)
				sink := slowSink{every: 100 * time.Microsecond}
				o := DefaultOptions()
				o.Transport = conn
				o.Retries, o.Buffer = 0, buffer
				o.PingInterval, o.PingTimeout = 200*time.Millisecond, 5*time.Second
				if err := Run(t.Context(), testService, &sink, o); err != nil || sink.n != events {
					t.Errorf("%d events, want %d; Run: %v", sink.n, events, err)
				}
			})
		})
	}
}

// An orphan is a connection whose server has closed its socket. Its system sends the
// rest, as far as the window lets it, until it is written to.
type orphan struct {
	halfDead

	mu     sync.Mutex
	window []byte // has arrived
}

func (c *orphan) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.halfDead.RoundTrip(req)
	resp.Body = c
	return resp, err
}

func (c *orphan) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := min(64<<10-len(c.window), len(c.rest)); n > 0 {
		c.window, c.rest = append(c.window, c.rest[:n]...), c.rest[n:]
	}
	n := copy(p, c.window)
	if c.window = c.window[n:]; n > 0 {
		return n, nil
	}
	return 0, io.EOF
}

func (c *orphan) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rest = nil
	return len(p), nil
}

// A slowSink takes some time for each event.
type slowSink struct {
	every time.Duration
	n     int
}

func (s *slowSink) Event(*Event) error {
	s.n++
	time.Sleep(s.every)
	return nil
}

func (s *slowSink) Flush() error { return nil }
