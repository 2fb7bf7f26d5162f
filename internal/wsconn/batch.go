package wsconn

import (
	"slices"
	"time"
	"unsafe"

	"github.com/hark-cli/hark/proto/frame"
)

// BatchSize is how many bytes of messages are passed on at once when messages arrive
// faster than they are handled. It is the capacity of a pipe.
const BatchSize = 64 << 10

// batchSlack is additional room, so that a message of that size does not make the batch
// grow; a batch with less than batchRest of room is full.
const (
	batchSlack = 8 << 10
	batchRest  = 512
)

// batchEntries is the maximum number of messages of a batch, and maxEntries that of
// entries: control frames within a message wait for its end, and of a flood of them
// only that many are recorded.
const (
	batchEntries = 4 << 10
	maxEntries   = 16 << 10
)

// A Batch is what the reader passes on at once: messages in one buffer, and the control
// frames between them.
type Batch struct {
	Data    []byte
	Entries []Entry
	// Refused: the Budget has no room for it or, if it has no entries, for a large
	// message that is not read.
	Refused bool

	// For the receiver of the batch: how many entries are events, and its weight in the
	// Budget, in bytes.
	Events, Weight int
}

// An Entry is one message or one control frame of a batch.
type Entry struct {
	Start, End int    // of a message, in Data
	Own        []byte // payload of a control frame, or of what is sent
	Time       time.Time
	Op         frame.Opcode
	Out        bool // it was sent

	// For the receiver of the batch: Mark is what it attaches to the entry.
	Event, Secret bool
	Mark          any
}

// Payload returns the payload of an entry, which is valid as long as the batch.
func (b *Batch) Payload(e *Entry) []byte {
	if e.Own != nil {
		return e.Own
	}
	return b.Data[e.Start:e.End]
}

// control reports whether there is no message in the batch.
func (b *Batch) control() bool {
	return len(b.Data) == 0 && !slices.ContainsFunc(b.Entries, func(e Entry) bool { return !e.Op.Control() })
}

// Cost returns the weight of the batch, in bytes: its messages and its entries, which
// are larger than short messages.
func (b *Batch) Cost() int { return len(b.Data) + len(b.Entries)*int(unsafe.Sizeof(Entry{})) }

// Room returns the memory that the batch occupies, in bytes.
func (b *Batch) Room() int { return cap(b.Data) + cap(b.Entries)*int(unsafe.Sizeof(Entry{})) }

// Merge appends the content of c, unless that would cost more than most, and reports
// whether it has. A batch often contains one message but has room for many, and many
// batches may wait.
func (b *Batch) Merge(c *Batch, most int) bool {
	size := len(b.Data) + len(c.Data)
	if size > cap(b.Data) || b.Cost()+c.Cost() > most || len(b.Entries)+len(c.Entries) > batchEntries {
		return false
	}
	offset := len(b.Data)
	b.Data = append(b.Data, c.Data...)
	for _, e := range c.Entries {
		e.Start, e.End = e.Start+offset, e.End+offset
		b.Entries = append(b.Entries, e)
	}
	b.Events += c.Events
	return true
}

// recycle is the largest buffer that is reused, in bytes, so that one large message
// does not occupy memory permanently.
const recycle = 1 << 20

// A Pool retains a few batches for reuse. It belongs to a run, not to the process, so
// that no memory outlives the run.
type Pool struct {
	batches chan *Batch
	large   bufferCache // their data
}

// NewPool returns a pool that retains n batches.
func NewPool(n int) *Pool { return &Pool{batches: make(chan *Batch, n)} }

// Get returns an empty batch. like is one that was filled last: a new one gets room
// for about as many entries.
func (p *Pool) Get(like *Batch) *Batch {
	select {
	case b := <-p.batches:
		return b
	default:
		n := len(like.Entries)
		return &Batch{Data: make([]byte, 0, BatchSize+batchSlack), Entries: make([]Entry, 0, n+n/32)}
	}
}

// Put returns a batch that is no longer used.
func (p *Pool) Put(b *Batch) {
	if cap(b.Data) > recycle {
		p.large.put(b.Data)
		return
	}
	clear(b.Entries)
	*b = Batch{Data: b.Data[:0], Entries: b.Entries[:0]}
	select {
	case p.batches <- b:
	default:
	}
}

// Close releases the batches of the pool.
func (p *Pool) Close() { p.large.end() }
