package proto

import (
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
)

// While the sink is at work, what it has not got to yet waits in the socket rather
// than in memory: with throttleSize bytes in the queue, the reader waits until half of them
// are left. The buffer is for a sink that is slow or stands still: the reader never
// waits so long that the buffer would take more than throttleTime to fill up, because
// pings of the server wait behind the messages, and so does the server itself. It
// begins with that after throttleGrace, which a sink at work may need on a loaded
// machine.
const (
	throttleSize  = 512 << 10
	throttleTime  = 5 * time.Second
	throttleGrace = 250 * time.Millisecond
)

// A throttle is what a queue knows of the reader that waits for a sink at work.
type throttle struct {
	lagging bool      // enough waits, and has since the reader last asked
	next    time.Time // when the reader may go on all the same
}

// delay is how long n bytes are to be held back yet, whether there is room for them
// or not. q.mu is held.
func (q *queue) delay(n int, now time.Time) time.Duration {
	p := &q.throttle
	switch {
	case q.closing || q.gone:
		return 0
	case q.bytes < throttleSize:
		p.lagging = false
		return 0
	case !p.lagging:
		p.lagging, p.next = true, now.Add(throttleGrace)
	case !now.Before(p.next):
		p.next = now.Add(time.Duration(n) * throttleTime / time.Duration(max(q.limit, 1)))
		return 0
	}
	return p.next.Sub(now)
}

// setClosing has the reader wait no longer for a sink at work: the answer to our close
// frame is behind what comes. With false, it does so again.
func (q *queue) setClosing(on bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closing = on
	q.wake()
}

// newPool makes room for the batches of a queue that throttles its reader, and for those on their
// way: with the reader, the loop and the sink.
func newPool() *wsconn.Pool { return wsconn.NewPool(throttleSize/wsconn.BatchSize + 6) }
