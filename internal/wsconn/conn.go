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

// A Conn is one open connection: the library's connection and the tap below it,
// with a goroutine that reads and one that writes. One goroutine owns it.
//
// Contexts never reach the library: canceling a read or a write would cut the
// connection before a close frame could go out. Closing the tap unblocks both.
type Conn struct {
	Config
	ws  *websocket.Conn
	tap *tap

	// batches is closed when the reader has ended; end says why.
	batches chan *Batch
	end     End
	stop    chan struct{} // closed by Close: the reader need not hand over any more

	out    outbox
	writer frameWriter
	wg     sync.WaitGroup
	tickAt time.Time // of the meter

	// Owned by the reader.
	cur    *Batch
	start  int  // of the message being read, in cur.Data
	inside bool // a message is being read into cur
	last   int  // what the last large message needed, in bytes
	// reserved is what is booked in the Budget for the message being read, in bytes; 0
	// when it is small so far.
	reserved int
}

// A Config says how a connection is to be used.
type Config struct {
	MaxMessage int64 // the largest message that is taken, in bytes
	MaxFrame   int   // how much of a message a frame carries at most, in bytes
	Budget     Budget
	Pool       *Pool
	// Collect: pings, pongs and close frames of both directions are wanted in batches.
	// Without it, there are those of the server, except close frames.
	Collect bool
	// Queued reports whether control frames count in the Budget, as messages do.
	Queued func() bool
	// NoFastPath sends all messages through the library, for tests to compare.
	NoFastPath bool
}

// A Budget decides how much memory may be taken for what is read. See the queue of
// package proto.
type Budget interface {
	// Reserve books n bytes instead of have that were booked before. It may wait until
	// stop is closed. When it reports false, there is not even room for least bytes, and
	// have stays booked.
	Reserve(have, n, least int, stop <-chan struct{}) bool
	// Release gives back what was booked.
	Release(n int)
}

// An End is why a connection has ended, from the reader's side.
type End struct {
	Kind   EndKind
	Code   int    // of Closed; frame.StatusNone when the close frame had none
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
	// Violated: the server broke a rule of RFC 6455.
	Violated
	// TooBig: a message was larger than Config.MaxMessage.
	TooBig
	// Panicked: Err is a *PanicError.
	Panicked
)

// newConn makes a connection and starts its goroutines.
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
			// The reader goes on: what has arrived is worth as much as before.
			c.out.fail(err)
			c.tap.leave()
		}
	})
	return c
}

// Batches yields what is read. It is closed when no more comes; then End says why.
func (c *Conn) Batches() <-chan *Batch { return c.batches }

// End is why the connection has ended, once Batches is closed.
func (c *Conn) End() End { return c.end }

// Send has a frame go out, and reports false if nothing does any more: after a close
// frame, or when a write has failed. With confirm, Written says when it has gone out; at
// most one such frame may be on its way. It never blocks.
func (c *Conn) Send(op frame.Opcode, payload []byte, confirm bool) bool {
	return c.out.put(op, payload, confirm)
}

// SendClose has a close frame go out, after which nothing does (RFC 6455, section
// 5.5.1). Messages that were sent before have until by. It reports whether there was
// no close frame yet.
func (c *Conn) SendClose(payload []byte, by time.Time) bool { return c.out.close(payload, by) }

// Written receives when a frame has gone out that was sent with confirm.
func (c *Conn) Written() <-chan struct{} { return c.out.wrote }

// Writable receives when State.Full has ended.
func (c *Conn) Writable() <-chan struct{} { return c.out.room }

// Answered is called when the last ping was answered, and Heard when a message has
// come: they show what of the confirmed frames the server has read.
func (c *Conn) Answered() { c.out.answered() }

// Heard is called when a message has come.
func (c *Conn) Heard() { c.out.heard() }

// Sent is how many messages with confirm have gone out, and how many of them the
// server may not have read. normal says that it has ended the conversation as one that
// is over.
func (c *Conn) Sent(normal bool) (written, unconfirmed int) {
	return c.out.written(), c.out.unconfirmed(normal)
}

// A State is what is known of a connection at some time.
type State struct {
	// Full: the server does not take what is sent; anyone who reads Batches should stop, so
	// that a server that asks for answers finds an end to that.
	Full bool
	// StuckAt is when the server will have taken nothing for StuckTime; zero while not
	// Full.
	StuckAt time.Time
	// Stalled: nothing is being read for some time, for whatever reason, and Resumed is
	// when reading went on after it had stalled; zero if it never did.
	Stalled bool
	Resumed time.Time
	// Unread: no read waits for data, so that some of what has arrived may not be read.
	Unread bool
	// Drained is the last moment at which all that had arrived is known to have been
	// read.
	Drained time.Time
	// Heard is when the last bytes came, PingSent when the last ping went out.
	Heard, PingSent time.Time
	// Next is when State wants to be called again.
	Next time.Time
}

// State looks at the connection. It must be called at State.Next.
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

// Close ends the connection at once and waits for its goroutines.
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

// reader reads, and at the end answers what has ended it.
func (c *Conn) reader() {
	defer close(c.batches)
	if c.end = c.read(); c.end.Kind == Panicked {
		return
	}
	if c.inside { // a part of a message is no message
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

// answer puts the close frame that answers what has ended the reader.
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

// read reads messages until the connection ends, and says why it did.
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

// fail ends the reader with a violation that was found after the tap.
func (c *Conn) fail(v *violation) *violation {
	c.tap.failed = v
	return v
}

// ended says what an error of the reader means.
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
		return End{Err: errEnd}
	}
	if broken(err) {
		return End{Err: innermost(err)}
	}
	// Nothing else is left that the tap does not check.
	return c.fail(breach(frame.StatusProtocol, "compressed message", "the server sent a compressed message that cannot be decompressed")).end
}

var errEnd = errors.New("connection closed without a close frame")

// broken tells a failure of the network from one of the protocol.
func broken(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) || errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded)
}

// innermost is the innermost error: what the library wraps around it repeats the
// address of the request.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
