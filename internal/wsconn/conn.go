package wsconn

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/hark-cli/hark/proto/frame"
)

// A Conn is one open connection: the library's connection and the tap below it, with a
// reader and a writer goroutine. It must be used by one goroutine.
//
// Contexts are not passed to the library: canceling a read or a write would close the
// connection before a close frame could be sent. Closing the tap unblocks both.
type Conn struct {
	Config
	ws  *websocket.Conn
	tap *tap

	// batches is closed when the reader has ended; end is why.
	batches chan *Batch
	end     End
	stop    chan struct{} // closed by Close, which stops the reader

	out    outbox
	writer frameWriter
	wg     sync.WaitGroup
	tickAt time.Time // of the meter

	// Used by the reader only.
	cur    *Batch
	start  int  // of the message being read, in cur.Data
	inside bool // a message is being read into cur
	last   int  // size of the last large message, in bytes
	// reserved is the reservation in the Budget for the message being read, in bytes; 0
	// while it is small.
	reserved int
}

// A Config configures a connection.
type Config struct {
	MaxMessage int64 // the largest message that is accepted, in bytes
	MaxFrame   int   // the largest frame that is sent, in bytes
	Budget     Budget
	Pool       *Pool
	// Collect includes pings, pongs and close frames of both directions in batches.
	// Otherwise batches include those of the server, except close frames.
	Collect bool
	// Queued reports whether control frames count in the Budget, as messages do.
	Queued func() bool
	// NoFastPath reads all messages with the library, for comparison in tests.
	NoFastPath bool
}

// A Budget limits the memory for messages. See the queue of package proto.
type Budget interface {
	// Reserve reserves n bytes instead of have bytes reserved before. It may wait until
	// stop is closed. It returns false if there is not even room for least bytes; the
	// reservation then stays at have.
	Reserve(have, n, least int, stop <-chan struct{}) bool
	// Release releases reserved bytes.
	Release(n int)
}

// An End is why the reader has ended.
type End struct {
	Kind   EndKind
	Code   int    // of Closed; frame.StatusNone if the close frame had none
	Reason string // of Closed
	Limit  int64  // of TooBig
	Err    error  // of the other kinds
}

// An EndKind is a kind of End.
type EndKind int

const (
	// Lost: there was no close frame.
	Lost EndKind = iota
	// Closed: the server has sent a close frame.
	Closed
	// Violated: the server violated RFC 6455.
	Violated
	// TooBig: a message was larger than Config.MaxMessage.
	TooBig
	// Panicked: Err is a *PanicError.
	Panicked
)

// newConn returns a connection and starts its goroutines.
func newConn(ws *websocket.Conn, t *tap, config Config) *Conn {
	c := &Conn{
		Config: config, ws: ws, tap: t,
		batches: make(chan *Batch, 1),
		stop:    make(chan struct{}),
		out:     newOutbox(),
	}
	c.cur = c.Pool.Get(&Batch{})
	c.writer = frameWriter{w: t.rwc, out: &c.out, most: c.MaxFrame, zip: t.zip, start: t.start}
	t.fast = t.fast && !c.NoFastPath
	t.in.limit = c.MaxMessage
	t.waiting = c.handOver
	t.onPing = c.ping
	t.onPong = func(p []byte) { c.control(false, frame.OpPong, p) }
	c.wg.Go(c.reader)
	c.wg.Go(func() {
		defer close(c.out.done)
		if err := c.write(); err != nil {
			// The reader continues, to read what has arrived.
			c.out.fail(err)
			c.tap.leave()
		}
	})
	return c
}

// Batches delivers the messages. It is closed at the end; then End returns why.
func (c *Conn) Batches() <-chan *Batch { return c.batches }

// End returns why the connection has ended, after Batches is closed.
func (c *Conn) End() End { return c.end }

// Send queues a frame, and returns false if nothing can be sent any more: after a close
// frame, or when a write has failed. With confirm, Written receives when it has been
// sent; at most one such frame may be queued. Send does not block.
func (c *Conn) Send(op frame.Opcode, payload []byte, confirm bool) bool {
	return c.out.put(op, payload, confirm)
}

// SendClose queues a close frame, after which nothing is sent (RFC 6455, section
// 5.5.1). Messages queued before are sent until by. It reports whether this is the
// first close frame.
func (c *Conn) SendClose(payload []byte, by time.Time) bool { return c.out.close(payload, by) }

// Written receives when a frame queued with confirm has been sent.
func (c *Conn) Written() <-chan struct{} { return c.out.wrote }

// Writable receives when State.Full has ended.
func (c *Conn) Writable() <-chan struct{} { return c.out.room }

// Answered is called when the last ping was answered, and Heard when a message has been
// received: they show which of the confirmed frames the server has read.
func (c *Conn) Answered() { c.out.answered() }

// Heard is called when a message has been received.
func (c *Conn) Heard() { c.out.heard() }

// Sent returns how many messages with confirm have been sent, and how many of them the
// server may not have read. normal means that it has closed the connection normally.
func (c *Conn) Sent(normal bool) (written, unconfirmed int) {
	return c.out.written(), c.out.unconfirmed(normal)
}

// A State is the state of a connection at some time.
type State struct {
	// Full: the server does not read; the receiver of Batches should stop, so that a
	// server cannot request unlimited replies.
	Full bool
	// StuckAt is when the server will have read nothing for StuckTime; zero while not
	// Full.
	StuckAt time.Time
	// Stalled: nothing has been read for some time, for whatever reason. Resumed is
	// when reads last resumed after that; zero for never.
	Stalled bool
	Resumed time.Time
	// Unread: no read waits for data, so data that has arrived may be unread.
	Unread bool
	// Drained is the last time at which all data that had arrived is known to have been
	// read.
	Drained time.Time
	// Heard is when the last bytes were received, PingSent when the last ping was sent.
	Heard, PingSent time.Time
	// Next is when State must be called again.
	Next time.Time
}

// State returns the state of the connection. It must be called again at State.Next.
func (c *Conn) State(now time.Time) State {
	s := State{
		Heard:    c.tap.lastHeard(),
		PingSent: c.tap.start.Add(time.Duration(c.writer.pinged.Load())),
	}
	if !now.Before(c.tickAt) {
		c.tap.meter.tick(now)
		c.tickAt = now.Add(TickInterval)
	}
	s.Next = c.tickAt
	s.Full, s.StuckAt = c.out.full()
	c.tap.meter.read(now, &s)
	return s
}

// Close closes the connection at once and waits for its goroutines.
func (c *Conn) Close() {
	close(c.stop)
	c.out.end()
	c.tap.Close()
	c.ws.CloseNow()
	for b := range c.batches {
		c.discard(b)
	}
	c.wg.Wait()
	c.Budget.Release(c.reserved)
}

func (c *Conn) write() (err error) {
	defer rescue(&err)
	return c.writer.run()
}

// reader reads messages, and at the end queues the close frame for what has ended it.
func (c *Conn) reader() {
	defer close(c.batches)
	if c.end = c.read(); c.end.Kind == Panicked {
		return
	}
	if c.inside { // an incomplete message
		c.cur.Data, c.inside = c.cur.Data[:c.start], false
	}
	v := c.tap.failed
	if v != nil {
		c.answer(v)
	}
	c.handOver()
	if v == nil {
		return
	}
	t := time.NewTimer(failTimeout)
	select { // for the answer to be written
	case <-c.out.done:
	case <-t.C:
	case <-c.stop:
	}
	t.Stop()
	if v.closed == nil {
		c.tap.linger()
	}
}

// answer queues the close frame for what has ended the reader.
func (c *Conn) answer(v *violation) {
	if v.closed != nil && c.Collect {
		c.control(false, frame.OpClose, v.closed)
	}
	if c.out.close(v.answer, time.Time{}) {
		if c.Collect {
			c.control(true, frame.OpClose, v.answer)
		}
	} else if v.closed != nil {
		c.out.closeAnswered()
	}
}

// ping answers a ping.
func (c *Conn) ping(p []byte) {
	c.control(false, frame.OpPing, p)
	if c.out.put(frame.OpPong, append([]byte{}, p...), false) && c.Collect {
		c.control(true, frame.OpPong, p)
	}
}

// read reads messages until the connection ends, and returns why.
func (c *Conn) read() (end End) {
	var panicked error
	defer func() {
		if panicked != nil {
			end = End{Kind: Panicked, Err: panicked}
		}
	}()
	defer rescue(&panicked)
	for {
		if v := c.readFast(); v != nil {
			return v.end
		}
		op, r, ok := c.tap.open()
		if ok && c.tap.in.left > uint64(cap(c.cur.Data)-len(c.cur.Data)) {
			c.handOver()
		} else if !ok {
			typ, lr, err := c.ws.Reader(context.Background())
			if err != nil {
				return c.ended(err)
			}
			op, r = frame.Opcode(typ), lr
		}
		c.start, c.inside = len(c.cur.Data), true
		err := c.readMessage(r)
		if err != nil {
			return c.ended(err)
		}
		c.inside = false
		if v := c.complete(op); v != nil {
			return v.end
		}
	}
}

// fail ends the reader with a violation that the tap has not found.
func (c *Conn) fail(v *violation) *violation {
	c.tap.failed = v
	return v
}

// ended returns the End for an error of the reader.
func (c *Conn) ended(err error) End {
	if v := c.tap.failed; v != nil {
		return v.end
	}
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return c.fail(tooBig(c.MaxMessage)).end
	}
	if werr := c.out.failure(); werr != nil {
		if _, ok := errors.AsType[*PanicError](werr); ok {
			return End{Kind: Panicked, Err: werr}
		}
		return End{Err: innermost(werr)}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) {
		return End{Err: ErrEnd}
	}
	if broken(err) {
		return End{Err: innermost(err)}
	}
	// Everything else is checked by the tap.
	return c.fail(breach(frame.StatusProtocol, "compressed message", "the server sent a compressed message that cannot be decompressed")).end
}

// ErrEnd is End.Err when the peer has closed the connection after all that it had sent.
var ErrEnd = errors.New("connection closed without a close frame")

// broken reports whether an error is one of the network rather than of the protocol.
func broken(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) || errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded)
}

// innermost returns the innermost error, because the messages of the library's wrappers
// contain the address of the request.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
