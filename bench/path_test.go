package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/plain"
)

// BenchmarkPath is the whole way of an event in memory, from the frame to the line.
func BenchmarkPath(b *testing.B) {
	for _, bm := range []struct {
		name string
		size int
		expr string
	}{
		{"pass/250B", 250, ""},
		{"pass/1KiB", 1 << 10, ""},
		{"pass/64KiB", 64 << 10, ""},
		{"select/250B", 250, `select(.data.value > 21)`},
		{"object/250B", 250, `{id, v: .data.value}`},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(bm.size))
			count, load := &lineCounter{}, newLoad(bm.size, false)
			b.ResetTimer()
			if err := runPath(b.Context(), load, b.N, bm.expr, count); err != nil {
				b.Fatal(err)
			}
			if bm.expr == "" && count.bytes != int64(b.N)*int64(bm.size+1) {
				b.Fatalf("%d bytes were printed for %d events", count.bytes, b.N)
			}
		})
	}
}

// A lineCounter is a stdout that counts.
type lineCounter struct{ bytes int64 }

func (c *lineCounter) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	return len(p), nil
}

// runPath streams n messages of l through engine and output into w.
func runPath(ctx context.Context, l *load, n int, expr string, w io.Writer) error {
	opts := output.Options{}
	if expr != "" {
		var err error
		if opts.Filter, err = jq.Compile("--jq", expr, jq.Vars{}); err != nil {
			return err
		}
	}
	o := proto.DefaultOptions()
	o.Retries = 0
	o.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return newCannedConn(l, n), nil
	}}
	return proto.Run(ctx, &plain.Service{URL: "ws://memory.test/"}, output.New(w, opts), o)
}

// A cannedConn is the client's side of a connection whose other side is the load
// server, without a socket between them: a read copies the frames that are next.
type cannedConn struct {
	answer  io.Reader
	request *io.PipeWriter
	ready   chan struct{}
	closed  chan struct{}
	load    *load
	left    int    // messages to come
	at      int    // in the pool
	rest    []byte // of the frames that are being read
	ended   bool   // the close frame is in rest
}

func newCannedConn(l *load, n int) *cannedConn {
	c := &cannedConn{load: l, left: n, ready: make(chan struct{}), closed: make(chan struct{})}
	r, w := io.Pipe()
	c.request = w
	go func() {
		// The handshake is that of the load server.
		mine, theirs := net.Pipe()
		go func() {
			_, _ = handshake(theirs)
			theirs.Close()
		}()
		if req, err := http.ReadRequest(bufio.NewReader(r)); err == nil {
			go func() { _, _ = io.Copy(io.Discard, r) }() // pings, the close frame
			go func() { _ = req.Write(mine) }()
			c.answer = mine
		}
		close(c.ready)
	}()
	return c
}

func (c *cannedConn) Read(p []byte) (int, error) {
	<-c.ready
	if c.answer != nil {
		n, err := c.answer.Read(p)
		if err == nil {
			return n, nil
		}
		c.answer = nil
		if n > 0 {
			return n, nil
		}
	}
	if len(c.rest) == 0 {
		switch {
		case c.left > 0:
			n := min(c.left, len(c.load.messages)-c.at)
			c.rest = c.load.cut(c.at, n)
			c.left -= n
			c.at = (c.at + n) % len(c.load.messages)
		case !c.ended:
			c.ended = true
			c.rest = frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.OpClose, Length: 2})
			c.rest = append(c.rest, frame.ClosePayload(frame.StatusNormal, "")...)
		default:
			return 0, io.EOF
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *cannedConn) Write(p []byte) (int, error) { return c.request.Write(p) }

func (c *cannedConn) Close() error {
	select {
	case <-c.closed:
		return net.ErrClosed
	default:
		close(c.closed)
		return c.request.CloseWithError(errors.New("closed"))
	}
}

func (c *cannedConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *cannedConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *cannedConn) SetDeadline(time.Time) error      { return nil }
func (c *cannedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *cannedConn) SetWriteDeadline(time.Time) error { return nil }

// An event that is only passed on costs no memory: neither the connection nor the
// queue nor the output makes garbage of it.
func TestPassThroughDoesNotAllocate(t *testing.T) {
	for _, size := range []int{250, 1 << 10} {
		l := newLoad(size, false)
		mallocs := func(n int) uint64 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := runPath(t.Context(), l, n, "", io.Discard); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			return after.Mallocs - before.Mallocs
		}
		mallocs(10) // what is made once is made here
		const n = 10_000
		start := mallocs(10)
		if got := mallocs(10 + n); got > start+n/10 { // a batch now and then
			t.Errorf("%d bytes: %d allocations more for %d events more", size, got-start, n)
		}
	}
}
