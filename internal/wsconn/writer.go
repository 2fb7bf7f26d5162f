package wsconn

import (
	"crypto/rand"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/hark-cli/hark/proto/frame"
)

// DefaultMaxFrame is the default of Config.MaxFrame, in bytes.
const DefaultMaxFrame = 64 << 10

// A frameWriter writes all frames of a connection. A message that is larger than a
// frame may be is sent in fragments (RFC 6455, section 5.4), each in a separate write,
// so that pings, pongs and the close frame can be sent between them, even if the server
// reads slowly.
type frameWriter struct {
	w    io.Writer
	out  *outbox
	most int // payload of a frame, in bytes
	zip  *compressor

	pinged atomic.Int64 // when the last ping was sent, nanoseconds after start
	start  time.Time

	buf     []byte     // frames for one write
	pending []outgoing // those of buf that are complete with it
}

// coalesced is how many bytes of small frames are sent in one write.
const coalesced = 16 << 10

// run writes until the close frame has been sent or the outbox has ended.
func (w *frameWriter) run() error {
	for {
		f, ok, ended := w.out.next(false)
		switch {
		case ended:
			return nil
		case !ok:
			if err := w.flush(); err != nil {
				return err
			}
			<-w.out.wake
		default:
			if over, err := w.write(&f); over || err != nil {
				return err
			}
		}
	}
}

// write writes one frame, or one message with the frames between its fragments. over
// means that this was the end.
func (w *frameWriter) write(f *outgoing) (over bool, err error) {
	switch {
	case f.op.Control():
		return w.control(f)
	case w.zip != nil && len(f.payload) >= compressFrom:
		return w.compressed(f)
	}
	head := frame.Header{Opcode: f.op}
	rest := f.payload
	for len(rest) > w.most {
		w.append(head, rest[:w.most])
		head.Opcode, rest = frame.OpContinuation, rest[w.most:]
		if over, err := w.between(); over || err != nil {
			return over, err
		}
	}
	head.Fin = true
	w.append(head, rest)
	return false, w.complete(f)
}

// control writes a control frame.
func (w *frameWriter) control(f *outgoing) (over bool, err error) {
	if f.op == frame.OpPing {
		// Before the write, because the answer may arrive before it returns.
		w.pinged.Store(int64(time.Since(w.start)))
	}
	w.append(frame.Header{Fin: true, Opcode: f.op}, f.payload)
	if f.op == frame.OpClose {
		return true, w.flush()
	}
	return false, w.complete(f)
}

// between writes a fragment, and then the frames that may precede the next one.
func (w *frameWriter) between() (over bool, err error) {
	for {
		if err := w.flush(); err != nil {
			return false, err
		}
		f, ok, ended := w.out.next(true)
		switch {
		case ended:
			return true, nil
		case !ok:
			return false, nil
		}
		if over, err := w.control(&f); over || err != nil {
			return over, err
		}
	}
}

// compressed writes a message with permessage-deflate (RFC 7692, section 7.2.1).
func (w *frameWriter) compressed(f *outgoing) (over bool, err error) {
	z := w.zip
	z.begin()
	head := frame.Header{Opcode: f.op, RSV: 4}
	for rest := f.payload; len(rest) > 0; {
		n := min(len(rest), DefaultMaxFrame)
		if err := z.write(rest[:n]); err != nil {
			return false, err
		}
		rest = rest[n:]
		for len(z.out) > w.most+len(deflateTail) { // which is cut off the end
			w.append(head, z.take(w.most))
			head = frame.Header{Opcode: frame.OpContinuation}
			if over, err := w.between(); over || err != nil {
				return over, err
			}
		}
	}
	if err := z.finish(); err != nil {
		return false, err
	}
	for len(z.out) > w.most {
		w.append(head, z.take(w.most))
		head = frame.Header{Opcode: frame.OpContinuation}
		if over, err := w.between(); over || err != nil {
			return over, err
		}
	}
	head.Fin = true
	w.append(head, z.take(len(z.out)))
	return false, w.complete(f)
}

// append adds a frame to the next write.
func (w *frameWriter) append(h frame.Header, payload []byte) {
	h.Masked, h.Length = true, uint64(len(payload))
	rand.Read(h.Mask[:])
	w.buf = frame.AppendHeader(w.buf, h)
	n := len(w.buf)
	w.buf = append(w.buf, payload...)
	frame.Mask(w.buf[n:], h.Mask, 0)
}

// complete records that the buffer has all of f.
func (w *frameWriter) complete(f *outgoing) error {
	w.pending = append(w.pending, *f)
	if len(w.buf) < coalesced {
		return nil
	}
	return w.flush()
}

func (w *frameWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.w.Write(w.buf)
	w.buf = w.buf[:0]
	if cap(w.buf) > 4*DefaultMaxFrame {
		w.buf = nil
	}
	if err != nil {
		return fmt.Errorf("sending: %w", innermost(err))
	}
	w.out.sent(w.pending)
	clear(w.pending)
	w.pending = w.pending[:0]
	return nil
}
