package wsconn

import (
	"io"
	"math"
	"time"
	"unicode/utf8"

	"github.com/hark-cli/hark/proto/frame"
)

// complete adds an entry for the message at the end of the batch.
func (c *Conn) complete(op frame.Opcode) *violation {
	b := c.cur
	if op == frame.OpText && !utf8.Valid(b.Data[c.start:]) {
		b.Data = b.Data[:c.start]
		return c.fail(breach(frame.StatusInvalid, "invalid UTF-8", "the server sent a text message that is not UTF-8"))
	}
	b.Entries = append(b.Entries, Entry{Start: c.start, End: len(b.Data), Op: op, Time: c.tap.readAt})
	if c.full() || len(b.Entries) >= batchEntries {
		c.handOver()
	}
	return nil
}

// full reports whether the batch is to be passed on. On the fast path the size of the
// next message is known in advance, so the batch need not grow for it.
func (c *Conn) full() bool {
	n, rest := len(c.cur.Data), cap(c.cur.Data)-len(c.cur.Data)
	return n >= BatchSize && (!c.tap.fast || rest < batchRest || n > BatchSize+batchSlack)
}

// readMessage appends one message to the current batch.
func (c *Conn) readMessage(r io.Reader) error {
	for {
		b := c.cur
		if cap(b.Data)-len(b.Data) < batchRest {
			b.Data = c.grow(b.Data)
		}
		// While this read waits, handOver may pass on complete messages, but it does
		// not move the buffer.
		n, err := r.Read(b.Data[len(b.Data):cap(b.Data)])
		b.Data = b.Data[:len(b.Data)+n]
		if err == io.EOF {
			if c.tap.ended {
				// The library mistakes the end of the connection for that of the
				// message if it follows a header or a fragment (v1.8.15).
				return io.ErrUnexpectedEOF
			}
			c.settle()
			return nil
		}
		if err != nil {
			return err
		}
		if n := len(b.Data); c.reserved > 0 && n > c.reserved {
			c.reserveRoom(2*n, n)
		}
	}
}

// atOnce is how much memory is allocated for a message in advance, in bytes.
const atOnce = 64 << 20

// grow makes more room: as much as the frame requires, or twice as much, because a
// large message is read in thousands of reads. Beyond atOnce, the room grows with the
// data received, whatever the frame header and the limit are.
func (c *Conn) grow(b []byte) []byte {
	const ahead = 8 << 10 // what the library may have read already, and a margin
	size := max(2*cap(b), BatchSize)
	most := math.MaxInt
	if limit := c.MaxMessage; limit < math.MaxInt/2 {
		most = c.start + int(limit) + ahead
	}
	left := c.tap.in.left
	known := left > uint64(size-len(b)) && left <= uint64(c.MaxMessage)
	if known {
		size = max(size, len(b)+int(min(left, atOnce))+ahead)
	} else if size > recycle {
		// The size of a compressed or fragmented message is not known in advance.
		// Growing twice would need more memory than allocating the largest size at
		// once, of which only the used part becomes resident.
		size = max(size, min(most, atOnce))
		if len(b) < c.last {
			size = c.last
		}
	}
	if size > most && most > cap(b) {
		size = most
	}
	if size <= recycle {
		return append(make([]byte, 0, size), b...)
	}
	const alike = 2 * readBuffer // so that it suffices for the next one, too
	if known {
		c.reserveRoom(size, size)
	} else {
		c.reserveRoom(4*recycle, recycle) // more when more of it has arrived
	}
	return append(c.Pool.large.get(size, size+alike), b...)
}

// settle moves a message to a smaller buffer if its buffer was made for a much larger
// one.
func (c *Conn) settle() {
	const alike = 2 * readBuffer
	b := c.cur
	if cap(b.Data) <= recycle {
		return
	}
	if c.last = 0; len(b.Data) > recycle {
		c.last = len(b.Data) + alike
	}
	if len(b.Data) < cap(b.Data)/4*3 {
		room := b.Data
		b.Data = append(make([]byte, 0, len(room)+alike), room...)
		c.Pool.large.put(room)
	}
}

// handOver passes on the complete messages. It is called when the next read would
// block, when a batch is full, and at the end; it blocks while there is no room for
// more.
func (c *Conn) handOver() {
	b := c.cur
	if len(b.Entries) == 0 {
		return
	}
	if c.inside {
		// The incomplete message is not moved: pass on a copy of the complete ones.
		whole := c.Pool.Get(b)
		whole.Data = append(whole.Data, b.Data[:c.start]...)
		whole.Entries = append(whole.Entries, b.Entries...)
		clear(b.Entries)
		b.Entries = b.Entries[:0]
		b = whole
	} else {
		c.cur = c.Pool.Get(b)
	}
	have := 0
	if !c.inside { // it is in the batch, with its reservation
		have, c.reserved = c.reserved, 0
	}
	switch cost := b.Cost(); {
	case b.control() && !c.Queued():
		// It does not count in the Budget, which must not block the reader before the
		// next ping.
		c.Budget.Release(have)
	case c.Budget.Reserve(have+c.reserved, cost+c.reserved, 1+c.reserved, c.stop):
		b.Weight = cost
	default:
		c.Budget.Release(have)
		b.Refused = true
	}
	c.send(b)
}

func (c *Conn) send(b *Batch) {
	select {
	case c.batches <- b:
	case <-c.stop:
		c.discard(b)
	}
}

// reserveRoom ensures that there is room for size bytes of the message being read, of
// which least will be needed in any case. The message is not read before that, because
// it would need memory in addition to the one that the sink is processing.
func (c *Conn) reserveRoom(size, least int) {
	c.handOver()
	if c.Budget.Reserve(c.reserved, size, least, c.stop) {
		c.reserved = size
		return
	}
	c.send(&Batch{Refused: true})
	<-c.stop
}

func (c *Conn) discard(b *Batch) {
	c.Budget.Release(b.Weight)
	c.Pool.Put(b)
}

// control adds an entry for a control frame.
func (c *Conn) control(out bool, op frame.Opcode, p []byte) {
	if len(c.cur.Entries) >= maxEntries && op != frame.OpClose {
		return
	}
	at := c.tap.readAt
	if out {
		at = time.Now()
	}
	c.cur.Entries = append(c.cur.Entries, Entry{Own: append([]byte{}, p...), Op: op, Out: out, Time: at})
}
