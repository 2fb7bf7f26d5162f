package proto

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	"github.com/hark-cli/hark/proto/frame"
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
	queue   *queue
	free    *pool
	collect bool        // all control frames are wanted, for a trace
	frames  func() bool // and now for the sink, too

	// batches is closed when the reader has ended; readErr says why.
	batches chan *batch
	readErr error
	stop    chan struct{} // closed by close: the reader need not hand over any more

	out    outbox
	writer frameWriter
	wg     sync.WaitGroup

	// Owned by the reader.
	cur    *batch
	start  int  // of the message being read, in cur.data
	inside bool // a message is being read into cur
	last   int  // what the last large message needed, in bytes
	// reserved is the room in the queue for the message being read, in bytes; 0 when
	// it is small so far.
	reserved int
}

func newLink(ws *websocket.Conn, t *tap, o *Options, q *queue) *link {
	l := &link{
		ws: ws, tap: t,
		limit:   o.MaxMessageSize,
		queue:   q,
		free:    q.free,
		collect: o.Trace.Frame != nil || o.Frames,
		frames:  o.frames,
		batches: make(chan *batch, 1),
		stop:    make(chan struct{}),
		out:     newOutbox(),
	}
	l.cur = l.free.get(&batch{})
	l.writer = frameWriter{w: t.rwc, out: &l.out, most: o.maxFrameSize(), zip: t.zip, start: t.start}
	t.lane = t.lane && !o.noLane
	t.in.limit = o.MaxMessageSize
	t.waiting = l.handOver
	t.onPing = l.ping
	t.onPong = func(p []byte) { l.control(In, frame.OpPong, p) }
	return l
}

// run starts the two goroutines.
func (l *link) run() {
	l.wg.Go(func() {
		defer close(l.batches)
		if l.readErr = l.read(); is[*InternalError](l.readErr) {
			return
		}
		if l.inside { // a part of a message is no message
			l.cur.data, l.inside = l.cur.data[:l.start], false
		}
		v := l.tap.failed
		if v != nil {
			l.answer(v)
		}
		l.handOver()
		if v != nil {
			t := time.NewTimer(failTimeout)
			select { // for the answer to be written
			case <-l.out.done:
			case <-t.C:
			case <-l.stop:
			}
			t.Stop()
			if v.closed == nil {
				l.tap.linger()
			}
		}
	})
	l.wg.Go(func() {
		defer close(l.out.done)
		if err := l.write(); err != nil {
			// The reader goes on: what has arrived is worth as much as before.
			l.out.fail(err)
			l.tap.leave()
		}
	})
}

func (l *link) write() (err error) {
	defer rescue(&err)
	return l.writer.run()
}

// answer puts the close frame that answers what has ended the reader.
func (l *link) answer(v *violation) {
	if v.closed != nil && l.collect {
		l.control(In, frame.OpClose, v.closed)
	}
	if l.out.close(v.answer, time.Time{}) {
		if l.collect {
			l.control(Out, frame.OpClose, v.answer)
		}
	} else if v.closed != nil {
		l.out.closeAnswered()
	}
}

// ping answers a ping.
func (l *link) ping(p []byte) {
	l.control(In, frame.OpPing, p)
	if l.out.put(Frame{Opcode: frame.OpPong, Payload: append([]byte{}, p...)}, false) && l.collect {
		l.control(Out, frame.OpPong, p)
	}
}

// close ends the connection at once and waits for its goroutines.
func (l *link) close() {
	close(l.stop)
	l.out.end()
	l.tap.Close()
	l.ws.CloseNow()
	for b := range l.batches {
		l.queue.discard(b)
	}
	l.wg.Wait()
	l.queue.release(l.reserved)
}

// read reads messages until the connection ends, and says why it did.
func (l *link) read() (err error) {
	defer rescue(&err)
	for {
		if err := l.express(); err != nil {
			return err
		}
		op, r, ok := l.tap.open()
		if ok && l.tap.in.left > uint64(cap(l.cur.data)-len(l.cur.data)) {
			l.handOver()
		} else if !ok {
			typ, lr, err := l.ws.Reader(context.Background())
			if err != nil {
				return l.lost(err)
			}
			op, r = frame.Opcode(typ), lr
		}
		l.start, l.inside = len(l.cur.data), true
		err := l.readMessage(r)
		if err != nil {
			return l.lost(err)
		}
		l.inside = false
		if err := l.complete(op); err != nil {
			return err
		}
	}
}

// complete makes an entry of the message that stands at the end of the batch.
func (l *link) complete(op frame.Opcode) error {
	b := l.cur
	if op == frame.OpText && !utf8.Valid(b.data[l.start:]) {
		b.data = b.data[:l.start]
		return l.fail(breach(frame.StatusInvalid, "invalid UTF-8", "the server sent a text message that is not UTF-8"))
	}
	b.entries = append(b.entries, entry{start: l.start, end: len(b.data), op: op, dir: In, time: l.tap.readAt})
	if l.full() || len(b.entries) >= batchEntries {
		l.handOver()
	}
	return nil
}

// full tells whether the batch is to be handed over. In the lane the size of the
// next message is known before it goes into the batch, which need not grow for it.
func (l *link) full() bool {
	n, rest := len(l.cur.data), cap(l.cur.data)-len(l.cur.data)
	return n >= batchSize && (!l.tap.lane || rest < batchRest || n > batchSize+batchSlack)
}

// readMessage appends one message to the current batch.
func (l *link) readMessage(r io.Reader) error {
	for {
		b := l.cur
		if cap(b.data)-len(b.data) < batchRest {
			b.data = l.grow(b.data)
		}
		// While this read waits, handOver may take the complete messages away,
		// but it leaves the buffer where it is.
		n, err := r.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		if err == io.EOF {
			if l.tap.ended {
				// The library takes the end of the connection for that of the
				// message when it comes behind a head or a fragment (v1.8.15).
				return io.ErrUnexpectedEOF
			}
			l.settle()
			return nil
		}
		if err != nil {
			return err
		}
		if n := len(b.data); l.reserved > 0 && n > l.reserved {
			l.reserve(2*n, n)
		}
	}
}

// atOnce is how much memory is taken for a message before it is there, in bytes.
const atOnce = 64 << 20

// grow makes more room: as much as the frame says that is to come, or twice as much,
// because a large message comes in thousands of reads. Beyond atOnce, it grows with
// what comes, whatever the server says and the limit allows.
func (l *link) grow(b []byte) []byte {
	const ahead = 8 << 10 // what the library may have read already, and some
	size := max(2*cap(b), batchSize)
	most := math.MaxInt
	if limit := l.limit; limit < math.MaxInt/2 {
		most = l.start + int(limit) + ahead
	}
	left := l.tap.in.left
	known := left > uint64(size-len(b)) && left <= uint64(l.limit)
	if known {
		size = max(size, len(b)+int(min(left, atOnce))+ahead)
	} else if size > recycle {
		// Nobody says how much is to come, of a compressed message or one in
		// fragments. To grow twice would take more memory than the largest message
		// needs at once: of that, only what is written to becomes real.
		size = max(size, min(most, atOnce))
		if len(b) < l.last {
			size = l.last
		}
	}
	if size > most && most > cap(b) {
		size = most
	}
	if size <= recycle {
		return append(make([]byte, 0, size), b...)
	}
	const alike = 2 * readBuffer // so that it will do for the next one, too
	if known {
		l.reserve(size, size)
	} else {
		l.reserve(4*recycle, recycle) // more when more of it is there
	}
	return append(l.free.spare.get(size, size+alike), b...)
}

// settle moves a message that was given room for a much larger one out of it.
func (l *link) settle() {
	const alike = 2 * readBuffer
	b := l.cur
	if cap(b.data) <= recycle {
		return
	}
	if l.last = 0; len(b.data) > recycle {
		l.last = len(b.data) + alike
	}
	if len(b.data) < cap(b.data)/4*3 {
		room := b.data
		b.data = append(make([]byte, 0, len(room)+alike), room...)
		l.free.spare.put(room)
	}
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
		c := l.free.get(b)
		c.data = append(c.data, b.data[:l.start]...)
		c.entries = append(c.entries, b.entries...)
		clear(b.entries)
		b.entries = b.entries[:0]
		b = c
	} else {
		l.cur = l.free.get(b)
	}
	have := 0
	if !l.inside { // it is in the batch, if it was reserved for
		have, l.reserved = l.reserved, 0
	}
	switch cost := b.cost(); {
	case b.control() && !l.frames():
		// Nothing for the queue, which must not keep the reader from the next ping.
		l.queue.release(have)
	case l.queue.reserve(have+l.reserved, cost+l.reserved, 1+l.reserved, l.stop):
		b.weight = cost
	default:
		l.queue.release(have)
		b.refused = true
	}
	l.send(b)
}

func (l *link) send(b *batch) {
	select {
	case l.batches <- b:
	case <-l.stop:
		l.queue.discard(b)
	}
}

// reserve makes sure that there is room for size bytes of the message that is being
// read, of which least will be needed in any case. It is not read before that: it
// would take the memory in addition to the one that the sink has in hand.
func (l *link) reserve(size, least int) {
	l.handOver()
	if l.queue.reserve(l.reserved, size, least, l.stop) {
		l.reserved = size
		return
	}
	l.send(&batch{refused: true, events: 1})
	<-l.stop
}

// batchEntries is how many messages are handed over at once, and maxEntries how
// many entries a batch may have: control frames cannot be handed over by
// themselves, and of a flood of them, a trace gets no more than that.
const (
	batchEntries = 4 << 10
	maxEntries   = 16 << 10
)

func (l *link) control(dir Direction, op frame.Opcode, p []byte) {
	if len(l.cur.entries) >= maxEntries && op != frame.OpClose {
		return
	}
	at := l.tap.readAt
	if dir == Out {
		at = time.Now()
	}
	l.cur.entries = append(l.cur.entries, entry{own: append([]byte{}, p...), op: op, dir: dir, time: at})
}

// fail ends the reader with a violation that was found after the tap.
func (l *link) fail(v *violation) error {
	l.tap.failed = v
	return v.err
}

// lost says what the end of the reader means.
func (l *link) lost(err error) error {
	if v := l.tap.failed; v != nil {
		return v.err
	}
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return l.fail(tooBig(l.limit))
	}
	if werr := l.out.failure(); werr != nil {
		if is[*InternalError](werr) {
			return werr
		}
		return &LostError{reason(werr)}
	}
	if ends(err) {
		return &LostError{errEnd}
	}
	if broken(err) {
		return &LostError{reason(err)}
	}
	// Nothing else is left that the tap does not check.
	return l.fail(breach(frame.StatusProtocol, "compressed message", "the server sent a compressed message that cannot be decompressed"))
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

// pingSent is when the last ping of ours went out.
func (l *link) pingSent() time.Time {
	return l.tap.start.Add(time.Duration(l.writer.pinged.Load()))
}
