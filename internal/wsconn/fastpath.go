package wsconn

import (
	"io"

	"github.com/hark-cli/hark/proto/frame"
)

// The fast path is for the common message: one complete frame in the tap's buffer. The
// library would spend more time on its locks for such a message than all other code
// together. The library reads everything else: control frames, fragments, and
// violations. It gets no byte beyond the frame that it is reading, so that it buffers
// nothing between two messages. With an extension there is no fast path.

// readFast reads messages without the library until the next one is for the library, or
// too long for the tap's buffer.
func (c *Conn) readFast() *violation {
	for c.tap.fast {
		op, payload, ok := c.tap.nextFrame()
		if !ok {
			break
		}
		if len(c.cur.Data)+len(payload) > cap(c.cur.Data) {
			c.handOver() // instead of growing
		}
		c.start = len(c.cur.Data)
		c.cur.Data = append(c.cur.Data, payload...)
		if v := c.complete(op); v != nil {
			return v
		}
	}
	return nil
}

// nextFrame returns the next message if it is eligible for the fast path, reading more
// if required. payload is valid until the next call. It must be called between two
// messages.
func (t *tap) nextFrame() (op frame.Opcode, payload []byte, ok bool) {
	for t.in.boundary() {
		h, n := frame.ParseHeader(t.buf[t.r:t.w])
		need := maxHead
		if n > 0 {
			if !t.eligible(h, n) || h.Length > uint64(len(t.buf)-n) {
				break
			}
			if need = n + int(h.Length); need <= t.w-t.r {
				payload = t.buf[t.r+n : t.r+need]
				t.r += need
				return h.Opcode, payload, true
			}
		}
		if t.readErr != nil {
			break
		}
		t.fill(need)
	}
	return 0, nil, false
}

// eligible reports whether the frame with that header, of n bytes, is a complete,
// uncompressed and valid message.
func (t *tap) eligible(h frame.Header, n int) bool {
	return h.Fin && h.RSV == 0 && (h.Opcode == frame.OpText || h.Opcode == frame.OpBinary) && !h.Masked &&
		(n == 2 || n == 4 && h.Length >= 126 || n == 10 && h.Length > 0xFFFF) && h.Length <= uint64(t.in.limit)
}

// maxHead is the maximum length of the header of a frame.
const maxHead = 14

// fill reads until need bytes are buffered.
func (t *tap) fill(need int) {
	if t.r == t.w || t.r+need > len(t.buf) {
		t.w = copy(t.buf, t.buf[t.r:t.w])
		t.r = 0
	}
	if t.waiting != nil {
		t.waiting()
	}
	n, err := t.receive(t.buf[t.w:])
	t.w += n
	t.readErr = err
}

// open consumes the header of the next frame, if that is a message for the fast path
// that does not fit into the buffer. The tap then reads its payload.
func (t *tap) open() (op frame.Opcode, r io.Reader, ok bool) {
	if !t.fast || !t.in.boundary() {
		return 0, nil, false
	}
	h, n := frame.ParseHeader(t.buf[t.r:t.w])
	if n == 0 || !t.eligible(h, n) {
		return 0, nil, false
	}
	t.in.feed(t.buf[t.r : t.r+n])
	t.r += n
	return h.Opcode, (*frameReader)(t), true
}

// A frameReader reads the payload of one frame from a tap.
type frameReader tap

// Read implements io.Reader.
func (f *frameReader) Read(p []byte) (int, error) {
	t := (*tap)(f)
	if t.in.left == 0 {
		return 0, io.EOF
	}
	return t.Read(p[:min(uint64(len(p)), t.in.left)])
}

// share returns how many of the buffered bytes the library may read: those up to the
// end of the frame that it is reading.
func (t *tap) share() int {
	have := t.w - t.r
	switch {
	case !t.fast:
		return have
	case t.in.left > 0:
		return int(min(uint64(have), t.in.left))
	case t.in.have > 0:
		return min(have, 1) // the rest of a header of unknown length
	}
	h, n := frame.ParseHeader(t.buf[t.r:t.w])
	if n == 0 {
		return have
	}
	return n + int(min(uint64(have-n), h.Length))
}
