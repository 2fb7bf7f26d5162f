package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hark-cli/hark/internal/wsserver"
	"github.com/hark-cli/hark/proto/frame"
)

const (
	// CloseTimeout is the time limit for closing a connection.
	CloseTimeout = time.Second
)

// A ClientFrame is a message or a control frame of the client.
type ClientFrame struct {
	Opcode  frame.Opcode
	Payload []byte
	At      time.Time
}

// Rules are the differences between servers.
type Rules struct {
	wsserver.Rules
	Versions     []string // of Sec-WebSocket-Version
	WriteTimeout time.Duration
	// Subprotocol is the subprotocol that the server chooses, "" for none.
	Subprotocol string
	// Uncut: the reason of a close frame is not truncated.
	Uncut bool
	// Finished: the connection of a client that has sent too much is closed with FIN,
	// not RST.
	Finished bool
}

// Ordinary are the default rules.
func Ordinary() Rules {
	return Rules{Rules: wsserver.Rules{MaxMessage: 1 << 20}, Versions: []string{"13"}, WriteTimeout: wsserver.WriteTimeout}
}

// A Socket is the server's end of a WebSocket connection. One goroutine reads; all else
// must be called on the goroutine that made the socket.
type Socket struct {
	// Frames delivers the frames of the client. It is closed at the end; then err is
	// the cause.
	Frames chan ClientFrame
	err    error

	// Due fires when Elapsed must be called; it is nil if nothing is scheduled.
	Due <-chan time.Time

	ws     *wsserver.Conn
	Rules  Rules
	ctx    context.Context
	gone   chan struct{} // closed by Drop
	faults *mischief
	// silent: nothing is sent or read any more.
	silent atomic.Bool
	// Sent, if not nil, is called after each event, with the number of those sent.
	Sent func(n int)
	// Owner is the service's handler of the socket, for its faults.
	Owner any
	timed []timed // in the order of their times
	timer *time.Timer
}

// HandshakeFault returns the error of an invalid upgrade request, or "" (RFC 6455,
// section 4.2.1). The texts are the reason phrases of actix-http, src/ws/mod.rs.
func HandshakeFault(r *http.Request, versions []string) string {
	switch {
	case !wsserver.HeaderHas(r.Header, "Upgrade", "websocket"):
		return "No WebSocket Upgrade header found"
	case !wsserver.HeaderHas(r.Header, "Connection", "upgrade"):
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

// AnswerPhrase sends a status line that net/http cannot write, and an empty body.
func AnswerPhrase(w http.ResponseWriter, status int, phrase string) {
	conn, _, err := wsserver.Hijack(w)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(CloseTimeout))
	// An error means that the client is gone: there is no one to report it to.
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status, phrase)
}

// upgrade answers the handshake of a request without a HandshakeFault, and starts
// reading. The caller must Drop the socket. ctx is canceled when the emulator is
// closed.
func upgrade(ctx context.Context, w http.ResponseWriter, r *http.Request, rules Rules, p Plan) (*Socket, error) {
	ws, err := wsserver.Upgrade(w, r, rules.Subprotocol, rules.Rules)
	if err != nil {
		return nil, err
	}
	s := &Socket{
		Frames: make(chan ClientFrame),
		ws:     ws,
		Rules:  rules,
		ctx:    ctx,
		gone:   make(chan struct{}),
		faults: &mischief{Plan: p},
	}
	if err := s.Flush(); err != nil {
		ws.Close()
		return nil, err
	}
	go s.read()
	return s, nil
}

// read passes on frames until the connection ends. Drop ends and joins it.
func (s *Socket) read() {
	defer close(s.Frames)
	for {
		m, err := s.ws.Read()
		if err != nil {
			s.err = err
			return
		}
		if s.silent.Load() {
			continue
		}
		f := ClientFrame{m.Opcode, m.Payload, time.Now()}
		select {
		case s.Frames <- f:
		case <-s.gone:
			s.err = net.ErrClosed
			return
		}
	}
}

// ReadError returns why reading has ended, or nil if it has not.
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

// Queue adds a frame to the next Flush.
func (s *Socket) Queue(op frame.Opcode, payload []byte) { s.ws.Queue(op, payload) }

// Flush writes the queued frames. It waits for a slow client as long as the rules
// allow, and shorter if the emulator is being closed.
func (s *Socket) Flush() error {
	if s.silent.Load() {
		s.ws.Unqueue()
		return nil
	}
	limit := s.Rules.WriteTimeout
	// Set the deadline, then check: so the shorter limit applies whenever the emulator
	// is closed.
	stop := context.AfterFunc(s.ctx, func() { _ = s.ws.NetConn().SetWriteDeadline(time.Now().Add(CloseTimeout)) })
	defer stop()
	if s.ctx.Err() != nil {
		limit = CloseTimeout
	}
	return s.ws.Flush(limit)
}

// Send writes one frame.
func (s *Socket) Send(op frame.Opcode, payload []byte) error {
	s.Queue(op, payload)
	return s.Flush()
}

// Control handles a control frame like every server. over reports whether the
// connection has ended.
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

// Close sends a close frame and waits briefly for the answer. StatusNone means an empty
// close frame, StatusAbnormal none at all.
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

// Failed closes a connection whose frames have ended: with the close frame that RFC
// 6455 requires for a violation, without one if the client is gone.
func (s *Socket) Failed() {
	if v, ok := errors.AsType[*wsserver.Violation](s.err); ok {
		s.Close(v.Code, v.Text)
	}
}

// Finish closes a connection that has unread data with FIN.
func (s *Socket) Finish() {
	if !s.ws.CloseWrite(CloseTimeout) {
		return
	}
	_, _ = io.Copy(io.Discard, s.ws.NetConn())
}

// linger continues to read until the client has closed its side.
func (s *Socket) linger() {
	s.ws.CloseWrite(CloseTimeout)
	for range s.Frames {
	}
}

// Drop closes the connection without a close frame and joins the reader. A silent
// connection stays open until the client closes it.
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
	_ = s.ws.Close()
	for range s.Frames {
	}
}
