package proto

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/wsserver"
	"github.com/hark-cli/hark/proto/frame"
)

// FuzzConnection fuzzes the bytes of a connection, and the size of pieces: it ends
// without a panic, and yields the messages that a naive reader finds, up to the first
// error.
func FuzzConnection(f *testing.F) {
	for _, seed := range [][]byte{
		frameBytes(frame.OpText, `{"a":1}`),
		append(frameBytes(frame.OpPing, "x"), frameBytes(frame.OpBinary, "\xff")...),
		frameBytes(frame.OpClose, "\x03\xe8bye"),
		frameBytes(frame.OpText, "\xff"),
		append(frame.AppendHeader(nil, frame.Header{Opcode: frame.OpText, Length: 1}), 'a'),
		frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.OpText, Length: 1 << 60}),
		frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.OpText, RSV: 4, Length: 2}),
	} {
		f.Add(seed, uint8(0), false)
		f.Add(seed, uint8(1), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, piece uint8, compression bool) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			go func() {
				for range p.in {
				}
			}()
			for rest := data; len(rest) > 0; {
				n := len(rest)
				if piece > 0 {
					n = min(n, int(piece))
				}
				if _, err := p.conn.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		}}
		o := testOptions(nw)
		o.Retries = 0
		o.MaxMessageSize = 1 << 16
		o.Dial.Compression = compression
		o.Trace.Frame = func(FrameRecord) {}
		if compression {
			o.Transport = nw.deflating()
		}
		var sink recorder
		err := Run(context.Background(), testService, &sink, o)
		nw.wg.Wait()
		if is[*InternalError](err) {
			t.Errorf("Run: %v", err)
		}
		if want := naive(data, int(o.MaxMessageSize), compression); !slices.Equal(want, sink.events) {
			t.Errorf("events %.50q, want %.50q; %v", sink.events, want, err)
		}
	})
}

// naive reads the messages of a stream up to the first error.
func naive(b []byte, limit int, compression bool) (messages []string) {
	var whole, dict []byte
	var op frame.Opcode // of the message that is not complete; 0 for none
	zipped := false
	for {
		h, n := frame.ParseHeader(b)
		canonical := frame.AppendHeader(nil, h)
		if n == 0 || h.Masked || !bytes.Equal(canonical, b[:n]) || h.Length > uint64(len(b)-n) {
			return messages
		}
		payload := b[n : n+int(h.Length)]
		b = b[n+int(h.Length):]
		switch {
		case h.Opcode == frame.OpPing || h.Opcode == frame.OpPong:
			if !h.Fin || h.RSV != 0 || len(payload) > 125 {
				return messages
			}
			continue
		case h.Opcode == frame.OpText || h.Opcode == frame.OpBinary:
			if op != 0 || h.RSV != 0 && (h.RSV != 4 || !compression) {
				return messages
			}
			op, zipped, whole = h.Opcode, h.RSV == 4, nil
		case h.Opcode != frame.OpContinuation || op == 0 || h.RSV != 0:
			return messages
		}
		if whole = append(whole, payload...); !zipped && len(whole) > limit || len(whole) > limit+limit/8+1024 {
			return messages
		}
		if !h.Fin {
			continue
		}
		if zipped {
			r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(whole), strings.NewReader("\x00\x00\xff\xff")), dict)
			plain, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
			if err != nil && err != io.ErrUnexpectedEOF || len(plain) > limit {
				return messages
			}
			whole = plain
			dict = append(dict, plain...)
			dict = dict[max(0, len(dict)-32<<10):]
		}
		if op == frame.OpText && !utf8.Valid(whole) {
			return messages
		}
		messages = append(messages, string(whole))
		op = 0
	}
}

// FuzzHandshake fuzzes the response to an opening handshake.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 302 Found\r\nLocation: ws://[::1\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 302 Found\r\nLocation: //other/?token=1#x\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 503 No\r\nRetry-After: 99999999999\r\n\r\nbody\x00\x1b[31m"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		var wg sync.WaitGroup
		n := netdial.NewTransport(&netdial.Network{MaxHeader: 4096, Dial: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			wg.Go(func() {
				defer server.Close()
				if _, err := http.ReadRequest(bufio.NewReader(server)); err != nil {
					return
				}
				wg.Go(func() { io.Copy(io.Discard, server) })
				server.Write(answer)
			})
			return client, nil
		}})
		o := DefaultOptions()
		o.Transport = n
		o.Retries = 0
		o.Dial.MaxRedirects = 3
		err := Run(context.Background(), &rawService{URL: "ws://test/a", Header: http.Header{"X-Api-Key": {"k"}}}, &recorder{}, o)
		n.CloseIdleConnections()
		wg.Wait()
		if err != nil && strings.ContainsAny(err.Error(), "\x1b\x00") {
			t.Errorf("control characters in %q", err)
		}
	})
}

// Two thousand times: connect, stream, lose the connection. No goroutine or memory
// leaks.
func TestNothingIsLeftBehind(t *testing.T) {
	cycles := 2000
	if testing.Short() {
		cycles = 200
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	server := newCuttingServer(l)
	defer server.Close()

	n := netdial.NewTransport(&netdial.Network{})
	run := func(cycles int) {
		sink := &recorder{}
		o := DefaultOptions()
		o.Transport = n
		o.Retries = cycles - 1
		o.RetryWindow = time.Hour
		o.Backoff = Backoff{}
		o.MaxMessageSize = 1 << 20
		err := Run(t.Context(), &rawService{URL: "ws://" + l.Addr().String()}, sink, o)
		if f, ok := errors.AsType[*Failure](err); !ok || f.Retries != cycles-1 {
			t.Fatalf("Run: %v", err)
		}
		if got := len(sink.got()); got != 3*cycles {
			t.Fatalf("%d events, want %d", got, 3*cycles)
		}
	}
	measure := func() (goroutines, descriptors int, heap uint64) {
		n.CloseIdleConnections()
		for range 200 { // what has ended needs a moment to be gone
			runtime.GC()
			if goroutines = runtime.NumGoroutine(); goroutines <= 6 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if entries, err := os.ReadDir("/proc/self/fd"); err == nil {
			descriptors = len(entries)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return goroutines, descriptors, m.HeapAlloc
	}
	run(50) // what is made once is made here
	g0, d0, h0 := measure()
	run(cycles)
	g1, d1, h1 := measure()
	if g1 > g0+2 || d1 > d0+2 || h1 > h0+2<<20 {
		t.Errorf("goroutines %d → %d, descriptors %d → %d, heap %d → %d", g0, g1, d0, d1, h0, h1)
	}
}

// newCuttingServer sends three messages on each connection and cuts it.
func newCuttingServer(l net.Listener) *http.Server {
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := wsserver.Upgrade(w, r, "", wsserver.Rules{})
		if err != nil {
			return
		}
		defer c.Close()
		for _, text := range []string{"one", "two", "three"} {
			c.Queue(frame.OpText, []byte(text))
		}
		c.Flush(wsserver.WriteTimeout)
		c.CloseWrite(wsserver.WriteTimeout)
		io.Copy(io.Discard, c.NetConn())
	})}
	go s.Serve(l)
	return s
}
