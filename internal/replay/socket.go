package replay

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hark-cli/hark/proto/frame"
)

const (
	// writeTimeout is how long a client may leave its data unread.
	writeTimeout = time.Minute
	// closeTimeout is how long a client may take to answer a close frame.
	closeTimeout = 5 * time.Second
	// maxMessage is the largest message of a client, in bytes.
	maxMessage = 64 << 20
	// bufferSize is how many bytes of frames go out in one write.
	bufferSize = 64 << 10
)

// A socket is the server's end of a WebSocket connection. A library would keep the
// last messages of a client to itself, and send pings of its own.
type socket struct {
	conn net.Conn
	br   *bufio.Reader

	mu     sync.Mutex // of what follows
	out    []byte     // frames that wait for flush
	closed bool       // a close frame has gone out
}

// upgrade answers an opening handshake (RFC 6455, section 4.2).
func upgrade(w http.ResponseWriter, r *http.Request, subprotocol string) (*socket, error) {
	key := r.Header.Get("Sec-Websocket-Key")
	if r.Method != http.MethodGet || r.Header.Get("Sec-Websocket-Version") != "13" || key == "" {
		w.Header().Set("Sec-Websocket-Version", "13")
		http.Error(w, "this is no handshake of RFC 6455", http.StatusBadRequest)
		return nil, errors.New("no handshake")
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "no connection to upgrade", http.StatusInternalServerError)
		return nil, err
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		conn.Close()
		return nil, err
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	s := &socket{conn: conn, br: rw.Reader}
	s.out = fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	if subprotocol != "" {
		s.out = fmt.Appendf(s.out, "Sec-WebSocket-Protocol: %s\r\n", subprotocol)
	}
	s.out = append(s.out, "\r\n"...)
	if err := s.flush(); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

// queue adds a frame to what goes out with the next flush, which it makes itself
// when there is much. Nothing goes out after a close frame.
func (s *socket) queue(op frame.Opcode, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = op == frame.OpClose
	s.out = frame.AppendHeader(s.out, frame.Header{Fin: true, Opcode: op, Length: uint64(len(payload))})
	s.out = append(s.out, payload...)
	if len(s.out) < bufferSize {
		return nil
	}
	return s.write()
}

func (s *socket) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write()
}

// write writes what is queued. s.mu is held.
func (s *socket) write() error {
	if len(s.out) == 0 {
		return nil
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := s.conn.Write(s.out)
	if s.out = s.out[:0]; cap(s.out) > 1<<20 {
		s.out = nil
	}
	return err
}

// send writes one frame.
func (s *socket) send(op frame.Opcode, payload []byte) error {
	if err := s.queue(op, payload); err != nil {
		return err
	}
	return s.flush()
}

var errViolation = errors.New("the client broke the protocol")

// read returns the next message of the client. It answers pings. At the end of the
// connection there is an error; a close frame has been answered then.
func (s *socket) read() (message, error) {
	var m message
	for {
		h, payload, err := s.readFrame(uint64(len(m.data)))
		if err == errViolation {
			_ = s.send(frame.OpClose, frame.ClosePayload(frame.StatusProtocol, ""))
		}
		if err != nil {
			return message{}, err
		}
		switch {
		case h.Opcode == frame.OpPing:
			if err := s.send(frame.OpPong, payload); err != nil {
				return message{}, err
			}
		case h.Opcode == frame.OpClose:
			_ = s.send(frame.OpClose, payload) // unless it is itself the answer
			return message{}, io.EOF
		case h.Opcode.Control():
		default:
			if h.Opcode != frame.OpContinuation {
				m.op = h.Opcode
			}
			m.data = append(m.data, payload...)
			if h.Fin {
				return m, nil
			}
		}
	}
}

// readFrame reads one frame and unmasks it; before is how much there is of its
// message.
func (s *socket) readFrame(before uint64) (frame.Header, []byte, error) {
	var h frame.Header
	for size, n := 2, 0; n == 0; size++ {
		b, err := s.br.Peek(size)
		if err != nil {
			return h, nil, err
		}
		if h, n = frame.ParseHeader(b); n > 0 {
			if _, err := s.br.Discard(n); err != nil {
				return h, nil, err
			}
		}
	}
	if !h.Masked || h.RSV != 0 || h.Length > maxMessage-before || h.Opcode.Control() && (!h.Fin || h.Length > frame.MaxControlPayload) {
		return h, nil, errViolation
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(s.br, payload); err != nil {
		return h, nil, err
	}
	frame.Mask(payload, h.Mask, 0)
	return h, payload, nil
}
