package wsconn

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/hark-cli/hark/proto/frame"
)

// A violation ends the reader: a violation of the protocol by the server, or its close
// frame.
type violation struct {
	// answer is the payload of the close frame to send.
	answer []byte
	end    End
	// closed is the payload of the server's own close frame; nil without one.
	closed []byte
}

func breach(code int, reason, text string) *violation {
	return &violation{answer: frame.ClosePayload(code, reason), end: End{Kind: Violated, Err: errors.New(text)}}
}

// A tracker checks the frames of a server against RFC 6455. The library checks some of
// that, too, with its own messages.
type tracker struct {
	limit   int64 // of a message, in bytes
	deflate bool  // permessage-deflate was negotiated

	head    [maxHead]byte
	have    int // bytes of the header
	h       frame.Header
	left    uint64 // bytes of the payload still to come
	payload []byte // of a close frame

	inside     bool // a message in fragments is not complete
	compressed bool // that message
	size       uint64
}

// boundary reports whether the position is between two frames.
func (t *tracker) boundary() bool { return t.have == 0 && t.left == 0 }

// feed checks the next bytes. If they end the connection, good is how many precede
// that.
func (t *tracker) feed(p []byte) (good int, v *violation) {
	size := len(p)
	for len(p) > 0 {
		good = size - len(p)
		switch {
		case t.left > 0:
			n := int(min(t.left, uint64(len(p))))
			if t.h.Opcode == frame.OpClose {
				t.payload = append(t.payload, p[:min(n, frame.MaxControlPayload-len(t.payload))]...)
			}
			t.left -= uint64(n)
			p = p[n:]
			v = t.closing()
		case t.have == 0:
			h, n := frame.ParseHeader(p)
			if n == 0 {
				t.have = copy(t.head[:], p)
				return size, nil
			}
			p = p[n:]
			v = t.begin(h, n)
		default:
			t.head[t.have] = p[0]
			t.have++
			p = p[1:]
			if h, n := frame.ParseHeader(t.head[:t.have]); n > 0 {
				t.have = 0
				v = t.begin(h, n)
			}
		}
		if v != nil {
			return good, v
		}
	}
	return size, nil
}

func (t *tracker) begin(h frame.Header, size int) *violation {
	if v := t.check(h, size); v != nil {
		return v
	}
	t.h, t.left, t.payload = h, h.Length, t.payload[:0]
	switch {
	case h.Opcode == frame.OpClose:
		return t.closing()
	case h.Opcode.Control():
		return nil
	case h.Opcode != frame.OpContinuation:
		t.compressed, t.size = h.RSV != 0, 0
	}
	t.inside = !h.Fin
	t.size += h.Length
	return nil
}

// check checks a header of that size.
func (t *tracker) check(h frame.Header, size int) *violation {
	control := h.Opcode.Control()
	bad := func(reason, format string, args ...any) *violation {
		return breach(frame.StatusProtocol, reason, "the server "+fmt.Sprintf(format, args...))
	}
	switch {
	case h.Masked: // section 5.1
		return bad("masked frame", "masked a frame, which only clients may do")
	case size > 2 && h.Length < 126, size > 4 && h.Length <= 0xFFFF, h.Length > math.MaxInt64: // section 5.2
		return bad("length of a frame", "encoded the length of a frame in a form that is not allowed")
	case h.Opcode > frame.OpBinary && h.Opcode < frame.OpClose, h.Opcode > frame.OpPong:
		return bad("reserved opcode", "sent a frame with the reserved opcode %d", h.Opcode)
	case h.RSV&3 != 0, h.RSV != 0 && (!t.deflate || control || h.Opcode == frame.OpContinuation):
		return bad("reserved bit", "set a reserved bit of a frame")
	case control && !h.Fin: // section 5.4
		return bad("fragmented control frame", "sent a %s frame in fragments", h.Opcode)
	case control && h.Length > frame.MaxControlPayload && h.Opcode != frame.OpClose: // section 5.5
		return bad("long control frame", "sent a %s frame of %d bytes, of which %d are allowed", h.Opcode, h.Length, frame.MaxControlPayload)
	case control:
		return nil
	case h.Opcode == frame.OpContinuation && !t.inside:
		return bad("continuation of nothing", "continued a message that it had not begun")
	case h.Opcode != frame.OpContinuation && t.inside:
		return bad("message in a message", "began a message within another one")
	}
	return t.tooLarge(h)
}

// tooLarge checks the size of a message by its frame headers. The size of a compressed
// one is known when it is decompressed, but is rarely smaller than the compressed size.
func (t *tracker) tooLarge(h frame.Header) *violation {
	limit := uint64(max(t.limit, 0))
	if h.RSV != 0 || h.Opcode == frame.OpContinuation && t.compressed {
		limit += limit/8 + 1024
	}
	size := h.Length
	if h.Opcode == frame.OpContinuation {
		size += t.size
	}
	if size <= limit {
		return nil
	}
	return tooBig(t.limit)
}

func tooBig(limit int64) *violation {
	return &violation{
		answer: frame.ClosePayload(frame.StatusTooBig, fmt.Sprintf("the limit is %d bytes", limit)),
		end:    End{Kind: TooBig, Limit: limit},
	}
}

// closing handles a close frame as soon as its allowed length has arrived. One that is
// too long is a violation, and is answered as such; but its code is valid, so it ends
// the connection like any other.
func (t *tracker) closing() *violation {
	if t.h.Opcode != frame.OpClose || t.left > 0 && len(t.payload) < frame.MaxControlPayload {
		return nil
	}
	p := append([]byte{}, t.payload...)
	code, reason := frame.ParseClose(p)
	answer := p
	if t.h.Length > frame.MaxControlPayload {
		p = cutRune(p)
		_, reason = frame.ParseClose(p)
		answer = frame.ClosePayload(frame.StatusProtocol, "close frame too long") // section 5.5
	}
	switch {
	case len(p) == 1:
		return breach(frame.StatusProtocol, "close frame of 1 byte", "the server sent a close frame of 1 byte, which is not a status code")
	case len(p) > 1 && !validStatus(code): // section 7.4
		return breach(frame.StatusProtocol, "status code", fmt.Sprintf("the server sent a close frame with the status code %d, which is not allowed", code))
	case !utf8.ValidString(reason): // section 7.1.6
		return breach(frame.StatusInvalid, "invalid UTF-8", "the reason in the server's close frame is not UTF-8")
	}
	return &violation{answer: answer, closed: p, end: End{Kind: Closed, Code: code, Reason: reason}}
}

// cutRune removes an incomplete character at the end.
func cutRune(p []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if b := p[len(p)-i]; utf8.RuneStart(b) {
			if !utf8.FullRune(p[len(p)-i:]) {
				return p[:len(p)-i]
			}
			break
		}
	}
	return p
}

// validStatus reports whether a status code may be in a close frame (section 7.4).
func validStatus(code int) bool {
	switch code {
	case 1004, frame.StatusNone, frame.StatusAbnormal:
		return false
	}
	return code >= 1000 && code <= 1014 || code >= 3000 && code <= 4999
}
