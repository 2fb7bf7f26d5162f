package proto

import (
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
)

// While the sink is at work, what it has not got to yet waits in the socket rather
// than in memory: with paceSize bytes in the queue, the reader waits until half of them
// are left. The buffer is for a sink that is slow or stands still: the reader never
// waits so long that the buffer would take more than paceTime to fill up, because
// pings of the server wait behind the messages, and so does the server itself. It
// begins with that after paceGrace, which a sink at work may need on a loaded
// machine.
const (
	paceSize  = 512 << 10
	paceTime  = 5 * time.Second
	paceGrace = 250 * time.Millisecond
)

// A pace is what a queue knows of the reader that waits for a sink at work.
type pace struct {
	behind bool      // enough waits, and has since the reader last asked
	next   time.Time // when the reader may go on all the same
}

// delay is how long n bytes are to be held back yet, whether there is room for them
// or not. q.mu is held.
func (q *queue) delay(n int, now time.Time) time.Duration {
	p := &q.pace
	switch {
	case q.hurried || q.gone:
		return 0
	case q.bytes < paceSize:
		p.behind = false
		return 0
	case !p.behind:
		p.behind, p.next = true, now.Add(paceGrace)
	case !now.Before(p.next):
		p.next = now.Add(time.Duration(n) * paceTime / time.Duration(max(q.limit, 1)))
		return 0
	}
	return p.next.Sub(now)
}

// hurry has the reader wait no longer for a sink at work: the answer to our close
// frame is behind what comes. With false, it does so again.
func (q *queue) hurry(on bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.hurried = on
	q.wake()
}

// newPool makes room for the batches of a queue that is paced, and for those on their
// way: with the reader, the loop and the sink.
func newPool() *wsconn.Pool { return wsconn.NewPool(paceSize/wsconn.BatchSize + 6) }
