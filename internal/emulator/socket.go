package emulator

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/hark-cli/hark/proto/frame"
)

const (
	// CloseTimeout bounds what is still done for a connection that ends.
	CloseTimeout = time.Second
	// writeTimeout is how long a client may leave its data unread.
	writeTimeout = time.Minute
)

// A ClientFrame is a message or a control frame of the client.
type ClientFrame struct {
	Opcode  frame.Opcode
	Payload []byte
	At      time.Time
}

// Rules are the points in which the servers differ.
type Rules struct {
	Versions     []string // of Sec-WebSocket-Version
	MaxMessage   uint64   // in bytes
	Fragments    bool     // whether messages of several frames are taken
	WriteTimeout time.Duration
	// Reserved: bits that no extension has defined are not looked at.
	Reserved bool
	// Uncut: the reason of a close frame is sent as it is, however long.
	Uncut bool
	// Finished: a client that has sent too much is left with FIN, not RST.
	Finished bool
}

// Ordinary are the rules of a server of which nothing else is known.
func Ordinary() Rules {
	return Rules{Versions: []string{"13"}, MaxMessage: 1 << 20, Fragments: true, WriteTimeout: writeTimeout}
}

// A Violation is a frame that the rules do not allow, with the status code for
// a close frame about it.
type Violation struct {
	Code int
	Text string
}

func (v *Violation) Error() string { return v.Text }

// A Socket is the server's end of a WebSocket connection. One goroutine reads;
// everything else belongs to the goroutine that made the socket.
type Socket struct {
	// Frames yields what the client sends. It is closed when no more comes; then
	// err says why.
	Frames chan ClientFrame
	err    error

	// Due fires when elapsed has something to do; nil when there is nothing.
	Due <-chan time.Time

	conn   net.Conn
	br     *bufio.Reader
	Rules  Rules
	ctx    context.Context
	gone   chan struct{} // closed by drop
	out    []byte        // frames that wait for flush
	faults *mischief
	// silent: nothing goes out any more and nothing comes in.
	silent atomic.Bool
	// Sent, if not nil, is called after each event, with the number of those sent.
	Sent func(n int)
	// Owner is who serves the socket, for the faults of the service.
	Owner any
	timed []timed // in the order of their times
	timer *time.Timer
}

// HandshakeFault looks for what makes r no proper upgrade request (RFC 6455,
// section 4.2.1). The texts are the reason phrases of actix-http, src/ws/mod.rs.
func HandshakeFault(r *http.Request, versions []string) string {
	switch {
	case !headerHas(r.Header, "Upgrade", "websocket"):
		return "No WebSocket Upgrade header found"
	case !headerHas(r.Header, "Connection", "upgrade"):
		return "No Connection upgrade"
	case r.Header.Get("Sec-WebSocket-Version") == "":
		return "WebSocket version header is required"
	case !slices.Contains(versions, r.Header.Get("Sec-WebSocket-Version")):
		return "Unsupported WebSocket version"
	case r.Header.Get("Sec-WebSocket-Key") == "":
		return "Handshake error"
	}
	return ""
}

func headerHas(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// acceptKey computes Sec-WebSocket-Accept (RFC 6455, section 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// hijack takes the connection of a request over from the HTTP server.
func hijack(w http.ResponseWriter) (net.Conn, *bufio.Reader, error) {
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

// AnswerPhrase answers with a status line that net/http cannot write, and an
// empty body.
func AnswerPhrase(w http.ResponseWriter, status int, phrase string) {
	conn, _, err := hijack(w)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(CloseTimeout))
	// The client may be gone: nobody is left to be told.
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status, phrase)
}

// upgrade answers the handshake of a request that HandshakeFault has passed, and
// starts to read. The socket must be dropped. ctx ends with the emulator.
func upgrade(ctx context.Context, w http.ResponseWriter, r *http.Request, rules Rules, p Plan) (*Socket, error) {
	conn, br, err := hijack(w)
	if err != nil {
		return nil, err
	}
	s := &Socket{
		Frames: make(chan ClientFrame),
		conn:   conn,
		br:     br,
		Rules:  rules,
		ctx:    ctx,
		gone:   make(chan struct{}),
		faults: &mischief{Plan: p},
	}
	s.out = fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", acceptKey(r.Header.Get("Sec-WebSocket-Key")))
	if err := s.Flush(); err != nil {
		conn.Close()
		return nil, err
	}
	go s.read()
	return s, nil
}

// read passes frames on until the connection ends. drop ends and joins it.
func (s *Socket) read() {
	defer close(s.Frames)
	var message ClientFrame
	for {
		h, payload, err := s.readFrame()
		if err != nil {
			s.err = err
			return
		}
		if s.silent.Load() {
			continue
		}
		f := ClientFrame{h.Opcode, payload, time.Now()}
		if !h.Opcode.Control() {
			if f, err = s.assemble(&message, h, f); err != nil {
				s.err = err
				return
			}
			if !h.Fin {
				continue
			}
		}
		select {
		case s.Frames <- f:
		case <-s.gone:
			s.err = net.ErrClosed
			return
		}
	}
}

// ReadError returns how reading has ended, or nil if it goes on.
func (s *Socket) ReadError() error {
	select {
	case _, ok := <-s.Frames:
		if !ok {
			return s.err
		}
	default:
	}
	return nil
}

// assemble adds a data frame to the message that it belongs to and returns what
// there is of it.
func (s *Socket) assemble(message *ClientFrame, h frame.Header, f ClientFrame) (ClientFrame, error) {
	first := h.Opcode != frame.OpContinuation
	switch {
	case first == (message.Opcode != 0):
		return f, &Violation{frame.StatusProtocol, "continuation frame without a message, or a message within another"}
	case !s.Rules.Fragments && (!first || !h.Fin):
		return f, &Violation{frame.StatusProtocol, "fragmented message"}
	case uint64(len(message.Payload)+len(f.Payload)) > s.Rules.MaxMessage:
		return f, &Violation{frame.StatusTooBig, "message too big"}
	case first:
		*message = f
	default:
		message.Payload = append(message.Payload, f.Payload...)
		message.At = f.At
	}
	if !h.Fin {
		return *message, nil
	}
	f, *message = *message, ClientFrame{}
	if f.Opcode == frame.OpText && !utf8.Valid(f.Payload) {
		return f, &Violation{frame.StatusInvalid, "text is not UTF-8"}
	}
	return f, nil
}

// readFrame reads one frame and unmasks it.
func (s *Socket) readFrame() (frame.Header, []byte, error) {
	h, err := s.readHeader()
	if err != nil {
		return h, nil, err
	}
	switch {
	case h.RSV != 0 && !s.Rules.Reserved:
		return h, nil, &Violation{frame.StatusProtocol, "reserved bit set"}
	case h.Opcode.String() == "reserved":
		return h, nil, &Violation{frame.StatusProtocol, "reserved opcode"}
	case !h.Masked:
		return h, nil, &Violation{frame.StatusProtocol, "frame not masked"}
	case h.Opcode.Control() && (!h.Fin || h.Length > frame.MaxControlPayload):
		return h, nil, &Violation{frame.StatusProtocol, "control frame fragmented or too long"}
	case h.Length > s.Rules.MaxMessage:
		return h, nil, &Violation{frame.StatusTooBig, "frame too big"}
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(s.br, payload); err != nil {
		return h, nil, err
	}
	frame.Mask(payload, h.Mask, 0)
	return h, payload, nil
}

func (s *Socket) readHeader() (frame.Header, error) {
	for size := 2; ; size++ {
		b, err := s.br.Peek(size)
		if err != nil {
			return frame.Header{}, err
		}
		if h, n := frame.ParseHeader(b); n > 0 {
			_, err := s.br.Discard(n)
			return h, err
		}
	}
}

// Queue adds a frame to what goes out with the next flush.
func (s *Socket) Queue(op frame.Opcode, payload []byte) {
	s.out = frame.AppendHeader(s.out, frame.Header{Fin: true, Opcode: op, Length: uint64(len(payload))})
	s.out = append(s.out, payload...)
}

// Flush writes what is queued. It waits for a slow client as long as the rules
// say, and shorter when the emulator is being closed.
func (s *Socket) Flush() error {
	if len(s.out) == 0 || s.silent.Load() {
		s.out = s.out[:0]
		return nil
	}
	limit := s.Rules.WriteTimeout
	// Set, then look: so the shorter limit wins whenever the end comes.
	stop := context.AfterFunc(s.ctx, func() { _ = s.conn.SetWriteDeadline(time.Now().Add(CloseTimeout)) })
	defer stop()
	if s.ctx.Err() != nil {
		limit = CloseTimeout
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	_, err := s.conn.Write(s.out)
	s.out = s.out[:0]
	return err
}

// Send writes one frame.
func (s *Socket) Send(op frame.Opcode, payload []byte) error {
	s.Queue(op, payload)
	return s.Flush()
}

// Control does with a control frame what every server does. over tells that the
// connection has ended with it.
func (s *Socket) Control(f ClientFrame) (over bool) {
	switch f.Opcode {
	case frame.OpPing:
		return s.Pong(frame.OpPong, f.Payload)
	case frame.OpClose:
		if err := s.Send(frame.OpClose, f.Payload); err == nil {
			s.linger()
		}
		return true
	}
	return false
}

// Close sends a close frame and gives the client a moment to answer. Codes that
// never travel mean: an empty close frame, or none at all.
func (s *Socket) Close(code int, reason string) {
	if code == frame.StatusAbnormal || s.silent.Load() {
		return
	}
	payload := frame.ClosePayload(code, reason)
	if s.Rules.Uncut && len(payload) > 2 {
		payload = append(payload[:2], reason...)
	}
	if err := s.Send(frame.OpClose, payload); err == nil {
		s.linger()
	}
}

// Failed ends a connection whose frames have ended: with the close frame that
// RFC 6455 wants for a Violation, without one when the client is gone.
func (s *Socket) Failed() {
	if v, ok := errors.AsType[*Violation](s.err); ok {
		s.Close(v.Code, v.Text)
	}
}

// Finish ends a connection of which data is unread with FIN.
func (s *Socket) Finish() {
	c, ok := s.conn.(interface{ CloseWrite() error })
	if !ok {
		return
	}
	_ = c.CloseWrite()
	_ = s.conn.SetReadDeadline(time.Now().Add(CloseTimeout))
	_, _ = io.Copy(io.Discard, s.conn)
}

// linger reads on until the client has closed its side: if the connection were
// closed with data unread, TCP would reset it and the close frame could be lost.
func (s *Socket) linger() {
	if c, ok := s.conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(CloseTimeout))
	for range s.Frames {
	}
}

// Drop ends the connection as it is and joins the reader. A silent connection
// stays until the client has ended it.
func (s *Socket) Drop() {
	for s.silent.Load() {
		select {
		case _, ok := <-s.Frames:
			s.silent.Store(ok)
		case <-s.ctx.Done():
			s.silent.Store(false)
		}
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	close(s.gone)
	_ = s.conn.Close()
	for range s.Frames {
	}
}
