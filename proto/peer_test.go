package proto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/wsserver"
	"github.com/hark-cli/hark/proto/frame"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// A peer is the server's end of one in-memory connection.
type peer struct {
	t    *testing.T
	conn net.Conn
	req  *http.Request
	in   chan Frame // what the client sent; closed at the end
}

// A network is a RoundTripper that answers every request by calling serve in a
// goroutine, with an open WebSocket, unless refuse returns another response.
type network struct {
	t      *testing.T
	serve  func(n int, p *peer)                                   // n counts connections from 1
	refuse func(n int, req *http.Request) (*http.Response, error) // nil, nil: do not refuse

	unread bool // serve reads what the client sends

	mu    sync.Mutex
	count int
	wg    sync.WaitGroup
}

func (nw *network) RoundTrip(req *http.Request) (*http.Response, error) {
	nw.mu.Lock()
	nw.count++
	n := nw.count
	nw.mu.Unlock()
	if nw.refuse != nil {
		if resp, err := nw.refuse(n, req); resp != nil || err != nil {
			return resp, err
		}
	}
	client, server := net.Pipe()
	p := &peer{t: nw.t, conn: server, req: req, in: make(chan Frame, 1000)}
	if !nw.unread {
		nw.wg.Go(p.read)
	}
	nw.wg.Go(func() {
		defer server.Close()
		nw.serve(n, p)
	})
	return &http.Response{
		StatusCode: http.StatusSwitchingProtocols,
		Header: http.Header{
			"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
			"Sec-Websocket-Accept": {wsserver.AcceptKey(req.Header.Get("Sec-WebSocket-Key"))},
		},
		Body: client,
	}, nil
}

func (nw *network) connections() int {
	nw.mu.Lock()
	defer nw.mu.Unlock()
	return nw.count
}

func answer(status int, header http.Header, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

// read reads the client's frames until the connection ends.
func (p *peer) read() {
	defer close(p.in)
	c := wsserver.NewConn(p.conn, nil, wsserver.Rules{Reserved: true})
	for {
		h, payload, err := c.ReadFrame()
		if v, ok := errors.AsType[*wsserver.Violation](err); ok {
			p.t.Errorf("the client sent a %s frame: %v", h.Opcode, v)
		}
		if err != nil {
			return
		}
		p.in <- Frame{Opcode: h.Opcode, Payload: payload}
	}
}

func frameBytes(op frame.Opcode, payload string) []byte {
	return append(frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: op, Length: uint64(len(payload))}), payload...)
}

// send writes one frame; false if the client has disconnected.
func (p *peer) send(op frame.Opcode, payload string) bool {
	_, err := p.conn.Write(frameBytes(op, payload))
	return err == nil
}

func (p *peer) text(payload ...string) {
	for _, s := range payload {
		p.send(frame.OpText, s)
	}
}

// next returns the next frame of the client with that opcode.
func (p *peer) next(op frame.Opcode) (string, bool) {
	for f := range p.in {
		if f.Opcode == op {
			return string(f.Payload), true
		}
	}
	return "", false
}

// untilClose waits for the client's close frame, echoes it, and returns the text
// messages before it.
func (p *peer) untilClose() (texts []string, code int) {
	for f := range p.in {
		switch f.Opcode {
		case frame.OpText:
			texts = append(texts, string(f.Payload))
		case frame.OpClose:
			code, _ = frame.ParseClose(f.Payload)
			p.send(frame.OpClose, string(f.Payload))
			return texts, code
		}
	}
	return texts, frame.StatusAbnormal
}

// A recorder is a sink that stores events.
type recorder struct {
	mu     sync.Mutex
	events []string
	times  []time.Time
	limit  int           // ends the run with errEnough after so many, 0 for never
	gate   chan struct{} // when not nil, each event waits for it
	flush  int
}

var errEnough = errors.New("enough")

func (r *recorder) Event(ev *Event) error {
	if r.gate != nil {
		<-r.gate
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, string(ev.Data))
	r.times = append(r.times, ev.Time)
	if r.limit > 0 && len(r.events) >= r.limit {
		return errEnough
	}
	return nil
}

func (r *recorder) Flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flush++
	return nil
}

func (r *recorder) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// A traceRecorder collects what the trace reports.
type traceRecorder struct {
	states   []string
	statuses []Status
	notes    []string
	warnings []string
	frames   []string

	heartbeats []Status
	handshakes []HandshakeRecord
}

func (d *traceRecorder) trace() Trace {
	return Trace{
		Status: func(s Status) {
			switch s.State.(type) {
			case Heartbeat:
				d.heartbeats = append(d.heartbeats, s)
				return
			case Live:
				return // always just before Ready, or earlier
			}
			d.states = append(d.states, s.State.String())
			d.statuses = append(d.statuses, s)
		},
		Note:    func(s string) { d.notes = append(d.notes, s) },
		Warning: func(s string) { d.warnings = append(d.warnings, s) },
		Frame: func(r FrameRecord) {
			if r.Handshake != nil {
				d.handshakes = append(d.handshakes, *r.Handshake)
				return
			}
			payload := string(r.Payload)
			if r.Secret {
				payload = "secret"
			}
			if r.Opcode == frame.OpClose {
				code, reason := frame.ParseClose(r.Payload)
				payload = fmt.Sprint(code, " ", reason)
			}
			d.frames = append(d.frames, string(r.Direction)+" "+r.Opcode.String()+" "+payload)
		},
	}
}

func testOptions(nw *network) Options {
	o := DefaultOptions()
	o.Transport = nw
	o.PingInterval = 0
	return o
}

// A rawService is any WebSocket: every message is an event. It is the same as that of
// package plain, which cannot be imported here.
type rawService struct {
	URL          string
	Header       http.Header
	Subprotocols []string
	FirstFrames  []Frame
}

func (s *rawService) Name() string     { return "connect" }
func (s *rawService) Start() Source    { return SourceFunc(s.handshake) }
func (s *rawService) Offline() Session { return rawSession{} }

func (s *rawService) handshake(context.Context) (*Handshake, error) {
	return &Handshake{
		URL: s.URL, Address: BareAddress(s.URL), Header: s.Header, Subprotocols: s.Subprotocols,
		Session: rawSession{s.FirstFrames},
	}, nil
}

type rawSession struct{ firstFrames []Frame }

func (s rawSession) OnOpen(time.Time) []Effect {
	return []Effect{Send(s.firstFrames), StreamReady{}}
}

func (s rawSession) Decode(Message) (event bool, _ []Effect, _ error) { return true, nil, nil }

func (s rawSession) OnClose() []Frame { return nil }

// A lateSession is live at once, and ready with the first message or ping.
type lateSession struct{ rawSession }

func (lateSession) OnOpen(time.Time) []Effect { return []Effect{StreamLive{}} }

func (lateSession) Decode(Message) (event bool, _ []Effect, _ error) {
	return true, []Effect{StreamReady{}}, nil
}

func (lateSession) Control(op frame.Opcode, _ time.Time) []Effect {
	if op == frame.OpPing {
		return []Effect{StreamReady{}}
	}
	return nil
}

var (
	testService = &rawService{URL: "ws://test/stream"}
	lateService = sessionService{testService, lateSession{}}
)

func runTest(t *testing.T, nw *network, sink Sink, o Options) error {
	t.Helper()
	return Run(testContext(t), testService, sink, o)
}

// testContext ends runs that would never end in the fake time of synctest: no test
// takes a week.
func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 7*24*time.Hour, errors.New("the test has not ended within a week"))
	t.Cleanup(cancel)
	return ctx
}

func canceled(cause error) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	return ctx, func() { cancel(cause) }
}
