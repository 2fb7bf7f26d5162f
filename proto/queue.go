package proto

import (
	"slices"
	"sync"
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
	weight  int // what it counts for in its queue, in bytes
	// claim is the room, in bytes, that the reader wants before it reads a large
	// message, and sure how much of that will be needed in any case: then nothing
	// is in the batch.
	claim, sure int
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

// control tells whether there is no message in the batch.
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

// absorb takes over what is in c, and tells whether there was room for that. A
// batch has room for much more than the one message that it often carries, and
// many of them may wait.
func (b *batch) absorb(c *batch, most int) bool {
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
	b.data, b.entries, b.events, b.weight = b.data[:0], b.entries[:0], 0, 0
	select {
	case p.batches <- b:
	default:
	}
}

// A queue holds the batches that wait for the sink, bounded in bytes. One
// goroutine puts, another one takes.
type queue struct {
	limit int
	// more wakes the taker, room the putter.
	more, room chan struct{}

	mu     sync.Mutex
	items  []*batch
	old    int // of items, have been taken
	bytes  int
	events int
	taken  uint64 // batches that the taker has finished, to see progress
	ended  bool
	wanted int // what somebody waits to put, in bytes
	pacer  pacer
}

// fits tells whether a batch of that size may be put without exceeding the limit; if
// not, room wakes the putter when it may. An empty queue takes whatever there is.
func (q *queue) fits(size int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes == 0 || q.bytes+size <= q.limit {
		q.wanted = 0
		return true
	}
	q.wanted = size
	return false
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, more: make(chan struct{}, 1), room: make(chan struct{}, 1), pacer: newPacer()}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// put adds a batch, and gives it to free when the one before could take over what
// is in it. It never blocks: the putter asks full before it reads more.
func (q *queue) put(b *batch, free *pool) {
	q.mu.Lock()
	q.events += b.events
	absorbed := false
	if n := len(q.items); n > q.old {
		last := q.items[n-1]
		if absorbed = last.absorb(b, q.limit/16); absorbed {
			q.weigh(last, last.cost())
		} else if room := last.room(); last.cost() >= room/2 {
			// Nothing is added to it any more. What is left over in batches that
			// are meant to be full is a tenth of the memory of a full buffer; in a
			// small buffer they are not, and there are only a few.
			q.weigh(last, room)
		}
	}
	if !absorbed {
		if q.old > len(q.items)/2 { // in place of ever more memory
			n := copy(q.items, q.items[q.old:])
			clear(q.items[n:])
			q.items, q.old = q.items[:n], 0
		}
		q.items = append(q.items, b)
		q.weigh(b, b.cost())
	}
	q.mu.Unlock()
	if absorbed {
		free.put(b)
	}
	signal(q.more)
}

// weigh sets what b counts for.
func (q *queue) weigh(b *batch, weight int) {
	q.bytes += weight - b.weight
	b.weight = weight
}

// shed drops the oldest batches until the rest is within the limit, and returns
// how many events went with them. The newest stays in any case, unless something
// that takes room bytes is to come after it.
func (q *queue) shed(free *pool, room int) (events int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	keep := 1
	if room > 0 {
		keep = 0
	}
	for len(q.items)-q.old > keep && q.bytes+room > q.limit {
		b := q.first()
		q.bytes -= b.weight
		q.events -= b.events
		events += b.events
		free.put(b)
	}
	return events
}

// bursts tells whether so much more would be too much while something waits.
func (q *queue) bursts(size int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) > q.old && q.bytes+size > q.limit
}

func (q *queue) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes >= q.limit
}

// take returns the next batch, or nil when there is none now; ended says that
// none will come any more.
func (q *queue) take() (b *batch, ended bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == q.old {
		return nil, q.ended
	}
	return q.first(), false
}

// first takes the first item.
func (q *queue) first() *batch {
	b := q.items[q.old]
	q.items[q.old] = nil
	q.old++
	return b
}

// finish says that the taker is through with a batch of that weight.
func (q *queue) finish(weight, events int) {
	q.mu.Lock()
	wasFull, wasBehind := q.bytes >= q.limit, q.bytes >= paceSize
	q.bytes -= weight
	q.events -= events
	q.taken++
	eased := wasBehind && q.bytes < paceSize
	wanted := q.wanted > 0 && (q.bytes == 0 || q.bytes+q.wanted <= q.limit)
	q.mu.Unlock()
	if wasFull || wanted {
		signal(q.room)
	}
	if eased {
		signal(q.pacer.eased)
	}
}

// end says that nothing more will be put.
func (q *queue) end() {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	signal(q.more)
}

// progress returns the batches finished so far and the events that still wait.
func (q *queue) progress() (taken uint64, events int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.taken, q.events
}
