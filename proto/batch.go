package proto

import (
	"slices"
	"time"
	"unsafe"

	"github.com/hark-cli/hark/proto/frame"
)

// batchSize is how many bytes of messages are handed over at once when messages
// come faster than they are looked at. It is what a pipe holds.
const batchSize = 64 << 10

// batchSlack is room beyond it, so that a message of that size does not make the
// batch grow; batchRest is how little of the room makes a batch full.
const (
	batchSlack = 8 << 10
	batchRest  = 512
)

// A batch is what the reader hands over in one go: messages one after the
// other in one buffer, and the control frames that came between them.
type batch struct {
	data    []byte
	entries []entry
	events  int
	weight  int  // what it counts for in the queue, in bytes
	refused bool // the queue has no room for it, or for a message that is not read
}

// An entry is one message or one control frame of a batch.
type entry struct {
	start, end int    // of a message, in data
	own        []byte // payload of a control frame, or of what is sent
	time       time.Time
	op         frame.Opcode
	dir        Direction
	event      bool // it is for the sink
	secret     bool
}

func (b *batch) payload(e *entry) []byte {
	if e.own != nil {
		return e.own
	}
	return b.data[e.start:e.end]
}

// control reports whether there is no message in the batch.
func (b *batch) control() bool {
	return len(b.data) == 0 && !slices.ContainsFunc(b.entries, func(e entry) bool { return !e.op.Control() })
}

// recycle is the largest buffer that is used again, in bytes: one giant message
// must not keep its memory for good.
const recycle = 1 << 20

// cost is what the batch counts for in a queue, in bytes: its messages, and what is
// noted of them, which is more than the messages when they are short.
func (b *batch) cost() int { return len(b.data) + len(b.entries)*int(unsafe.Sizeof(entry{})) }

// room is the memory that the batch takes, in bytes.
func (b *batch) room() int { return cap(b.data) + cap(b.entries)*int(unsafe.Sizeof(entry{})) }

// merge takes over what is in c, and reports whether there was room for that. A
// batch has room for much more than the one message that it often carries, and
// many of them may wait.
func (b *batch) merge(c *batch, most int) bool {
	size := len(b.data) + len(c.data)
	if size > cap(b.data) || b.cost()+c.cost() > most || len(b.entries)+len(c.entries) > batchEntries {
		return false
	}
	offset := len(b.data)
	b.data = append(b.data, c.data...)
	for _, e := range c.entries {
		e.start, e.end = e.start+offset, e.end+offset
		b.entries = append(b.entries, e)
	}
	b.events += c.events
	return true
}

// A pool keeps a few batches for use in turn. It belongs to a run, not to the
// process, so that nothing outlives it.
type pool struct {
	batches chan *batch
	spare   spare // of large ones, their data
}

// get returns an empty batch. like is one that was filled last: a new one gets room
// for about as many entries.
func (p *pool) get(like *batch) *batch {
	select {
	case b := <-p.batches:
		return b
	default:
		n := len(like.entries)
		return &batch{data: make([]byte, 0, batchSize+batchSlack), entries: make([]entry, 0, n+n/32)}
	}
}

// put takes back a batch that nobody needs any more.
func (p *pool) put(b *batch) {
	if cap(b.data) > recycle {
		p.spare.put(b.data)
		return
	}
	clear(b.entries)
	b.data, b.entries, b.events, b.weight, b.refused = b.data[:0], b.entries[:0], 0, 0, false
	select {
	case p.batches <- b:
	default:
	}
}

// newPool makes room for the batches of a queue that is paced, and for those on their
// way: with the reader, the loop and the sink.
func newPool() *pool { return &pool{batches: make(chan *batch, paceSize/batchSize+6)} }
