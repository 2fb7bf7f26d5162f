package wsconn

import (
	"slices"
	"time"
	"unsafe"

	"github.com/hark-cli/hark/proto/frame"
)

// BatchSize is how many bytes of messages are handed over at once when messages
// come faster than they are looked at. It is what a pipe holds.
const BatchSize = 64 << 10

// batchSlack is room beyond it, so that a message of that size does not make the
// batch grow; batchRest is how little of the room makes a batch full.
const (
	batchSlack = 8 << 10
	batchRest  = 512
)

// batchEntries is how many messages are handed over at once, and maxEntries how
// many entries a batch may have: within a message, control frames cannot be handed
// over by themselves, and of a flood of them, nobody gets more than that.
const (
	batchEntries = 4 << 10
	maxEntries   = 16 << 10
)

// A Batch is what the reader hands over in one go: messages one after the
// other in one buffer, and the control frames that came between them.
type Batch struct {
	Data    []byte
	Entries []Entry
	// Refused: the Budget has no room for it, or, when it has no entries, for a large
	// message that is not read.
	Refused bool

	// For anyone who takes the batch: how many entries are events, and what it counts for
	// in the Budget, in bytes.
	Events, Weight int
}

// An Entry is one message or one control frame of a batch.
type Entry struct {
	Start, End int    // of a message, in Data
	Own        []byte // payload of a control frame, or of what is sent
	Time       time.Time
	Op         frame.Opcode
	Out        bool // it was sent

	// For anyone who takes the batch.
	Event, Secret bool
}

// Payload is the payload of an entry, valid as long as the batch.
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

// Cost is what the batch counts for, in bytes: its messages, and what is noted of
// them, which is more than the messages when they are short.
func (b *Batch) Cost() int { return len(b.Data) + len(b.Entries)*int(unsafe.Sizeof(Entry{})) }

// Room is the memory that the batch takes, in bytes.
func (b *Batch) Room() int { return cap(b.Data) + cap(b.Entries)*int(unsafe.Sizeof(Entry{})) }

// Merge takes over what is in c, unless that would cost more than most, and reports
// whether there was room for it. A batch has room for much more than the one message
// that it often carries, and many of them may wait.
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

// recycle is the largest buffer that is used again, in bytes: one giant message
// must not keep its memory for good.
const recycle = 1 << 20

// A Pool keeps a few batches for use in turn. It belongs to a run, not to the
// process, so that nothing outlives it.
type Pool struct {
	batches chan *Batch
	large   bufferCache // their data
}

// NewPool makes a pool that keeps n batches.
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

// Put takes back a batch that nobody needs any more.
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

// Close lets go of what the pool keeps.
func (p *Pool) Close() { p.large.end() }
