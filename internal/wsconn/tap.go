package wsconn

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// readBuffer is the size of one read from the network, in bytes. The library's own
// buffer is 4 KiB and fixed; with 64 KiB below it, a burst costs a sixteenth of the
// system calls.
const readBuffer = 64 << 10

// A tap is between the WebSocket library and the network. It replaces the body of the
// 101 response, so it is above TLS. It reads in large pieces, reports when a read is
// about to block, and checks every frame before the library gets it: the library gets
// no close frames and no violations. Writes of the library are dropped; see writer.go.
type tap struct {
	rwc io.ReadWriteCloser

	// Used by the reader goroutine only.
	buf     []byte
	r, w    int
	readErr error
	ended   bool      // the library has got io.EOF
	readAt  time.Time // of the last bytes
	in      tracker
	fast    bool // messages may take the fast path
	failed  *violation
	zip     *compressor // nil without permessage-deflate
	// waiting is called when nothing is buffered and the next read may block.
	waiting func()
	// onPing and onPong are called by the library, in the order of the messages.
	onPing, onPong func(payload []byte)

	meter *meter // of the connection below TLS
	above bool   // the meter is that of rwc

	start  time.Time
	heard  atomic.Int64 // of the last bytes, nanoseconds after start
	closed sync.Once

	// For the time after the writer has failed, guarded by mu: data that has arrived is
	// read without waiting.
	mu      sync.Mutex
	leaving bool
	reading bool        // a read of the network is active
	patient *time.Timer // ends it
}

// newTap returns a tap above rwc. m is the meter of the connection; if it is nil, rwc
// gets one.
func newTap(rwc io.ReadWriteCloser, m *meter) *tap {
	now := time.Now()
	above := m == nil
	if above {
		m = newMeter(now)
	}
	return &tap{
		rwc:   rwc,
		buf:   make([]byte, readBuffer),
		start: now,
		meter: m,
		above: above,

		onPing: func([]byte) {},
		onPong: func([]byte) {},
	}
}

// Write implements io.Writer for the library, whose writes are dropped: it does not
// answer pings, and gets no close frames and no violations, except a message that is
// too large when it is decompressed, which the reader handles.
func (t *tap) Write(p []byte) (int, error) { return len(p), nil }

// A libraryConn is a tap for the library, which must not close it.
type libraryConn struct{ *tap }

// Close implements io.Closer for the library.
func (libraryConn) Close() error { return nil }

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
	if len(p) >= len(t.buf) { // part of a large message: read it directly
		n, err := t.receive(p)
		t.readErr = err
		if n == 0 {
			return 0, err
		}
		return t.saw(p[:n])
	}
	n, err := t.receive(t.buf)
	t.r, t.w, t.readErr = 0, n, err
	if n == 0 {
		return 0, err
	}
	n = copy(p, t.buf[:t.share()])
	t.r = n
	return t.saw(p[:n])
}

// receive reads from the network.
func (t *tap) receive(p []byte) (int, error) {
	t.mu.Lock()
	t.reading = true
	t.hasten()
	t.mu.Unlock()
	if t.above {
		t.meter.begin(time.Now())
	}
	n, err := t.rwc.Read(p)
	now := time.Now()
	if t.above {
		t.meter.end(now, n, len(p))
	}
	t.mu.Lock()
	t.reading = false
	if t.patient != nil {
		t.patient.Stop()
	}
	t.mu.Unlock()
	if n > 0 {
		t.readAt = now
		t.heard.Store(int64(t.readAt.Sub(t.start)))
	}
	return n, err
}

// leave is called when the writer has failed: the connection then ends when all data
// that has arrived is read.
func (t *tap) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leaving = true
	t.hasten()
}

// hasten ends a waiting read of the network, if it is the last one. t.mu must be held.
func (t *tap) hasten() {
	switch {
	case !t.leaving || !t.reading:
	case t.patient == nil:
		t.patient = time.AfterFunc(failTimeout, func() { t.Close() })
	default:
		t.patient.Reset(failTimeout)
	}
}

// inControl: the library is reading a control frame. Its time limit for that is 5 s,
// after which it drops the connection, so the reader must not wait for room here.
func (t *tap) inControl() bool { return t.in.left > 0 && t.in.h.Opcode.Control() }

// saw checks the bytes that the library is about to get, and returns how many precede
// the end of the connection.
func (t *tap) saw(p []byte) (int, error) {
	n, v := t.in.feed(p)
	if v == nil {
		return n, nil
	}
	t.failed, t.readErr = v, errViolation
	t.r, t.w = 0, 0
	if n > 0 {
		return n, nil
	}
	return 0, errViolation
}

// errViolation ends the library's reads; tap.failed is the violation.
var errViolation = errors.New("violation")

// failTimeout is the time limit for closing a connection that has failed.
const failTimeout = time.Second

// linger reads and discards data until the server has closed its side: if the
// connection were closed with unread data, TCP would reset it, and the server might not
// receive the close frame. It must be called on the reader goroutine.
func (t *tap) linger() {
	stop := time.AfterFunc(failTimeout, func() { t.Close() })
	defer stop.Stop()
	for {
		if _, err := t.rwc.Read(t.buf); err != nil {
			return
		}
	}
}

// lastHeard returns when bytes were last received.
func (t *tap) lastHeard() time.Time { return t.start.Add(time.Duration(t.heard.Load())) }

// Close closes the connection at once and unblocks reads and writes.
func (t *tap) Close() error {
	var err error
	t.closed.Do(func() { err = t.rwc.Close() })
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.patient != nil {
		t.patient.Stop()
	}
	return err
}
