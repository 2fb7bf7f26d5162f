package proto

import (
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
)

// While the sink keeps up, unprocessed data waits in the socket rather than in memory:
// with throttleSize bytes in the queue, the reader waits until half of them are left.
// The buffer is for a sink that is slow or blocked: the reader never waits so long that
// filling the buffer would take more than throttleTime, because pings of the server
// wait behind the messages, and the server itself may be blocked. This limit applies
// after throttleGrace, which a busy sink may need on a loaded machine.
const (
	throttleSize  = 512 << 10
	throttleTime  = 5 * time.Second
	throttleGrace = 250 * time.Millisecond
)

// A throttle is the state of a reader that waits for a busy sink.
type throttle struct {
	lagging bool      // throttleSize bytes wait, and have since the last Reserve
	next    time.Time // when the reader may continue in any case
}

// delay returns how much longer n bytes must wait, whether there is room for them or
// not. q.mu must be held.
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

// setClosing sets whether a connection is being closed: the reader then does not wait
// for a busy sink, because the answer to our close frame is behind unread messages.
func (q *queue) setClosing(on bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closing = on
	q.wake()
}

// newPool returns a pool for the batches of a queue that throttles its reader, and for
// those of the reader, the loop and the sink.
func newPool() *wsconn.Pool { return wsconn.NewPool(throttleSize/wsconn.BatchSize + 6) }
