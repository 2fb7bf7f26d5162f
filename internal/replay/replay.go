// Package replay serves a recording to WebSocket clients: it sends what the recorded
// server has sent, and can check that the client sends what the recorded client has
// sent.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/proto"
)

// Options configure how a recording is served.
type Options struct {
	// Speed is the factor by which it is faster than recorded; 0 means without delays.
	Speed float64
	// Strict ends it with a *Deviation if a client does not send what the recorded
	// client has sent. Heartbeats and renewed tokens, which depend on the clock, and
	// control frames may differ.
	Strict bool
	// Patience is how long to wait for a message of the client before the recording
	// continues without it or, with Strict, ends.
	Patience time.Duration
	// Clocked reports whether a message of the client depends on the clock, so that it
	// is not required of other clients; it may be nil.
	Clocked func(message []byte) bool
	// Answer, if not nil, answers a request that is not a handshake, and reports
	// whether it has.
	Answer func(w http.ResponseWriter, r *http.Request) bool
}

// A Deviation reports a client that does not do what the recorded client did.
type Deviation struct {
	Connection int // in the recording, from 1
	Text       string
}

func (d *Deviation) Error() string {
	return fmt.Sprintf("connection %d: %s", d.Connection, d.Text)
}

// A Server serves the connections of a recording one after the other, each to the next
// client.
type Server struct {
	o    Options
	ctx  context.Context
	turn chan struct{} // acquired by the handler of the connection being served
	over chan struct{} // closed when the recording has ended, with err
	once sync.Once
	err  error

	// Guarded by turn.
	next       func() (proto.FrameRecord, error, bool)
	stop       func()
	peeked     *proto.FrameRecord
	through    bool  // the recording has no more records
	last       error // of the recording, then
	connection int
}

// New returns a server of the recording. The caller must Close it. Canceling ctx ends
// its connections.
func New(ctx context.Context, recording *proto.RecordingReader, o Options) *Server {
	s := &Server{o: o, ctx: ctx, turn: make(chan struct{}, 1), over: make(chan struct{})}
	s.next, s.stop = iter.Pull2(recording.Records())
	return s
}

// Done is closed when the recording has ended.
func (s *Server) Done() <-chan struct{} { return s.over }

// Err returns what ended the recording, after Done is closed: a *Deviation, a read
// error, proto.ErrRecordingCut; nil if all of it was served.
func (s *Server) Err() error { return s.err }

// Close waits for the connection being served, which must be ending, and stops reading
// the recording.
func (s *Server) Close() {
	s.turn <- struct{}{}
	s.stop()
	s.end(errors.New("closed"))
}

func (s *Server) end(err error) {
	s.once.Do(func() {
		s.err = err
		close(s.over)
	})
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	upgrade := strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
	switch {
	case !upgrade && s.o.Answer != nil && s.o.Answer(w, r):
		return
	case !upgrade:
		http.Error(w, "this is a WebSocket", http.StatusUpgradeRequired)
		return
	}
	select {
	case s.turn <- struct{}{}:
	case <-s.over:
		http.Error(w, "the recording has ended", http.StatusGone)
		return
	case <-r.Context().Done():
		return
	}
	defer func() { <-s.turn }()
	if _, ok := s.peek(); !ok {
		http.Error(w, "the recording has ended", http.StatusGone)
		return
	}
	s.connection++
	if err := s.serve(w, r); err != nil {
		s.end(err)
		return
	}
	if _, ok := s.peek(); !ok {
		s.end(s.last)
	}
}

// clocked reports whether a message depends on the clock.
func (s *Server) clocked(message []byte) bool { return s.o.Clocked != nil && s.o.Clocked(message) }

// peek returns the next record without consuming it. It is valid until take.
func (s *Server) peek() (*proto.FrameRecord, bool) {
	if s.peeked == nil && !s.through {
		if r, err, ok := s.next(); !ok || err != nil {
			s.through, s.last = true, err
		} else {
			s.peeked = &r
		}
	}
	return s.peeked, s.peeked != nil
}

// take returns the next record of this connection; false if there is none.
func (s *Server) take() (proto.FrameRecord, bool) {
	r, ok := s.peek()
	if !ok || r.Handshake != nil {
		return proto.FrameRecord{}, false
	}
	s.peeked = nil
	return *r, true
}

// serve serves the next connection of the recording.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) error {
	first, _ := s.peek()
	start := first.Time
	var subprotocol string
	if h := first.Handshake; h != nil {
		s.peeked = nil
		switch h.Status {
		case http.StatusSwitchingProtocols:
			subprotocol = h.ResponseHeader.Get("Sec-Websocket-Protocol")
		case 0:
			if raw, _, err := http.NewResponseController(w).Hijack(); err == nil {
				raw.Close() // no response
			}
			return nil
		default:
			refuse(w, h)
			return nil
		}
	}
	ws, err := upgrade(w, r, subprotocol)
	if err != nil {
		return nil // the client has got a response, or has disconnected
	}
	c := newConn(s, ws, start)
	defer c.close()
	return c.play()
}

// refuse responds like the recorded server.
func refuse(w http.ResponseWriter, h *proto.HandshakeRecord) {
	for _, name := range []string{"Content-Type", "Retry-After", "Location"} {
		if v := h.ResponseHeader.Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
	w.WriteHeader(h.Status)
	_, _ = io.WriteString(w, h.Body)
}
