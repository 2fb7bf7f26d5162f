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
	// closeTimeout bounds what is still done for a connection that ends.
	closeTimeout = time.Second
	// writeTimeout is how long a client may leave its data unread.
	writeTimeout = time.Minute
)

// A clientFrame is a message or a control frame of the client.
type clientFrame struct {
	opcode  frame.Opcode
	payload []byte
	at      time.Time
}

// socketRules are the points in which the servers differ.
type socketRules struct {
	versions     []string // of Sec-WebSocket-Version
	maxMessage   uint64   // in bytes
	fragments    bool     // whether messages of several frames are taken
	writeTimeout time.Duration
	// reserved: bits that no extension has defined are not looked at.
	reserved bool
	// uncut: the reason of a close frame is sent as it is, however long.
	uncut bool
	// finished: a client that has sent too much is left with FIN, not RST.
	finished bool
}

// ordinary are the rules of a server of which nothing else is known.
func ordinary() socketRules {
	return socketRules{versions: []string{"13"}, maxMessage: 1 << 20, fragments: true, writeTimeout: writeTimeout}
}

// A violation is a frame that the rules do not allow, with the status code for
// a close frame about it.
type violation struct {
	code int
	text string
}

func (v *violation) Error() string { return v.text }

// A socket is the server's end of a WebSocket connection. One goroutine reads;
// everything else belongs to the goroutine that made the socket.
type socket struct {
	// frames yields what the client sends. It is closed when no more comes; then
	// err says why.
	frames chan clientFrame
	err    error

	// due fires when elapsed has something to do; nil when there is nothing.
	due <-chan time.Time

	conn   net.Conn
	br     *bufio.Reader
	rules  socketRules
	ctx    context.Context
	gone   chan struct{} // closed by drop
	out    []byte        // frames that wait for flush
	faults *mischief
	// silent: nothing goes out any more and nothing comes in.
	silent atomic.Bool
	// spoil, if not nil, publishes a record that is no event.
	spoil   func()
	crashed bool
	timed   []timed // in the order of their times
	timer   *time.Timer
}

// handshakeFault looks for what makes r no proper upgrade request (RFC 6455,
// section 4.2.1). The texts are the reason phrases of actix-http, src/ws/mod.rs.
func handshakeFault(r *http.Request, versions []string) string {
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

// answerPhrase answers with a status line that net/http cannot write, and an
// empty body.
func answerPhrase(w http.ResponseWriter, status int, phrase string) {
	conn, _, err := hijack(w)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(closeTimeout))
	// The client may be gone: nobody is left to be told.
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status, phrase)
}

// upgrade answers the handshake of a request that handshakeFault has passed, and
// starts to read. The socket must be dropped. ctx ends with the emulator.
func upgrade(ctx context.Context, w http.ResponseWriter, r *http.Request, rules socketRules, p plan) (*socket, error) {
	conn, br, err := hijack(w)
	if err != nil {
		return nil, err
	}
	s := &socket{
		frames: make(chan clientFrame),
		conn:   conn,
		br:     br,
		rules:  rules,
		ctx:    ctx,
		gone:   make(chan struct{}),
		faults: &mischief{plan: p},
	}
	s.out = fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", acceptKey(r.Header.Get("Sec-WebSocket-Key")))
	if err := s.flush(); err != nil {
		conn.Close()
		return nil, err
	}
	go s.read()
	return s, nil
}

// read passes frames on until the connection ends. drop ends and joins it.
func (s *socket) read() {
	defer close(s.frames)
	var message clientFrame
	for {
		h, payload, err := s.readFrame()
		if err != nil {
			s.err = err
			return
		}
		if s.silent.Load() {
			continue
		}
		f := clientFrame{h.Opcode, payload, time.Now()}
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
		case s.frames <- f:
		case <-s.gone:
			s.err = net.ErrClosed
			return
		}
	}
}

// readError returns how reading has ended, or nil if it goes on.
func (s *socket) readError() error {
	select {
	case _, ok := <-s.frames:
		if !ok {
			return s.err
		}
	default:
	}
	return nil
}

// assemble adds a data frame to the message that it belongs to and returns what
// there is of it.
func (s *socket) assemble(message *clientFrame, h frame.Header, f clientFrame) (clientFrame, error) {
	first := h.Opcode != frame.OpContinuation
	switch {
	case first == (message.opcode != 0):
		return f, &violation{frame.StatusProtocol, "continuation frame without a message, or a message within another"}
	case !s.rules.fragments && (!first || !h.Fin):
		return f, &violation{frame.StatusProtocol, "fragmented message"}
	case uint64(len(message.payload)+len(f.payload)) > s.rules.maxMessage:
		return f, &violation{frame.StatusTooBig, "message too big"}
	case first:
		*message = f
	default:
		message.payload = append(message.payload, f.payload...)
		message.at = f.at
	}
	if !h.Fin {
		return *message, nil
	}
	f, *message = *message, clientFrame{}
	if f.opcode == frame.OpText && !utf8.Valid(f.payload) {
		return f, &violation{frame.StatusInvalid, "text is not UTF-8"}
	}
	return f, nil
}

// readFrame reads one frame and unmasks it.
func (s *socket) readFrame() (frame.Header, []byte, error) {
	h, err := s.readHeader()
	if err != nil {
		return h, nil, err
	}
	switch {
	case h.RSV != 0 && !s.rules.reserved:
		return h, nil, &violation{frame.StatusProtocol, "reserved bit set"}
	case h.Opcode.String() == "reserved":
		return h, nil, &violation{frame.StatusProtocol, "reserved opcode"}
	case !h.Masked:
		return h, nil, &violation{frame.StatusProtocol, "frame not masked"}
	case h.Opcode.Control() && (!h.Fin || h.Length > frame.MaxControlPayload):
		return h, nil, &violation{frame.StatusProtocol, "control frame fragmented or too long"}
	case h.Length > s.rules.maxMessage:
		return h, nil, &violation{frame.StatusTooBig, "frame too big"}
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(s.br, payload); err != nil {
		return h, nil, err
	}
	frame.Mask(payload, h.Mask, 0)
	return h, payload, nil
}

func (s *socket) readHeader() (frame.Header, error) {
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

// queue adds a frame to what goes out with the next flush.
func (s *socket) queue(op frame.Opcode, payload []byte) {
	s.out = frame.AppendHeader(s.out, frame.Header{Fin: true, Opcode: op, Length: uint64(len(payload))})
	s.out = append(s.out, payload...)
}

// flush writes what is queued. It waits for a slow client as long as the rules
// say, and shorter when the emulator is being closed.
func (s *socket) flush() error {
	if len(s.out) == 0 || s.silent.Load() {
		s.out = s.out[:0]
		return nil
	}
	limit := s.rules.writeTimeout
	// Set, then look: so the shorter limit wins whenever the end comes.
	stop := context.AfterFunc(s.ctx, func() { _ = s.conn.SetWriteDeadline(time.Now().Add(closeTimeout)) })
	defer stop()
	if s.ctx.Err() != nil {
		limit = closeTimeout
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	_, err := s.conn.Write(s.out)
	s.out = s.out[:0]
	return err
}

// send writes one frame.
func (s *socket) send(op frame.Opcode, payload []byte) error {
	s.queue(op, payload)
	return s.flush()
}

// control does with a control frame what every server does. over tells that the
// connection has ended with it.
func (s *socket) control(f clientFrame) (over bool) {
	switch f.opcode {
	case frame.OpPing:
		return s.pong(frame.OpPong, f.payload)
	case frame.OpClose:
		if err := s.send(frame.OpClose, f.payload); err == nil {
			s.linger()
		}
		return true
	}
	return false
}

// close sends a close frame and gives the client a moment to answer. Codes that
// never travel mean: an empty close frame, or none at all.
func (s *socket) close(code int, reason string) {
	if code == frame.StatusAbnormal || s.silent.Load() {
		return
	}
	payload := frame.ClosePayload(code, reason)
	if s.rules.uncut && len(payload) > 2 {
		payload = append(payload[:2], reason...)
	}
	if err := s.send(frame.OpClose, payload); err == nil {
		s.linger()
	}
}

// failed ends a connection whose frames have ended: with the close frame that
// RFC 6455 wants for a violation, without one when the client is gone.
func (s *socket) failed() {
	if v, ok := errors.AsType[*violation](s.err); ok {
		s.close(v.code, v.text)
	}
}

// finish ends a connection of which data is unread with FIN.
func (s *socket) finish() {
	c, ok := s.conn.(interface{ CloseWrite() error })
	if !ok {
		return
	}
	_ = c.CloseWrite()
	_ = s.conn.SetReadDeadline(time.Now().Add(closeTimeout))
	_, _ = io.Copy(io.Discard, s.conn)
}

// linger reads on until the client has closed its side: if the connection were
// closed with data unread, TCP would reset it and the close frame could be lost.
func (s *socket) linger() {
	if c, ok := s.conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(closeTimeout))
	for range s.frames {
	}
}

// drop ends the connection as it is and joins the reader. A silent connection
// stays until the client has ended it.
func (s *socket) drop() {
	for s.silent.Load() {
		select {
		case _, ok := <-s.frames:
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
	for range s.frames {
	}
}
