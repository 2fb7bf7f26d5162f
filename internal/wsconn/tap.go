package wsconn

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// readBuffer is what one read from the network may bring, in bytes. The
// library's own buffer is 4 KiB and fixed; with 64 KiB below it, a burst costs a
// sixteenth of the system calls.
const readBuffer = 64 << 10

// A tap sits between the WebSocket library and the network. It is the body of
// the 101 answer as the library sees it, so it works above TLS. It reads in large
// pieces, tells when a read is about to block, and checks every frame before the
// library gets it: of close frames, and of what breaks a rule, the library sees
// nothing. What the library writes goes nowhere; see writer.go.
type tap struct {
	rwc io.ReadWriteCloser

	// Owned by the reading goroutine.
	buf     []byte
	r, w    int
	readErr error
	ended   bool      // the library has been told that there is no more
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
	above bool   // there is none below: rwc is what the meter is for

	start  time.Time
	heard  atomic.Int64 // of the last bytes, nanoseconds after start
	closed sync.Once

	// Of the time after the writer has failed, guarded by mu: what has arrived is
	// read, but nothing is waited for.
	mu      sync.Mutex
	leaving bool
	reading bool        // a read of the network is under way
	patient *time.Timer // ends it
}

// newTap makes a tap above rwc. m is the meter of the connection; with nil, rwc gets one.
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

// Write implements io.Writer for the library, which has nothing to say: it answers
// no ping, sees no close frame and nothing that breaks a rule, except a message that
// is too large when it is decompressed, and the reader knows of that.
func (t *tap) Write(p []byte) (int, error) { return len(p), nil }

// A libraryConn is a tap as the library has it: what it closes is still ours.
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
	if len(p) >= len(t.buf) { // part of a large message: no detour
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

// leave is called when the writer has failed: a connection that cannot be written to
// is over when all that has arrived is read.
func (t *tap) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leaving = true
	t.hasten()
}

// hasten ends a read of the network that waits, if that is the last one. t.mu is held.
func (t *tap) hasten() {
	switch {
	case !t.leaving || !t.reading:
	case t.patient == nil:
		t.patient = time.AfterFunc(failTimeout, func() { t.Close() })
	default:
		t.patient.Reset(failTimeout)
	}
}

// inControl: the library is inside a control frame. It gives such a frame 5 s to
// arrive and then drops the connection, so this is no place to wait for room.
func (t *tap) inControl() bool { return t.in.left > 0 && t.in.h.Opcode.Control() }

// saw looks at what the library is about to get. Of what ends the connection, it
// gets those bytes that come before.
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

// errViolation ends the library's reads; tap.failed says what it stands for.
var errViolation = errors.New("violation")

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

// Close ends the connection at once and unblocks all who read or write.
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
