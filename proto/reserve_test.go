package proto

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
)

// A queueTest is a queue with its three parties, without a connection.
type queueTest struct {
	*testing.T
	*queue
	stop chan struct{}
}

func newQueueTest(t *testing.T, limit int, overflow Overflow) *queueTest {
	return &queueTest{t, newQueue(limit, overflow, newPool()), make(chan struct{})}
}

// oneEvent returns a batch of one event with a weight of n bytes.
func oneEvent(n int) *wsconn.Batch {
	b := &wsconn.Batch{Entries: []wsconn.Entry{{Op: frame.OpText, Event: true}}, Events: 1}
	b.Data = make([]byte, n-b.Cost())
	b.Entries[0].End = len(b.Data)
	return b
}

// add reserves room for a batch of n bytes and puts it.
func (q *queueTest) add(n int) {
	q.Helper()
	if !q.Reserve(0, n, 1, q.stop) {
		q.Fatalf("no room for %d bytes", n)
	}
	b := oneEvent(n)
	b.Weight = n
	q.put(b)
}

// remove takes a batch; done means that it is finished at once.
func (q *queueTest) remove(done bool) *wsconn.Batch {
	q.Helper()
	b, _ := q.take()
	if b == nil {
		q.Fatal("nothing waits")
	}
	if done {
		q.done(b.Weight, b.Events)
	}
	return b
}

// reserving starts a Reserve, and returns a channel for its result.
func (q *queueTest) reserving(have, n, least int) (ended func() (ok, ended bool)) {
	c := make(chan bool, 1)
	go func() { c <- q.Reserve(have, n, least, q.stop) }()
	return func() (ok, ended bool) {
		synctest.Wait()
		select {
		case ok := <-c:
			return ok, true
		default:
			return false, false
		}
	}
}

// With OverflowBlock, the reader waits for exactly the room that it needs.
func TestReserveBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueueTest(t, 300<<10, OverflowBlock)
		q.add(100 << 10)
		q.add(100 << 10)
		q.add(100 << 10)
		if ok, ended := q.reserving(0, 1, 1)(); ok || ended || !q.waiting() {
			t.Fatal("a full queue has room")
		}
		q.remove(true)
		synctest.Wait()
		if q.waiting() || q.bytes != 200<<10+1 {
			t.Errorf("waiting %t, %d bytes", q.waiting(), q.bytes)
		}
		q.Release(1)

		large := q.reserving(0, 150<<10, 150<<10)
		if _, ended := large(); ended {
			t.Error("200 of 300 KiB leave room for 150")
		}
		inHand := q.remove(false)
		if _, ended := large(); ended {
			t.Error("what the sink has in hand counts for nothing")
		}
		q.done(inHand.Weight, inHand.Events)
		if ok, ended := large(); !ok || !ended {
			t.Error("the reader was not woken")
		}
		// It grows, with its reservation, beyond the limit, if it is alone.
		more := q.reserving(150<<10, 400<<10, 200<<10)
		if _, ended := more(); ended || !q.waiting() {
			t.Error("100 KiB of another leave room for 400 in 300")
		}
		q.remove(true)
		if ok, ended := more(); !ok || !ended || q.bytes != 400<<10 {
			t.Errorf("alone, it did not get room: %d bytes", q.bytes)
		}
		if q.Release(400 << 10); q.bytes != 0 {
			t.Errorf("%d bytes are left", q.bytes)
		}
	})
}

// A small batch may be the only one that waits, so that data after it is read.
func TestReserveForASmallBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueueTest(t, 1000, OverflowBlock)
		q.add(5000)
		small := q.reserving(0, 200, 1)
		if _, ended := small(); ended {
			t.Error("a second batch that waits got room")
		}
		q.remove(false)
		if _, ended := small(); !ended {
			t.Error("it waits on, although the sink has taken what waited")
		}
		q.Release(200)
		if _, ended := q.reserving(0, wsconn.BatchSize+1, 1)(); ended {
			t.Error("a large batch got room in addition to the one that the sink is processing")
		}
		close(q.stop)
		synctest.Wait()
		q.Release(wsconn.BatchSize + 1) // stopped, it has it all the same
		q.stop = make(chan struct{})
		q.add(5000)
		if _, ended := q.reserving(0, 200, 1)(); ended {
			t.Error("a second one got room")
		}
		close(q.stop)
	})
}

// Reserve does not wait for a sink that has ended, nor for one that lags when the
// connection is to be closed.
func TestReserveEnds(t *testing.T) {
	for name, end := range map[string]func(q *queueTest){
		"stop":  func(q *queueTest) { close(q.stop) },
		"leave": func(q *queueTest) { q.leave() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newQueueTest(t, 1000, OverflowBlock)
				q.add(1000)
				waits := q.reserving(0, 1000, 1)
				if _, ended := waits(); ended {
					t.Error("it did not wait")
				}
				end(q)
				if _, ended := waits(); !ended {
					t.Error("it waits on")
				}
			})
		})
	}
	t.Run("in transit", func(t *testing.T) {
		for _, overflow := range []Overflow{OverflowBlock, OverflowDropOldest, OverflowFail} {
			synctest.Test(t, func(t *testing.T) {
				q := newQueueTest(t, 1000, overflow)
				q.add(5000)
				q.remove(false)
				q.leave()
				b := oneEvent(5000)
				if b.Weight = 5000; !q.Reserve(0, b.Weight, 1, q.stop) {
					t.Error("what the sink had counts after its end")
				}
				waits := q.reserving(0, 70_000, 1)
				if _, ended := waits(); ended {
					t.Error("a second large message is read while the first one is looked at")
				}
				q.put(b)
				if _, ended := waits(); !ended || q.bytes != 70_000 {
					t.Errorf("%d bytes", q.bytes)
				}
			})
		}
	})
	t.Run("closing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := newQueueTest(t, 64<<20, OverflowBlock)
			q.add(throttleSize)
			waits := q.reserving(0, 1000, 1)
			if _, ended := waits(); ended || q.waiting() {
				t.Error("it did not wait for a sink at work, or for room")
			}
			q.setClosing(true)
			if _, ended := waits(); !ended {
				t.Error("it waits on")
			}
		})
	})
}

// A reader that is ahead of the sink continues when the sink has caught up, or after a
// while, and no faster than the buffer may fill.
func TestReservePaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 10 << 20
		q := newQueueTest(t, limit, OverflowBlock)
		start := time.Now()
		q.add(throttleSize) // at once
		if d := time.Since(start); d > 0 {
			t.Errorf("the first waited for %s", d)
		}
		q.add(limit / 10)
		if d := time.Since(start); d != throttleGrace {
			t.Errorf("the second waited for %s", d)
		}
		q.add(limit / 10)
		if d := time.Since(start); d != throttleGrace+throttleTime/10 {
			t.Errorf("the third after %s", d)
		}
		waits := q.reserving(0, 1000, 1)
		for range 3 {
			if _, ended := waits(); ended {
				t.Error("the fourth did not wait")
			}
			q.remove(true)
		}
		if _, ended := waits(); !ended {
			t.Error("the fourth waits on although nothing else does")
		}
	})
}

// With OverflowDropOldest, room is made by dropping waiting events, and every one is
// counted.
func TestReserveDropsTheOldest(t *testing.T) {
	q := newQueueTest(t, 10_000, OverflowDropOldest)
	for range 10 {
		q.add(1000)
	}
	inHand := q.remove(false)
	q.add(2500)
	if n := q.drops(); n != 3 || q.bytes != 1000+6*1000+2500 {
		t.Errorf("%d dropped, %d bytes", n, q.bytes)
	}
	// A large one that has not arrived yet takes the room of all waiting events, but
	// not that of those the sink is processing.
	if !q.Reserve(0, 20_000, 20_000, q.stop) || q.drops() != 10 || q.bytes != 21_000 {
		t.Errorf("%d dropped, %d bytes", q.drops(), q.bytes)
	}
	q.done(inHand.Weight, inHand.Events)
	q.Release(20_000)
	// Events put without a reservation, by a session, drop older ones.
	for range 20 {
		q.put(oneEvent(6000))
	}
	if _, events := q.progress(); events != 1 || q.drops() != 29 || q.bytes != 6000 {
		t.Errorf("%d wait, %d dropped, %d bytes", events, q.drops(), q.bytes)
	}
}

// With OverflowFail, there is no room if waiting events do not leave any, and none of
// them is lost.
func TestReserveFails(t *testing.T) {
	q := newQueueTest(t, 10_000, OverflowFail)
	q.add(20_000) // the only one
	q.remove(false)
	if !q.Reserve(0, 1000, 1, q.stop) {
		t.Error("no room, although nothing waits")
	}
	q.Release(1000)
	q.add(1000)
	if q.Reserve(0, 1000, 1, q.stop) {
		t.Error("room in a full queue")
	}
	if q.bytes != 21_000 {
		t.Errorf("%d bytes after a refusal", q.bytes)
	}
	q.done(20_000, 1)
	if !q.Reserve(0, 50_000, 5000, q.stop) {
		t.Error("no room for the least of a message")
	}
	if q.Reserve(50_000, 60_000, 9500, q.stop) || q.bytes != 51_000 {
		t.Errorf("room for more than the rest, or %d bytes", q.bytes)
	}
	if q.Release(50_000); q.bytes != 1000 {
		t.Errorf("%d bytes", q.bytes)
	}
	if b := q.remove(true); b.Events != 1 || q.drops() != 0 || q.bytes != 0 {
		t.Errorf("%d dropped, %d bytes", q.drops(), q.bytes)
	}
}

// A batch that is not put releases its reservation.
func TestDiscardGivesRoomBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueueTest(t, 1000, OverflowBlock)
		q.Reserve(0, 1000, 1, q.stop)
		waits := q.reserving(0, 70_000, 1)
		if _, ended := waits(); ended {
			t.Error("it did not wait")
		}
		b := oneEvent(1000)
		b.Weight = 1000
		if q.discard(b); b.Weight != 0 {
			t.Error("it still weighs")
		}
		if ok, ended := waits(); !ok || !ended || q.bytes != 70_000 {
			t.Errorf("%d bytes", q.bytes)
		}
	})
}
