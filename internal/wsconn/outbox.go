package wsconn

import (
	"sync"
	"time"

	"github.com/hark-cli/hark/proto/frame"
)

// An outbox contains the frames for the writer: messages in order, pings and pongs,
// which are sent before them, and at last the close frame. Putting does not block;
// while the outbox is full, nothing more is read from the server, so that a server that
// does not read replies cannot request more of them.
type outbox struct {
	wake  chan struct{}
	wrote chan struct{} // a frame that asked for it has been written
	room  chan struct{} // the outbox is no longer full
	done  chan struct{} // the writer has ended

	mu       sync.Mutex
	messages []outgoing
	control  []outgoing // pings and pongs
	pongs    int        // of control
	count    int        // not yet written
	bytes    int
	since    time.Time // full without a frame having been written
	current  bool      // the last message taken is of the user
	closing  *closeFrame
	over     bool // the writer must end, or has ended
	err      error
	proof    proof
}

// A closeFrame is the last frame. Messages put before are sent first until by; after
// that it is sent between the fragments of one.
type closeFrame struct {
	payload []byte
	by      time.Time
	taken   bool // by the writer
}

// A proof tracks which messages of the user are known to have been read: an answer to a
// ping shows that all messages before it have been read. A message from the server is a
// weaker proof.
type proof struct {
	taken   int // messages, by the writer
	written int // messages
	pinged  int // taken before the last ping
	proven  int // taken before a ping that was answered
	heard   int // written before the last message of the server
}

// StuckTime is how long an outbox may be full without a frame being written.
const StuckTime = 30 * time.Second

// The limits of the outbox in frames and bytes. Of waiting pongs, the last maxPongs are
// kept (RFC 6455, section 5.5.3).
const (
	outboxFrames = 4096
	outboxBytes  = 1 << 20
	maxPongs     = 256
)

type outgoing struct {
	op      frame.Opcode
	payload []byte
	confirm bool // of the user, one at a time
}

func newOutbox() outbox {
	return outbox{
		wake: make(chan struct{}, 1), wrote: make(chan struct{}, 1), room: make(chan struct{}, 1),
		done: make(chan struct{}),
	}
}

// put adds a frame, and reports whether it may still be sent: nothing is sent after a
// close frame (RFC 6455, section 5.5.1).
func (o *outbox) put(op frame.Opcode, payload []byte, confirm bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over || o.closing != nil {
		return false
	}
	out := outgoing{op, payload, confirm}
	if op.Control() {
		o.putControl(out)
	} else {
		o.messages = append(o.messages, out)
	}
	o.add(&out)
	signal(o.wake)
	return true
}

func (o *outbox) putControl(f outgoing) {
	if f.op == frame.OpPong {
		if o.pongs++; o.pongs > maxPongs {
			for i := range o.control {
				if old := o.control[i]; old.op == frame.OpPong {
					o.control = append(o.control[:i], o.control[i+1:]...)
					o.pongs--
					o.remove(&old)
					break
				}
			}
		}
	}
	o.control = append(o.control, f)
}

// close puts the close frame. Messages before it are sent until by; with the zero time,
// none is. It reports whether this is the first close frame.
func (o *outbox) close(payload []byte, by time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	signal(o.wake)
	switch {
	case o.over:
		return false
	case o.closing != nil: // the server is closing, too: do not wait
		o.closing.by = by
		return false
	}
	o.closing = &closeFrame{payload: payload, by: by}
	return true
}

// add counts a queued frame, and remove a sent one. o.mu must be held.
func (o *outbox) add(f *outgoing) {
	if f.confirm { // with confirmation
		return
	}
	o.count++
	o.bytes += len(f.payload)
	if o.isFull() && o.since.IsZero() {
		o.since = time.Now()
	}
}

func (o *outbox) remove(f *outgoing) {
	if f.confirm {
		return
	}
	was := o.isFull()
	o.count--
	o.bytes -= len(f.payload)
	o.since = time.Time{}
	if o.isFull() {
		o.since = time.Now()
	} else if was {
		signal(o.room)
	}
}

func (o *outbox) isFull() bool {
	return !o.over && (o.count >= outboxFrames || o.bytes >= outboxBytes)
}

// next returns the next frame to write, and false if there is none now. ended means
// that there will be no more. Within a message, it returns only frames that may be
// between its fragments.
func (o *outbox) next(within bool) (f outgoing, ok, ended bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	closeNow := o.closing != nil && (!within && len(o.messages) == 0 || !time.Now().Before(o.closing.by))
	switch {
	case o.over:
		return f, false, true
	case len(o.control) > 0:
		f = o.control[0]
		o.control = o.control[1:]
		switch {
		case f.op == frame.OpPong:
			o.pongs--
		case f.confirm:
		case within && o.current: // which is not complete
			o.proof.pinged = o.proof.taken - 1
		default:
			o.proof.pinged = o.proof.taken
		}
		return f, true, false
	case closeNow:
		o.closing.taken = true
		return outgoing{op: frame.OpClose, payload: o.closing.payload}, true, false
	case !within && len(o.messages) > 0:
		f = o.messages[0]
		o.messages[0] = outgoing{}
		if o.messages = o.messages[1:]; len(o.messages) == 0 {
			o.messages = nil
		}
		if o.current = f.confirm; o.current {
			o.proof.taken++
		}
		return f, true, false
	}
	return f, false, false
}

// sent is called when frames have been written.
func (o *outbox) sent(frames []outgoing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range frames {
		f := &frames[i]
		o.remove(f)
		switch {
		case f.confirm && !f.op.Control():
			o.proof.written++
			signal(o.wrote)
		case f.confirm:
			signal(o.wrote)
		}
	}
}

// answered is called when the last ping was answered, and closeAnswered when the close
// frame was, if it has been sent.
func (o *outbox) answered() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.proof.proven = o.proof.pinged
}

func (o *outbox) closeAnswered() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing != nil && o.closing.taken {
		o.proof.proven = o.proof.taken
	}
}

// heard is called when a message has been received.
func (o *outbox) heard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.proof.heard = o.proof.taken
}

// written returns how many messages of the user were sent.
func (o *outbox) written() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.proof.written
}

// unconfirmed returns how many sent messages of the user the server may not have read.
// If it has closed the connection normally, its last message counts as an answer to
// those before it.
func (o *outbox) unconfirmed(normal bool) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := &o.proof; normal {
		return max(p.written-max(p.proven, p.heard), 0)
	}
	return max(o.proof.written-o.proof.proven, 0)
}

// full reports whether the outbox is full, and when that will have lasted too long.
func (o *outbox) full() (full bool, stuck time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.isFull() || o.since.IsZero() {
		return o.isFull(), time.Time{}
	}
	return true, o.since.Add(StuckTime)
}

// end ends the writer at once.
func (o *outbox) end() { o.fail(nil) }

// fail ends the outbox because of an error of the writer.
func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	o.over = true
	signal(o.wake)
	signal(o.room)
}

func (o *outbox) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
