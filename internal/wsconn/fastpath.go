package wsconn

import (
	"io"

	"github.com/hark-cli/hark/proto/frame"
)

// The fast path is the short way of the common message: one frame that lies in the
// tap's buffer. The library has nothing to add to such a message, and would spend
// more time on its locks than all other parts of the way together. Everything
// else goes through the library: control frames, fragments, whatever breaks a
// rule. It gets no byte beyond the frame that it is reading, so that between two
// messages it holds nothing back. With an extension there is no fast path.

// readFast takes messages past the library until one is next that is for it, or
// that is too long for the tap's buffer.
func (c *Conn) readFast() *violation {
	for c.tap.fast {
		op, payload, ok := c.tap.nextFrame()
		if !ok {
			break
		}
		if len(c.cur.Data)+len(payload) > cap(c.cur.Data) {
			c.handOver() // rather than grow
		}
		c.start = len(c.cur.Data)
		c.cur.Data = append(c.cur.Data, payload...)
		if v := c.complete(op); v != nil {
			return v
		}
	}
	return nil
}

// nextFrame returns the message that is next if the fast path is for it, and reads it if it
// must. payload is valid until the next call. It is for use between two messages.
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

// eligible reports whether the frame with that head, of n bytes, is a message by itself
// that needs neither treatment nor complaint.
func (t *tap) eligible(h frame.Header, n int) bool {
	return h.Fin && h.RSV == 0 && (h.Opcode == frame.OpText || h.Opcode == frame.OpBinary) && !h.Masked &&
		(n == 2 || n == 4 && h.Length >= 126 || n == 10 && h.Length > 0xFFFF) && h.Length <= uint64(t.in.limit)
}

// maxHead is the length of the longest head of a frame.
const maxHead = 14

// fill reads more behind what is buffered, which is to become need bytes.
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

// open takes the head of the frame that is next, if that is a message for the fast path
// which did not fit into the buffer. The tap is its reader then.
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

// share is how many of the buffered bytes the library may have: those up to the
// end of the frame that it is reading.
func (t *tap) share() int {
	have := t.w - t.r
	switch {
	case !t.fast:
		return have
	case t.in.left > 0:
		return int(min(uint64(have), t.in.left))
	case t.in.have > 0:
		return min(have, 1) // the rest of a head, whose length is not known yet
	}
	h, n := frame.ParseHeader(t.buf[t.r:t.w])
	if n == 0 {
		return have
	}
	return n + int(min(uint64(have-n), h.Length))
}
