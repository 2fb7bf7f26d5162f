package proto

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
)

// A queue contains the batches that wait for the sink, and is the memory budget for all
// events: those waiting, those that the sink is processing, those that the reader is
// about to put, and the reservation for a message being read. It is bounded in bytes.
// Reserve alone decides what happens when it is full.
//
// The readers reserve, through a share each, the loop puts, and one more goroutine takes.
type queue struct {
	limit    int
	overflow Overflow
	free     *wsconn.Pool
	// more wakes the consumer, room the reader that waits in Reserve; drained wakes the
	// loop when the queue is no longer full.
	more, room, drained chan struct{}
	// turn is full while a reader is in Reserve.
	turn chan struct{}

	mu       sync.Mutex
	items    []*wsconn.Batch
	old      int // number of items that have been taken
	bytes    int
	events   int
	dropped  uint64 // events in total
	taken    uint64 // batches that the consumer has finished
	ended    bool   // nothing more will be put
	inHand   int    // bytes that the consumer has
	gone     bool   // the consumer has ended
	closing  bool   // the reader does not wait for a busy sink
	waiter   waiter
	behind   int // bytes that the reader has reserved that waits for its turn
	throttle throttle
	late     *time.Timer // of the waiter
}

// A waiter is a reader in Reserve.
type waiter struct {
	have, more int  // bytes that it has reserved and requests
	held       bool // it waits for a busy sink
	full       bool // it waits for room
}

func newQueue(limit int, overflow Overflow, free *wsconn.Pool) *queue {
	late := time.NewTimer(0)
	late.Stop()
	return &queue{
		limit: limit, overflow: overflow, free: free, late: late,
		more: make(chan struct{}, 1), room: make(chan struct{}, 1), drained: make(chan struct{}, 1),
		turn: make(chan struct{}, 1),
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Reserve reserves n bytes instead of the have bytes that the reader has reserved
// before. If there is no room, the policy decides: Reserve waits for it, until stop is
// closed at the latest; or the oldest events are dropped; or Reserve returns false, and
// the reservation stays at have. The latter requires room for least bytes only, which
// will be needed in any case.
//
// Whatever the limit, there is room for one batch when the queue is empty, or for a
// small one when only the sink has a batch: the ping of a server may follow right
// behind it.
//
// Only one goroutine at a time, a reader's, may call it; see share.
func (q *queue) Reserve(have, n, least int, stop <-chan struct{}) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case n <= have:
	case q.gone:
		q.await(have, n, stop)
	case q.overflow == OverflowDropOldest:
		q.dropOldest(n-have, 0)
	case q.overflow == OverflowFail:
		if len(q.items) > q.old && q.bytes-have+least > q.limit {
			return false
		}
	default:
		q.await(have, n, stop)
	}
	q.bytes += n - have
	if n < have {
		q.wake()
	}
	return true
}

// A share is the queue as the wsconn.Budget of one connection. While a connection is
// replaced there are two, whose readers wait one after the other: the policy is the same,
// whether one or two connections fill the queue.
type share struct{ *queue }

// Reserve implements wsconn.Budget.
func (b share) Reserve(have, n, least int, stop <-chan struct{}) bool {
	q := b.queue
	select {
	case q.turn <- struct{}{}:
	default:
		if !q.takeTurn(have, stop) {
			q.mu.Lock()
			q.bytes += n - have
			q.mu.Unlock()
			return true
		}
	}
	defer func() { <-q.turn }()
	return q.Reserve(have, n, least, stop)
}

// takeTurn waits until the other reader has reserved what it needs; it returns false when
// stop is closed before. What this reader has counts for nothing meanwhile: otherwise
// each could wait for the other.
func (q *queue) takeTurn(have int, stop <-chan struct{}) bool {
	add := func(n int) {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.behind += n
		q.wake()
	}
	add(have)
	defer add(-have)
	select {
	case q.turn <- struct{}{}:
		return true
	case <-stop:
		return false
	}
}

// await waits for a busy sink, and then for room. q.mu must be held.
func (q *queue) await(have, n int, stop <-chan struct{}) {
	w := &q.waiter
	w.have, w.more = have, n-have
	defer func() { *w = waiter{} }()
	defer q.late.Stop()
	for wait := q.delay(w.more, time.Now()); wait > 0; wait = q.delay(w.more, time.Now()) {
		q.late.Reset(wait)
		w.held = true
		stopped := q.sleep(q.late.C, stop)
		if w.held = false; stopped {
			return
		}
	}
	for !q.hasRoom() {
		w.full = true
		if q.sleep(nil, stop) {
			return
		}
	}
}

// sleep waits for room or late, and reports whether there is nothing to wait for any
// more. q.mu must be held; it is released while waiting.
func (q *queue) sleep(late <-chan time.Time, stop <-chan struct{}) (stopped bool) {
	q.mu.Unlock()
	defer q.mu.Lock()
	select {
	case <-q.room:
		return false
	case <-late:
		return false
	case <-stop:
		return true
	}
}

// hasRoom reports whether there is room for what the reader waits for.
func (q *queue) hasRoom() bool {
	w := &q.waiter
	return q.bytes == w.have+q.behind || q.bytes+w.more <= q.limit || w.more <= wsconn.BatchSize && len(q.items) == q.old
}

// wake wakes the reader if it may continue. While the sink is busy, it reads several
// batches in a row instead of one for each batch that is done. q.mu must be held.
func (q *queue) wake() {
	w := &q.waiter
	if w.held && (q.gone || q.closing || q.bytes < throttleSize/2) || w.full && q.hasRoom() {
		signal(q.room)
	}
}

// Release releases n reserved bytes that will not be put.
func (q *queue) Release(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= n
	q.wake()
}

// discard releases a batch that will not be put, and its reservation.
func (q *queue) discard(b *wsconn.Batch) {
	q.Release(b.Weight)
	q.free.Put(b)
}

// put adds a batch. It never blocks: the reader has reserved the room for messages of a
// connection, and other batches are small.
func (q *queue) put(b *wsconn.Batch) {
	q.mu.Lock()
	if q.gone {
		q.mu.Unlock()
		q.discard(b)
		return
	}
	q.events += b.Events
	merged := false
	if n := len(q.items); n > q.old {
		last := q.items[n-1]
		if merged = last.Merge(b, q.limit/16); merged {
			q.weigh(b, 0)
			q.weigh(last, last.Cost())
		} else if room := last.Room(); last.Cost() >= room/2 {
			// Nothing is added to it any more. The unused rest of full batches is a
			// tenth of the memory of a full buffer; in a small buffer batches are not
			// full, and few.
			q.weigh(last, room)
		}
	}
	if !merged {
		if q.old > len(q.items)/2 { // so that memory does not grow without bound
			n := copy(q.items, q.items[q.old:])
			clear(q.items[n:])
			q.items, q.old = q.items[:n], 0
		}
		q.items = append(q.items, b)
		q.weigh(b, b.Cost())
	}
	if q.overflow == OverflowDropOldest {
		q.dropOldest(0, 1)
	}
	q.mu.Unlock()
	if merged {
		q.free.Put(b)
	}
	signal(q.more)
}

// weigh sets the weight of b.
func (q *queue) weigh(b *wsconn.Batch, weight int) {
	q.bytes += weight - b.Weight
	b.Weight = weight
}

// dropOldest drops the oldest batches, all but keep, until there is room for n bytes
// more. q.mu must be held.
func (q *queue) dropOldest(n, keep int) {
	for len(q.items)-q.old > keep && q.bytes+n > q.limit {
		b := q.pop()
		q.bytes -= b.Weight
		q.events -= b.Events
		q.dropped += uint64(b.Events)
		q.free.Put(b)
	}
}

// drops returns how many events were dropped in total.
func (q *queue) drops() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

func (q *queue) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes >= q.limit
}

// waiting reports whether the reader waits for room.
func (q *queue) waiting() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiter.full
}

// take returns the next batch, or nil if there is none now; ended means that no more
// will follow.
func (q *queue) take() (b *wsconn.Batch, ended bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == q.old {
		return nil, q.ended
	}
	b = q.pop()
	q.inHand = b.Weight
	q.wake() // there may be room for a small batch now
	return b, false
}

// pop takes the first item.
func (q *queue) pop() *wsconn.Batch {
	b := q.items[q.old]
	q.items[q.old] = nil
	q.old++
	return b
}

// done is called when the consumer has finished a batch of that weight.
func (q *queue) done(weight, events int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	full := q.bytes >= q.limit
	q.bytes -= weight
	q.inHand = 0
	q.events -= events
	q.taken++
	if full {
		signal(q.drained)
	}
	q.wake()
}

// given is called when the consumer ends within a batch, of which it has finished so many
// events.
func (q *queue) given(events int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.events -= events
}

// end is called when nothing more will be put.
func (q *queue) end() {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	signal(q.more)
}

// leave is called when nothing more will be taken: waiting batches are dropped, and the
// reader no longer waits for room.
func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= q.inHand
	q.gone, q.inHand = true, 0
	for len(q.items) > q.old {
		b := q.pop()
		q.bytes -= b.Weight
		q.free.Put(b)
	}
	q.wake()
}

// progress returns the batches finished so far and the events that still wait.
func (q *queue) progress() (taken uint64, events int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.taken, q.events
}

// A Meter tells how much waits for the sink of a run. The zero value tells of a run that
// has not begun. It may be used concurrently.
type Meter struct{ queue atomic.Pointer[queue] }

// Bytes returns how many bytes of messages wait for the sink, or are being passed to it;
// see Options.Buffer.
func (m *Meter) Bytes() int {
	q := m.queue.Load()
	if q == nil {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}

// Events returns how many events wait for the sink, or are in a batch that it has not
// finished. When the sink has ended the run, it is how many it has not taken, with the one
// whose error was the end.
func (m *Meter) Events() int {
	q := m.queue.Load()
	if q == nil {
		return 0
	}
	_, events := q.progress()
	return events
}

// dropInterval is the time between two reports of dropped events.
const dropInterval = 5 * time.Second

// A dropReport reports the events that the queue has dropped, at intervals.
type dropReport struct {
	total uint64 // in the last report
	at    time.Time
}

// dropsDue returns when the next report of dropped events is due; the zero time if
// there is nothing to report.
func (r *runner) dropsDue() time.Time {
	if r.queue.drops() == r.dropped.total {
		return time.Time{}
	}
	return r.dropped.at.Add(dropInterval)
}

// reportDropped reports the events dropped since the last report.
func (r *runner) reportDropped(now time.Time) {
	d := &r.dropped
	total := r.queue.drops()
	if total == d.total {
		return
	}
	r.report(now, "", Dropped{Events: total - d.total, Total: total})
	d.total, d.at = total, now
}
