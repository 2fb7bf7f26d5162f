// Package replay serves a recording to WebSocket clients: it says what the server said
// when the recording was recorded, and can hold the client to what the client said then.
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

// Options say how a recording is served.
type Options struct {
	// Speed is how much faster than recorded it goes; 0 means without any pause.
	Speed float64
	// Strict ends it with a *Deviation when a client does not send what the client
	// in the recording has sent. Heartbeats and renewed tokens, which depend on the
	// clock, and control frames may differ.
	Strict bool
	// Patience is how long a message of the client is awaited before the recording goes
	// on without it or, with Strict, ends.
	Patience time.Duration
	// Clocked reports whether a message of the client depends on the clock, so that no
	// other client can be held to it; nil for never.
	Clocked func(message []byte) bool
	// Answer answers a request that is no handshake, and reports whether it has; nil
	// answers none.
	Answer func(w http.ResponseWriter, r *http.Request) bool
}

// A Deviation is a client that does not do what the client in the recording did.
type Deviation struct {
	Connection int // in the recording, from 1
	Text       string
}

func (d *Deviation) Error() string {
	return fmt.Sprintf("connection %d: %s", d.Connection, d.Text)
}

// A Server serves the connections of a recording one after the other: the first client
// gets the first one, and when that is over, the next client gets the next.
type Server struct {
	o    Options
	ctx  context.Context
	turn chan struct{} // held by the handler of the connection that is served
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

// New returns a server of the recording. Close must be called. ctx ends its connections.
func New(ctx context.Context, recording *proto.RecordingReader, o Options) *Server {
	s := &Server{o: o, ctx: ctx, turn: make(chan struct{}, 1), over: make(chan struct{})}
	s.next, s.stop = iter.Pull2(recording.Records())
	return s
}

// Done is closed when the recording has ended.
func (s *Server) Done() <-chan struct{} { return s.over }

// Err says what ended the recording, when Done is closed: a *Deviation, an error of
// reading, proto.ErrRecordingCut; nil when all of it was served.
func (s *Server) Err() error { return s.err }

// Close waits for the connection that is being served, which must be about to end,
// and ends the reading of the recording.
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

// peek returns the next record without taking it. It is valid until take.
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

// take returns the next record of this connection; false when there is none.
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
				raw.Close() // no answer
			}
			return nil
		default:
			refuse(w, h)
			return nil
		}
	}
	ws, err := upgrade(w, r, subprotocol)
	if err != nil {
		return nil // the client has been told, or is gone
	}
	c := newConn(s, ws, start)
	defer c.close()
	return c.play()
}

// refuse answers as the server in the recording did.
func refuse(w http.ResponseWriter, h *proto.HandshakeRecord) {
	for _, name := range []string{"Content-Type", "Retry-After", "Location"} {
		if v := h.ResponseHeader.Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
	w.WriteHeader(h.Status)
	_, _ = io.WriteString(w, h.Body)
}
