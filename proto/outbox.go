package proto

import (
	"sync"
	"sync/atomic"
	"time"
)

// An outbox holds frames for the writer. Putting never blocks; while it is full,
// nothing more is read from the server, so that one that asks for answers and
// does not take them finds an end to that.
type outbox struct {
	wake   chan struct{}
	wrote  chan struct{} // a frame that asked for it has been written
	room   chan struct{} // the outbox is no longer full
	pinged atomic.Int64  // nanoseconds after the tap's start

	mu     sync.Mutex
	frames []outgoing
	count  int // not yet written
	bytes  int
	since  time.Time // full without a frame having been written
	ended  bool
	err    error
}

// The outbox is full with so many frames or bytes, and the connection is given up
// when it stays so without one being written.
const (
	outboxFrames   = 4096
	outboxBytes    = 1 << 20
	outboxPatience = 30 * time.Second
)

type outgoing struct {
	Frame
	confirm bool
}

func newOutbox() outbox {
	return outbox{wake: make(chan struct{}, 1), wrote: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

func (o *outbox) put(f Frame, confirm bool) {
	o.mu.Lock()
	o.frames = append(o.frames, outgoing{f, confirm})
	if !confirm { // one at a time, as the user wants
		o.count++
		o.bytes += len(f.Payload)
	}
	if o.over() && o.since.IsZero() {
		o.since = time.Now()
	}
	o.mu.Unlock()
	signal(o.wake)
}

func (o *outbox) over() bool { return o.count >= outboxFrames || o.bytes >= outboxBytes }

// sent says that the writer has written f.
func (o *outbox) sent(f *outgoing) {
	if f.confirm {
		return
	}
	o.mu.Lock()
	was := o.over()
	o.count--
	o.bytes -= len(f.Payload)
	o.since = time.Time{}
	if o.over() {
		o.since = time.Now()
	}
	now := o.over()
	o.mu.Unlock()
	if was && !now {
		signal(o.room)
	}
}

func (o *outbox) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.over()
}

// stuck is when a full outbox has been so for too long; zero while it is not full.
func (o *outbox) stuck() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		return time.Time{}
	}
	return o.since.Add(outboxPatience)
}

func (o *outbox) take() ([]outgoing, bool) {
	for {
		o.mu.Lock()
		frames, ended := o.frames, o.ended
		o.frames = nil
		o.mu.Unlock()
		if ended {
			return nil, false
		}
		if len(frames) > 0 {
			return frames, true
		}
		<-o.wake
	}
}

func (o *outbox) close() {
	o.mu.Lock()
	o.ended = true
	o.mu.Unlock()
	signal(o.wake)
}

func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
}

func (o *outbox) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
