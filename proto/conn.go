package proto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/hark-cli/hark/proto/wire"
)

// A link is one open connection: the library's connection and the tap below it,
// with a goroutine that reads and one that writes. The loop in serve.go owns it.
//
// Contexts never reach the library: cancelling a read or a write would cut the
// connection before a close frame could go out. Closing the tap unblocks both.
type link struct {
	ws      *websocket.Conn
	tap     *tap
	limit   int64 // of a message, in bytes
	free    pool
	collect bool // all control frames are wanted, for a trace

	// batches is closed when the reader has ended; readErr says why.
	batches chan *batch
	readErr error
	stop    chan struct{} // closed by close: the reader need not hand over any more

	out outbox
	wg  sync.WaitGroup

	// Owned by the reader.
	cur    *batch
	start  int  // of the message being read, in cur.data
	inside bool // a message is being read into cur
}

func newLink(ws *websocket.Conn, t *tap, o *Options) *link {
	l := &link{
		ws: ws, tap: t,
		limit:   o.MaxMessageSize,
		free:    o.free,
		collect: o.Trace.Frame != nil || o.Frames,
		batches: make(chan *batch, 1),
		stop:    make(chan struct{}),
		out:     outbox{wake: make(chan struct{}, 1), wrote: make(chan struct{}, 1)},
	}
	l.cur = l.free.get()
	t.waiting = l.handOver
	if l.collect {
		t.sent = func(op wire.Opcode, p []byte) { l.control(Out, op, p) }
	}
	t.onPing = func(p []byte) { l.control(In, wire.OpPing, p) }
	t.onPong = func(p []byte) { l.control(In, wire.OpPong, p) }
	return l
}

// run starts the two goroutines.
func (l *link) run() {
	l.wg.Go(func() {
		l.readErr = l.read()
		l.handOver()
		close(l.batches)
	})
	l.wg.Go(func() {
		if err := l.write(); err != nil {
			l.out.fail(err)
			l.tap.Close() // the reader ends, and the loop learns of it
		}
	})
}

// close ends the connection at once and waits for its goroutines.
func (l *link) close() {
	close(l.stop)
	l.out.close()
	l.tap.Close()
	l.ws.CloseNow()
	for range l.batches {
	}
	l.wg.Wait()
}

// read reads messages until the connection ends, and says why it did.
func (l *link) read() error {
	for {
		typ, r, err := l.ws.Reader(context.Background())
		if err != nil {
			return l.lost(err)
		}
		l.start, l.inside = len(l.cur.data), true
		err = l.readMessage(r)
		l.inside = false
		b := l.cur
		if err != nil {
			b.data = b.data[:l.start] // a part of a message is no message
			return l.lost(err)
		}
		b.entries = append(b.entries, entry{start: l.start, end: len(b.data), op: wire.Opcode(typ), dir: In, time: l.tap.readAt})
		if len(b.data) >= batchSize {
			l.handOver()
		}
	}
}

// readMessage appends one message to the current batch.
func (l *link) readMessage(r io.Reader) error {
	const room = 512
	for {
		b := l.cur
		if cap(b.data)-len(b.data) < room {
			b.data = grow(b.data)
		}
		// While this read waits, handOver may take the complete messages away,
		// but it leaves the buffer where it is.
		n, err := r.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// grow doubles the room, because a large message comes in thousands of reads.
func grow(b []byte) []byte {
	g := make([]byte, len(b), max(2*cap(b), batchSize))
	copy(g, b)
	return g
}

// handOver gives the complete messages to the loop. It runs when the next read
// would block, when a batch is full, and at the end; it blocks while the loop
// has no room for more.
func (l *link) handOver() {
	b := l.cur
	if len(b.entries) == 0 {
		return
	}
	if l.inside {
		// The message's bytes stay where they are being read to: hand over a
		// copy of what is complete.
		c := l.free.get()
		c.data = append(c.data, b.data[:l.start]...)
		c.entries = append(c.entries, b.entries...)
		clear(b.entries)
		b.entries = b.entries[:0]
		b = c
	} else {
		l.cur = l.free.get()
	}
	if !l.collect && b.control() {
		// Signs of life must not keep the reader from answering the next one.
		select {
		case l.batches <- b:
		default:
			l.free.put(b)
		}
		return
	}
	select {
	case l.batches <- b:
	case <-l.stop:
	}
}

func (l *link) control(dir Direction, op wire.Opcode, p []byte) {
	at := l.tap.readAt
	if dir == Out {
		at = time.Now()
	}
	l.cur.entries = append(l.cur.entries, entry{control: append([]byte(nil), p...), op: op, dir: dir, time: at})
}

// closeSeen records the peer's close frame. The library has answered it already,
// so it goes before the answer.
func (l *link) closeSeen(ce websocket.CloseError) {
	l.control(In, wire.OpClose, wire.ClosePayload(int(ce.Code), ce.Reason))
	e := l.cur.entries
	if n := len(e); n > 1 && e[n-2].op == wire.OpClose {
		e[n-1], e[n-2] = e[n-2], e[n-1]
	}
}

// lost says what the end of the reader means.
func (l *link) lost(err error) error {
	if ce, ok := errors.AsType[websocket.CloseError](err); ok {
		if l.collect {
			l.closeSeen(ce)
		}
		return &CloseError{Code: int(ce.Code), Reason: ce.Reason}
	}
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return &TooBigError{Limit: l.limit}
	}
	if pe, ok := errors.AsType[*ProtocolError](err); ok {
		return pe
	}
	if werr := l.out.failure(); werr != nil {
		err = werr
	}
	if ends(err) {
		return &LostError{errEnd}
	}
	if broken(err) {
		return &LostError{reason(err)}
	}
	// The library found the peer breaking the protocol, and has told it so.
	return &ProtocolError{reason(err)}
}

var errEnd = errors.New("the server ended it without a close frame")

func ends(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe)
}

// broken tells a failure of the network from one of the protocol.
func broken(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) || errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded)
}

// write sends what the outbox holds until it is closed.
func (l *link) write() error {
	for {
		frames, ok := l.out.take()
		if !ok {
			return nil
		}
		for i := range frames {
			if err := l.send(&frames[i].Frame); err != nil {
				return err
			}
			if frames[i].confirm {
				signal(l.out.wrote)
			}
		}
	}
}

func (l *link) send(f *Frame) error {
	switch {
	case f.Opcode == wire.OpPing:
		// Before the write: the answer may be here before it returns.
		l.out.pinged.Store(int64(time.Since(l.tap.start)))
		return l.tap.inject(f.Opcode, f.Payload)
	case f.Opcode.Control():
		return l.tap.inject(f.Opcode, f.Payload)
	}
	if err := l.ws.Write(context.Background(), websocket.MessageType(f.Opcode), f.Payload); err != nil {
		return fmt.Errorf("sending: %w", reason(err))
	}
	return nil
}

// pingSent is when the last ping of ours went out.
func (l *link) pingSent() time.Time { return l.tap.start.Add(time.Duration(l.out.pinged.Load())) }

// An outbox holds frames for the writer. Putting never blocks.
type outbox struct {
	wake   chan struct{}
	wrote  chan struct{} // a frame that asked for it has been written
	pinged atomic.Int64  // nanoseconds after the tap's start

	mu     sync.Mutex
	frames []outgoing
	ended  bool
	err    error
}

type outgoing struct {
	Frame
	confirm bool
}

func (o *outbox) put(f Frame, confirm bool) {
	o.mu.Lock()
	o.frames = append(o.frames, outgoing{f, confirm})
	o.mu.Unlock()
	signal(o.wake)
}

func (o *outbox) take() ([]outgoing, bool) {
	for {
		o.mu.Lock()
		frames, ended := o.frames, o.ended
		o.frames = nil
		o.mu.Unlock()
		if ended {
			return nil, false
		}
		if len(frames) > 0 {
			return frames, true
		}
		<-o.wake
	}
}

func (o *outbox) close() {
	o.mu.Lock()
	o.ended = true
	o.mu.Unlock()
	signal(o.wake)
}

func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
}

func (o *outbox) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
