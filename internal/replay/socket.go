package replay

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/wsserver"
	"github.com/hark-cli/hark/proto/frame"
)

const (
	// closeTimeout is how long a client may take to answer a close frame.
	closeTimeout = 5 * time.Second
	// maxMessage is the largest message of a client, in bytes.
	maxMessage = 64 << 20
	// bufferSize is the size of one write of frames, in bytes.
	bufferSize = 64 << 10
)

// A socket is the server's end of a WebSocket connection that answers pings and close
// frames.
type socket struct {
	*wsserver.Conn

	mu     sync.Mutex
	closed bool // a close frame has been queued
}

// upgrade answers an opening handshake (RFC 6455, section 4.2).
func upgrade(w http.ResponseWriter, r *http.Request, subprotocol string) (*socket, error) {
	if r.Method != http.MethodGet || r.Header.Get("Sec-Websocket-Version") != "13" || r.Header.Get("Sec-Websocket-Key") == "" {
		w.Header().Set("Sec-Websocket-Version", "13")
		http.Error(w, "not a handshake of RFC 6455", http.StatusBadRequest)
		return nil, errors.New("no handshake")
	}
	c, err := wsserver.Upgrade(w, r, subprotocol, wsserver.Rules{MaxMessage: maxMessage})
	if err != nil {
		return nil, err
	}
	s := &socket{Conn: c}
	if err := s.flush(); err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}

// queue adds a frame to the next flush, and flushes if the buffer is large. Nothing is
// sent after a close frame.
func (s *socket) queue(op frame.Opcode, payload []byte) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = op == frame.OpClose
	waits := s.Queue(op, payload)
	s.mu.Unlock()
	if waits < bufferSize {
		return nil
	}
	return s.flush()
}

func (s *socket) flush() error { return s.Flush(wsserver.WriteTimeout) }

// send writes one frame.
func (s *socket) send(op frame.Opcode, payload []byte) error {
	if err := s.queue(op, payload); err != nil {
		return err
	}
	return s.flush()
}

// read returns the next message of the client. It answers pings, and a close frame
// before returning the error at the end of the connection.
func (s *socket) read() (wsserver.Message, error) {
	for {
		m, err := s.Read()
		if v, ok := errors.AsType[*wsserver.Violation](err); ok {
			_ = s.send(frame.OpClose, frame.ClosePayload(v.Code, ""))
		}
		switch {
		case err != nil:
			return m, err
		case m.Opcode == frame.OpPing:
			if err := s.send(frame.OpPong, m.Payload); err != nil {
				return m, err
			}
		case m.Opcode == frame.OpClose:
			_ = s.send(frame.OpClose, m.Payload) // unless it is itself an answer
			return m, io.EOF
		case !m.Opcode.Control():
			return m, nil
		}
	}
}
