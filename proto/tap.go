package proto

import (
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hark-cli/hark/proto/wire"
)

// readBuffer is what one read from the network may bring, in bytes. The
// library's own buffer is 4 KiB and fixed; with 64 KiB below it, a burst costs a
// sixteenth of the system calls.
const readBuffer = 64 << 10

// A tap sits between the WebSocket library and the network. It is the body of
// the 101 answer as the library sees it, so it works above TLS. It reads in
// large pieces, tells when a read is about to block, sees every frame head in
// both directions, and can put control frames of its own between the library's
// frames, which the library has no call for.
type tap struct {
	rwc io.ReadWriteCloser

	// Owned by the reading goroutine.
	buf     []byte
	r, w    int
	readErr error
	readAt  time.Time // of the last bytes
	in      tracker
	// waiting is called when nothing is buffered and the next read may block.
	waiting func()
	// sent is called with each control frame that the library writes by itself:
	// pongs, and the echo of a close frame. It does so while it reads.
	sent func(op wire.Opcode, payload []byte)
	// onPing and onPong are called by the library, in the order of the messages.
	onPing, onPong func(payload []byte)

	// turn is held from the first byte of an outgoing frame to its last.
	turn    chan struct{}
	holding bool // by the library; its writes never overlap
	out     tracker
	// closeSent: our own close frame is out, and nothing may follow it
	// (RFC 6455, section 5.5.1). Guarded by turn.
	closeSent bool

	start  time.Time
	heard  atomic.Int64 // of the last bytes, nanoseconds after start
	done   chan struct{}
	closed sync.Once
}

func newTap(rwc io.ReadWriteCloser) *tap {
	return &tap{
		rwc:   rwc,
		buf:   make([]byte, readBuffer),
		turn:  make(chan struct{}, 1),
		done:  make(chan struct{}),
		start: time.Now(),

		onPing: func([]byte) {},
		onPong: func([]byte) {},
	}
}

var errMasked = &ProtocolError{errors.New("the server masked a frame, which only clients may do")}

// Read implements io.Reader for the library.
func (t *tap) Read(p []byte) (int, error) {
	if t.r < t.w {
		n := copy(p, t.buf[t.r:t.w])
		t.r += n
		return t.saw(p[:n])
	}
	if t.readErr != nil {
		return 0, t.readErr
	}
	if t.waiting != nil && !t.inControl() {
		t.waiting()
	}
	if len(p) >= len(t.buf) { // part of a large message: no detour
		n, err := t.rwc.Read(p)
		t.stamp(n)
		t.readErr = err
		if n == 0 {
			return 0, err
		}
		return t.saw(p[:n])
	}
	n, err := t.rwc.Read(t.buf)
	t.stamp(n)
	t.r, t.w, t.readErr = 0, n, err
	if n == 0 {
		return 0, err
	}
	n = copy(p, t.buf[:n])
	t.r = n
	return t.saw(p[:n])
}

// inControl: the library is inside a control frame. It gives such a frame 5 s to
// arrive and then drops the connection, so this is no place to wait for room.
func (t *tap) inControl() bool { return t.in.left > 0 && t.in.h.Opcode.Control() }

func (t *tap) stamp(n int) {
	if n > 0 {
		t.readAt = time.Now()
		t.heard.Store(int64(t.readAt.Sub(t.start)))
	}
}

func (t *tap) saw(p []byte) (int, error) {
	t.in.feed(p, nil)
	if t.in.masked {
		// RFC 6455, section 5.1: fail the connection with 1002.
		_ = t.inject(wire.OpClose, wire.ClosePayload(wire.StatusProtocol, "masked frame"))
		t.readErr = errMasked
		return 0, errMasked
	}
	return len(p), nil
}

// lastHeard is when bytes last came in.
func (t *tap) lastHeard() time.Time { return t.start.Add(time.Duration(t.heard.Load())) }

// Write implements io.Writer for the library.
func (t *tap) Write(p []byte) (int, error) {
	if !t.holding {
		if err := t.take(); err != nil {
			return 0, err
		}
		t.holding = true
	}
	if t.closeSent {
		t.give()
		return len(p), nil
	}
	t.out.feed(p, t.sent)
	n, err := t.rwc.Write(p)
	if err != nil || t.out.boundary() {
		t.give()
	}
	return n, err
}

func (t *tap) take() error {
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-t.done:
		return net.ErrClosed
	}
}

func (t *tap) give() {
	t.holding = false
	<-t.turn
}

// inject writes a control frame of our own. After a close frame, nothing that
// the library writes goes out any more.
func (t *tap) inject(op wire.Opcode, payload []byte) error {
	if err := t.take(); err != nil {
		return err
	}
	defer func() { <-t.turn }()
	if t.closeSent {
		return nil
	}
	h := wire.Header{Fin: true, Opcode: op, Masked: true, Length: uint64(len(payload))}
	rand.Read(h.Mask[:])
	frame := wire.AppendHeader(make([]byte, 0, 14+len(payload)), h)
	n := len(frame)
	frame = append(frame, payload...)
	wire.Mask(frame[n:], h.Mask, 0)
	t.closeSent = op == wire.OpClose
	_, err := t.rwc.Write(frame)
	return err
}

// Close ends the connection at once and unblocks all who read or write.
func (t *tap) Close() error {
	var err error
	t.closed.Do(func() {
		close(t.done)
		err = t.rwc.Close()
	})
	return err
}

// A tracker follows a byte stream from frame to frame.
type tracker struct {
	head    [14]byte
	have    int // bytes of head
	h       wire.Header
	left    uint64 // bytes of the payload still to come
	payload []byte // of a control frame
	masked  bool   // a frame with a mask was seen
}

// boundary tells whether the stream stands between two frames.
func (t *tracker) boundary() bool { return t.have == 0 && t.left == 0 }

// feed takes the next bytes and calls control with each complete control frame.
func (t *tracker) feed(p []byte, control func(wire.Opcode, []byte)) {
	for len(p) > 0 {
		switch {
		case t.left > 0:
			n := int(min(t.left, uint64(len(p))))
			if control != nil && t.h.Opcode.Control() && len(t.payload)+n <= wire.MaxControlPayload {
				t.payload = append(t.payload, p[:n]...)
			}
			t.left -= uint64(n)
			p = p[n:]
			t.end(control)
		case t.have == 0:
			h, n := wire.ParseHeader(p)
			if n == 0 {
				t.have = copy(t.head[:], p)
				return
			}
			p = p[n:]
			t.begin(h, control)
		default:
			t.head[t.have] = p[0]
			t.have++
			p = p[1:]
			if h, n := wire.ParseHeader(t.head[:t.have]); n > 0 {
				t.have = 0
				t.begin(h, control)
			}
		}
	}
}

func (t *tracker) begin(h wire.Header, control func(wire.Opcode, []byte)) {
	t.h, t.left, t.payload = h, h.Length, t.payload[:0]
	t.masked = t.masked || h.Masked
	t.end(control)
}

func (t *tracker) end(control func(wire.Opcode, []byte)) {
	if t.left == 0 && control != nil && t.h.Opcode.Control() {
		if t.h.Masked {
			wire.Mask(t.payload, t.h.Mask, 0)
		}
		control(t.h.Opcode, t.payload)
	}
}

// A tapper is the RoundTripper of one opening handshake: it puts a tap into the
// body of a 101 answer and keeps the start of any other.
type tapper struct {
	base   http.RoundTripper
	tap    *tap
	answer *http.Response // with any other status than 101
	body   []byte
	asked  http.Header    // of the request
	got    *http.Response // whatever its status
}

// bodyExcerpt is how much of a refusal's body is read, in bytes.
const bodyExcerpt = 4 << 10

// RoundTrip implements http.RoundTripper.
func (t *tapper) RoundTrip(req *http.Request) (*http.Response, error) {
	t.asked = req.Header
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	t.got = resp
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.answer = resp
		t.body, _ = io.ReadAll(io.LimitReader(resp.Body, bodyExcerpt))
		resp.Body.Close()
		resp.Body = http.NoBody
		return resp, nil
	}
	if rwc, ok := resp.Body.(io.ReadWriteCloser); ok {
		t.tap = newTap(rwc)
		resp.Body = t.tap
	}
	return resp, nil
}
