package proto

import (
	"crypto/rand"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

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
	ended   bool      // the library has been told that there is no more
	readAt  time.Time // of the last bytes
	in      tracker
	lane    bool // messages may take it, see lane.go
	// peerClose is the payload of the server's close frame; nil before it came.
	peerClose []byte
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
		in:    tracker{server: true},
		turn:  make(chan struct{}, 1),
		done:  make(chan struct{}),
		start: time.Now(),

		onPing: func([]byte) {},
		onPong: func([]byte) {},
	}
}

// A violation is what the rules do not allow the server, with the status code
// that it is told (RFC 6455, section 7.1.7).
type violation struct {
	code   int
	reason string // for the close frame
	err    *ProtocolError
}

func breach(code int, reason, text string) *violation {
	return &violation{code, reason, &ProtocolError{errors.New(text)}}
}

// Read implements io.Reader for the library.
func (t *tap) Read(p []byte) (int, error) {
	n, err := t.read(p)
	t.ended = err != nil
	return n, err
}

func (t *tap) read(p []byte) (int, error) {
	if t.r < t.w {
		n := copy(p, t.buf[t.r:t.r+t.share()])
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
	n = copy(p, t.buf[:t.share()])
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

// saw looks at what the library is about to get. Of bytes that break a rule which
// the library does not know, it gets those before.
func (t *tap) saw(p []byte) (int, error) {
	n, v := t.in.feed(p, t.noteClose)
	if v == nil {
		return n, nil
	}
	t.fail(v)
	t.r, t.w = 0, 0
	if n > 0 {
		return n, nil
	}
	return 0, v.err
}

func (t *tap) noteClose(op wire.Opcode, payload []byte) {
	if op == wire.OpClose && t.peerClose == nil {
		t.peerClose = append([]byte{}, payload...)
	}
}

// fail tells the server what it did wrong. Nothing that it sends is read after
// that.
func (t *tap) fail(v *violation) {
	t.readErr = v.err
	// A server that reads nothing must not stop us.
	stop := time.AfterFunc(failTimeout, func() { t.Close() })
	defer stop.Stop()
	_ = t.inject(wire.OpClose, wire.ClosePayload(v.code, v.reason))
}

// failTimeout bounds what is still done for a connection that has failed.
const failTimeout = time.Second

// linger reads on, for nothing, until the server has closed its side: if the
// connection were closed with data unread, TCP would reset it, and the server
// could lose our close frame. It is for the reading goroutine.
func (t *tap) linger() {
	stop := time.AfterFunc(failTimeout, func() { t.Close() })
	defer stop.Stop()
	for {
		if _, err := t.rwc.Read(t.buf); err != nil {
			return
		}
	}
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
	server  bool // the stream comes from a server, and is checked
	head    [14]byte
	have    int // bytes of head
	h       wire.Header
	left    uint64 // bytes of the payload still to come
	payload []byte // of a control frame
}

// boundary tells whether the stream stands between two frames.
func (t *tracker) boundary() bool { return t.have == 0 && t.left == 0 }

// feed takes the next bytes and calls control with each complete control frame.
// When they break a rule, good is how many come before that.
func (t *tracker) feed(p []byte, control func(wire.Opcode, []byte)) (good int, v *violation) {
	size := len(p)
	for len(p) > 0 {
		good = size - len(p)
		switch {
		case t.left > 0:
			n := int(min(t.left, uint64(len(p))))
			if t.h.Opcode.Control() && len(t.payload)+n <= wire.MaxControlPayload {
				t.payload = append(t.payload, p[:n]...)
			}
			t.left -= uint64(n)
			p = p[n:]
			v = t.end(control)
		case t.have == 0:
			h, n := wire.ParseHeader(p)
			if n == 0 {
				t.have = copy(t.head[:], p)
				return size, nil
			}
			p = p[n:]
			v = t.begin(h, n, control)
		default:
			t.head[t.have] = p[0]
			t.have++
			p = p[1:]
			if h, n := wire.ParseHeader(t.head[:t.have]); n > 0 {
				t.have = 0
				v = t.begin(h, n, control)
			}
		}
		if v != nil {
			return good, v
		}
	}
	return size, nil
}

func (t *tracker) begin(h wire.Header, size int, control func(wire.Opcode, []byte)) *violation {
	if v := t.check(h, size); v != nil {
		return v
	}
	t.h, t.left, t.payload = h, h.Length, t.payload[:0]
	return t.end(control)
}

// check finds what is wrong with a head of that size, as far as the library does
// not look at it.
func (t *tracker) check(h wire.Header, size int) *violation {
	if !t.server {
		return nil
	}
	switch {
	case h.Masked:
		// RFC 6455, section 5.1
		return breach(wire.StatusProtocol, "masked frame", "the server masked a frame, which only clients may do")
	case size > 2 && h.Length < 126, size > 4 && h.Length <= 0xFFFF, h.Length > math.MaxInt64:
		// RFC 6455, section 5.2
		return breach(wire.StatusProtocol, "length of a frame", "the server encoded the length of a frame in a form that is not allowed")
	}
	return nil
}

// end looks at a control frame that is complete.
func (t *tracker) end(control func(wire.Opcode, []byte)) *violation {
	if t.left > 0 || !t.h.Opcode.Control() {
		return nil
	}
	if t.h.Masked {
		wire.Mask(t.payload, t.h.Mask, 0)
	}
	// With another fault in its head, the library complains of that.
	if t.server && t.h.Opcode == wire.OpClose && t.h.Fin && t.h.RSV == 0 && len(t.payload) > 2 && !utf8.Valid(t.payload[2:]) {
		// RFC 6455, section 7.1.6
		return breach(wire.StatusInvalid, "invalid UTF-8", "the reason in the server's close frame is not UTF-8")
	}
	if control != nil {
		control(t.h.Opcode, t.payload)
	}
	return nil
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
	if resp.Request != nil { // what was added on the way, too
		t.asked = resp.Request.Header
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.answer = resp
		t.body = readBody(resp.Body, bodyExcerpt)
		resp.Body = http.NoBody
		return resp, nil
	}
	if err := checkUpgrade(req, resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	rwc, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		return nil, &ProtocolError{errNoUpgrade}
	}
	t.tap = newTap(rwc)
	t.tap.lane = len(resp.Header.Values("Sec-Websocket-Extensions")) == 0
	resp.Body = t.tap
	return resp, nil
}
