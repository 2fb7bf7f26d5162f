package proto

import "time"

// While the sink is at work, what it has not got to yet waits in the socket rather
// than in memory: with paceSize bytes in the queue, the reader goes on as the sink
// does. The buffer is for a sink that is slow or stands still: the reader never
// waits so long that the buffer would take more than paceTime to fill up, because
// pings of the server wait behind the messages, and so does the server itself. It
// begins with that after paceGrace, which a sink at work may need on a loaded
// machine.
const (
	paceSize  = 512 << 10
	paceTime  = 5 * time.Second
	paceGrace = 250 * time.Millisecond
)

// A pacer holds back the reader that feeds a queue. The queue's mutex guards it.
type pacer struct {
	behind bool          // enough waits, and has since the reader last asked
	next   time.Time     // when the reader may go on all the same
	eased  chan struct{} // less than paceSize is left
	timer  *time.Timer   // of pace alone
}

func newPacer() pacer {
	t := time.NewTimer(0)
	t.Stop()
	return pacer{eased: make(chan struct{}, 1), timer: t}
}

// pace blocks while a batch of that cost had better not be put, until stop or hurry
// is closed at the latest. It is for one goroutine at a time, the reader's.
func (q *queue) pace(cost int, stop, hurry <-chan struct{}) {
	p := &q.pacer
	defer p.timer.Stop()
	for {
		select {
		case <-hurry:
			return
		default:
		}
		wait := q.hold(cost, time.Now())
		if wait <= 0 {
			return
		}
		p.timer.Reset(wait)
		select {
		case <-p.eased:
		case <-p.timer.C:
		case <-hurry:
		case <-stop:
			return
		}
	}
}

// hold is how long a batch of that cost is to be held back yet.
func (q *queue) hold(cost int, now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := &q.pacer
	switch {
	case q.bytes < paceSize:
		p.behind = false
		return 0
	case !p.behind:
		p.behind, p.next = true, now.Add(paceGrace)
	case !now.Before(p.next):
		p.next = now.Add(time.Duration(cost) * paceTime / time.Duration(max(q.limit, 1)))
		return 0
	}
	return p.next.Sub(now)
}

// newPool makes room for the batches of a queue that is paced, and for those on their
// way: with the reader, the loop and the sink.
func newPool() *pool { return &pool{batches: make(chan *batch, paceSize/batchSize+6)} }
