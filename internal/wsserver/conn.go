package wsserver

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hark-cli/hark/proto/frame"
)

// WriteTimeout is the time limit for writes to a client that does not read, unless a
// server has its own limit.
const WriteTimeout = time.Minute

// maxSpare is the largest write buffer that is retained, in bytes.
const maxSpare = 1 << 20

// Rules configure what a client may send. The zero value is RFC 6455.
type Rules struct {
	// MaxMessage is the size of the largest message, in bytes; 0 for no limit.
	MaxMessage uint64
	// Unfragmented: messages of several frames are refused.
	Unfragmented bool
	// Reserved: reserved bits are ignored.
	Reserved bool
}

// A Violation reports a frame that the Rules do not allow, with the status code for the
// close frame.
type Violation struct {
	Code int
	Text string
}

func (v *Violation) Error() string { return v.Text }

// A Message is a message of the client, or a control frame.
type Message struct {
	Opcode  frame.Opcode
	Payload []byte
}

// A Conn is the server's end of a WebSocket connection (RFC 6455), without extensions.
// It does not answer pings and close frames; the caller must. One goroutine may read
// while others write.
type Conn struct {
	conn    net.Conn
	br      *bufio.Reader
	rules   Rules
	message Message // as far as received

	mu  sync.Mutex // of what follows
	out []byte     // queued frames
}

// NewConn returns the Conn of a connection after its opening handshake. br, if not nil,
// contains data read from it already.
func NewConn(conn net.Conn, br *bufio.Reader, rules Rules) *Conn {
	if br == nil {
		br = bufio.NewReader(conn)
	}
	return &Conn{conn: conn, br: br, rules: rules}
}

// Upgrade hijacks the connection of a request, and queues the response to the opening
// handshake, which the caller has checked; subprotocol may be "". If it returns an
// error, the client has got a response, or has disconnected.
func Upgrade(w http.ResponseWriter, r *http.Request, subprotocol string, rules Rules) (*Conn, error) {
	conn, br, err := Hijack(w)
	if err != nil {
		return nil, err
	}
	header := ""
	if subprotocol != "" {
		header = "Sec-WebSocket-Protocol: " + subprotocol + "\r\n"
	}
	c := NewConn(conn, br, rules)
	c.out = Answer(r, header)
	return c, nil
}

// Answer returns the response to an opening handshake (RFC 6455, section 4.2.2). header
// has further header lines, with line endings.
func Answer(r *http.Request, header string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n%s\r\n", AcceptKey(r.Header.Get("Sec-WebSocket-Key")), header)
}

// AcceptKey returns the Sec-WebSocket-Accept for a Sec-WebSocket-Key.
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Hijack hijacks the connection of a request from the HTTP server, without deadlines.
func Hijack(w http.ResponseWriter) (net.Conn, *bufio.Reader, error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "no connection to upgrade", http.StatusInternalServerError)
		return nil, nil, fmt.Errorf("taking over the connection: %w", err)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("taking over the connection: %w", err)
	}
	return conn, rw.Reader, nil
}

// NetConn returns the underlying connection.
func (c *Conn) NetConn() net.Conn { return c.conn }

// Read returns the next message or control frame. The error may be a *Violation, for a
// close frame.
func (c *Conn) Read() (Message, error) {
	for {
		h, payload, err := c.ReadFrame()
		if err != nil || h.Opcode.Control() {
			return Message{h.Opcode, payload}, err
		}
		m := &c.message
		switch first := h.Opcode != frame.OpContinuation; {
		case first == (m.Opcode != 0):
			return Message{}, &Violation{frame.StatusProtocol, "continuation frame without a message, or a message within another"}
		case c.rules.Unfragmented && (!first || !h.Fin):
			return Message{}, &Violation{frame.StatusProtocol, "fragmented message"}
		case c.rules.MaxMessage > 0 && uint64(len(m.Payload)+len(payload)) > c.rules.MaxMessage:
			return Message{}, &Violation{frame.StatusTooBig, "message too big"}
		case first:
			*m = Message{h.Opcode, payload}
		default:
			m.Payload = append(m.Payload, payload...)
		}
		if !h.Fin {
			continue
		}
		whole := *m
		*m = Message{}
		if whole.Opcode == frame.OpText && !utf8.Valid(whole.Payload) {
			return Message{}, &Violation{frame.StatusInvalid, "text is not UTF-8"}
		}
		return whole, nil
	}
}

// ReadFrame returns the next frame, unmasked. It must not be mixed with Read.
func (c *Conn) ReadFrame() (frame.Header, []byte, error) {
	h, err := c.readHeader()
	if err != nil {
		return h, nil, err
	}
	switch {
	case h.RSV != 0 && !c.rules.Reserved:
		return h, nil, &Violation{frame.StatusProtocol, "reserved bit set"}
	case h.Opcode.String() == "reserved":
		return h, nil, &Violation{frame.StatusProtocol, "reserved opcode"}
	case !h.Masked:
		return h, nil, &Violation{frame.StatusProtocol, "frame not masked"}
	case h.Opcode.Control() && (!h.Fin || h.Length > frame.MaxControlPayload):
		return h, nil, &Violation{frame.StatusProtocol, "control frame fragmented or too long"}
	case c.rules.MaxMessage > 0 && h.Length > c.rules.MaxMessage:
		return h, nil, &Violation{frame.StatusTooBig, "frame too big"}
	}
	payload, err := c.readPayload(h.Length)
	if err != nil {
		return h, nil, err
	}
	frame.Mask(payload, h.Mask, 0)
	return h, payload, nil
}

// readPayload reads n bytes. For a large n it allocates memory as the data arrives.
func (c *Conn) readPayload(n uint64) ([]byte, error) {
	const believed = 1 << 20
	payload := make([]byte, min(n, believed))
	if _, err := io.ReadFull(c.br, payload); err != nil {
		return nil, err
	}
	for have := uint64(len(payload)); have < n; have = uint64(len(payload)) {
		payload = append(payload, make([]byte, min(n-have, have))...)
		if _, err := io.ReadFull(c.br, payload[have:]); err != nil {
			return nil, err
		}
	}
	return payload, nil
}

func (c *Conn) readHeader() (frame.Header, error) {
	for size := 2; ; size++ {
		b, err := c.br.Peek(size)
		if err != nil {
			return frame.Header{}, err
		}
		if h, n := frame.ParseHeader(b); n > 0 {
			_, err := c.br.Discard(n)
			return h, err
		}
	}
}

// Queue adds a frame to the next Flush, and returns how many bytes are queued.
func (c *Conn) Queue(op frame.Opcode, payload []byte) (waits int) {
	return c.QueueFrame(frame.Header{Fin: true, Opcode: op, Length: uint64(len(payload))}, payload)
}

// QueueFrame is Queue for a frame with any header, which is written unchanged; payload
// may be a part of the payload.
func (c *Conn) QueueFrame(h frame.Header, payload []byte) (waits int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(frame.AppendHeader(c.out, h), payload...)
	return len(c.out)
}

// QueueBytes adds bytes to the next Flush.
func (c *Conn) QueueBytes(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(c.out, b...)
}

// Unqueue drops the queued data.
func (c *Conn) Unqueue() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = c.out[:0]
}

// Flush writes the queued data. It waits for a slow client for at most limit.
func (c *Conn) Flush(limit time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) == 0 {
		return nil
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	_, err := c.conn.Write(c.out)
	if c.out = c.out[:0]; cap(c.out) > maxSpare {
		c.out = nil
	}
	return err
}

// CloseWrite closes the connection for writing, if supported, and sets a deadline of d
// for reading. If a connection were closed with unread data, TCP would reset it, and
// the data sent last could be lost; so the caller must continue to read. CloseWrite
// reports whether the connection supports it.
func (c *Conn) CloseWrite(d time.Duration) bool {
	half, ok := c.conn.(interface{ CloseWrite() error })
	if ok {
		_ = half.CloseWrite()
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(d))
	return ok
}

// Close closes the connection without a close frame.
func (c *Conn) Close() error { return c.conn.Close() }
