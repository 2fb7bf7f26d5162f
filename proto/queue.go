package proto

import (
	"slices"
	"sync"
	"time"

	"github.com/hark-cli/hark/proto/wire"
)

// batchSize is how many bytes of messages are handed over at once when messages
// come faster than they are looked at. It is what a pipe holds.
const batchSize = 64 << 10

// A batch is what the reader hands over in one go: messages one after the
// other in one buffer, and the control frames that came between them.
type batch struct {
	data    []byte
	entries []entry
	events  int
}

// An entry is one message or one control frame of a batch.
type entry struct {
	start, end int // of a message, in data
	control    []byte
	time       time.Time
	op         wire.Opcode
	dir        Direction
	event      bool // it is for the sink
	secret     bool
}

func (b *batch) payload(e *entry) []byte {
	if e.op.Control() {
		return e.control
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

// A pool keeps a few batches for use in turn. It belongs to a run, not to the
// process, so that nothing outlives it.
type pool chan *batch

func (p pool) get() *batch {
	select {
	case b := <-p:
		return b
	default:
		return &batch{data: make([]byte, 0, batchSize+batchSize/4)}
	}
}

func (p pool) put(b *batch) {
	if cap(b.data) > recycle {
		return
	}
	clear(b.entries)
	b.data, b.entries, b.events = b.data[:0], b.entries[:0], 0
	select {
	case p <- b:
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
	bytes  int
	events int
	taken  uint64 // batches that the taker has finished, to see progress
	ended  bool
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, more: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// put adds a batch. It never blocks: the putter asks full before it reads more.
func (q *queue) put(b *batch) {
	q.mu.Lock()
	q.items = append(q.items, b)
	q.bytes += len(b.data)
	q.events += b.events
	q.mu.Unlock()
	signal(q.more)
}

// shed drops the oldest batches until the rest is within the limit, and returns
// how many events went with them. The newest stays in any case.
func (q *queue) shed(free pool) (events int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) > 1 && q.bytes > q.limit {
		b := q.items[0]
		q.items[0] = nil
		q.items = q.items[1:]
		q.bytes -= len(b.data)
		q.events -= b.events
		events += b.events
		free.put(b)
	}
	return events
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
	if len(q.items) == 0 {
		return nil, q.ended
	}
	b = q.items[0]
	q.items[0] = nil
	q.items = q.items[1:]
	return b, false
}

// finish says that the taker is through with a batch of that size.
func (q *queue) finish(bytes, events int) {
	q.mu.Lock()
	wasFull := q.bytes >= q.limit
	q.bytes -= bytes
	q.events -= events
	q.taken++
	q.mu.Unlock()
	if wasFull {
		signal(q.room)
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
