package recipe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/internal/wsserver"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
)

// A gateway is a fake Discord: it speaks as the vendor's page describes, has an event
// each few seconds, connected or not, and loses connections and sessions in every way.
type gateway struct {
	t    *testing.T
	rand *rand.Rand

	mu       sync.Mutex
	session  string      // empty when there is none
	sessions int         // so far
	events   []sentEvent // of the session
	ids      int         // of all events
	at       map[int]time.Time
	conn     *wsserver.Conn // that gets events; nil while there is none
	faults   map[string]int
	resumed  int
	wg       sync.WaitGroup
}

// A sentEvent is one event of a session, with its number there.
type sentEvent struct {
	s  int
	id int
}

// RoundTrip opens a connection in memory.
func (g *gateway) RoundTrip(req *http.Request) (*http.Response, error) {
	client, server := net.Pipe()
	g.wg.Go(func() {
		defer server.Close()
		g.serve(wsserver.NewConn(server, nil, wsserver.Rules{Reserved: true}))
	})
	return &http.Response{
		StatusCode: http.StatusSwitchingProtocols, Body: client,
		Header: http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Accept": {wsserver.AcceptKey(req.Header.Get("Sec-WebSocket-Key"))}},
	}, nil
}

func (g *gateway) send(c *wsserver.Conn, op int, rest string) {
	c.Queue(frame.OpText, fmt.Appendf(nil, `{"op":%d%s}`, op, rest))
	_ = c.Flush(10 * time.Second)
}

func (g *gateway) dispatch(c *wsserver.Conn, e sentEvent) {
	g.send(c, 0, fmt.Sprintf(`,"s":%d,"t":"MESSAGE_CREATE","d":{"id":%d}`, e.s, e.id))
}

// serve speaks on one connection.
func (g *gateway) serve(c *wsserver.Conn) {
	g.send(c, 10, `,"d":{"heartbeat_interval":20000}`)
	defer func() {
		g.mu.Lock()
		if g.conn == c {
			g.conn = nil
		}
		g.mu.Unlock()
	}()
	for {
		m, err := c.Read()
		if err != nil {
			return
		}
		switch m.Opcode {
		case frame.OpPing:
			c.Queue(frame.OpPong, m.Payload)
			_ = c.Flush(10 * time.Second)
			continue
		case frame.OpClose:
			code, _ := frame.ParseClose(m.Payload)
			if code != 4000 && code != 4009 { // the latter answers ours
				g.t.Errorf("closed with %d, which destroys the session", code)
			}
			c.Queue(frame.OpClose, m.Payload)
			_ = c.Flush(time.Second)
			return
		case frame.OpText:
		default:
			continue
		}
		var said struct {
			Op int
			D  json.RawMessage
		}
		if err := json.Unmarshal(m.Payload, &said); err != nil {
			g.t.Errorf("%v: %s", err, m.Payload)
			return
		}
		if !g.answer(c, said.Op, said.D) {
			return
		}
	}
}

// answer answers one message of the client, and reports whether the connection goes on.
func (g *gateway) answer(c *wsserver.Conn, op int, d json.RawMessage) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	var resume struct {
		Session string `json:"session_id"`
		Seq     int    `json:"seq"`
	}
	switch op {
	case 1:
		g.send(c, 11, "")
	case 2:
		g.sessions++
		g.session, g.events = fmt.Sprintf("session-%d", g.sessions), nil
		g.send(c, 0, fmt.Sprintf(`,"s":1,"t":"READY","d":{"session_id":%q,"resume_gateway_url":"wss://resume.example"}`, g.session))
		g.conn = c
	case 6:
		if err := json.Unmarshal(d, &resume); err != nil {
			g.t.Errorf("%v: %s", err, d)
		}
		if g.session == "" || resume.Session != g.session {
			g.send(c, 9, `,"d":false`)
			return true
		}
		for _, e := range g.events {
			if e.s > resume.Seq {
				g.dispatch(c, e)
			}
		}
		g.resumed++
		g.send(c, 0, fmt.Sprintf(`,"s":%d,"t":"RESUMED","d":{}`, len(g.events)+2))
		g.events = append(g.events, sentEvent{s: len(g.events) + 2, id: -1}) // takes a number
		g.conn = c
	default:
		g.t.Errorf("opcode %d", op)
	}
	return true
}

// emit has an event.
func (g *gateway) emit() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ids++
	g.at[g.ids] = time.Now()
	if g.session == "" {
		return
	}
	e := sentEvent{len(g.events) + 2, g.ids}
	g.events = append(g.events, e)
	if g.conn != nil {
		g.dispatch(g.conn, e)
	}
}

// fail loses the connection, or the session too.
func (g *gateway) fail() {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.conn
	if c == nil {
		return
	}
	g.conn = nil
	fault := []string{"op 7", "op 9 true", "op 9 false", "cut", "close 4000", "close 4009", "cut, session lost"}[g.rand.IntN(7)]
	g.faults[fault]++
	closeWith := func(code int) {
		c.Queue(frame.OpClose, frame.ClosePayload(code, ""))
		_ = c.Flush(time.Second)
	}
	switch fault {
	case "op 7":
		g.send(c, 7, `,"d":null`)
	case "op 9 true":
		g.send(c, 9, `,"d":true`)
	case "op 9 false":
		g.session = ""
		g.send(c, 9, `,"d":false`)
	case "cut":
		c.Close()
	case "close 4000":
		closeWith(4000)
	case "close 4009":
		g.session = ""
		closeWith(4009)
	case "cut, session lost":
		g.session = ""
		c.Close()
	}
}

// A slowSink takes its time.
type slowSink struct {
	rand *rand.Rand
	got  []int
}

func (s *slowSink) Event(ev *proto.Event) error {
	if s.rand.IntN(20) == 0 {
		time.Sleep(time.Duration(s.rand.IntN(3000)) * time.Millisecond)
	}
	var e struct {
		Type string
		ID   int
	}
	if err := json.Unmarshal(ev.Data, &e); err != nil {
		return err
	}
	if e.Type == "MESSAGE_CREATE" {
		s.got = append(s.got, e.ID)
	}
	return nil
}

func (s *slowSink) Flush() error { return nil }

var errSoaked = errors.New("soaked")

// Every event of a service that can resume comes exactly once, or lies in a gap that is
// reported, whatever becomes of connections and sessions.
func TestDiscordSoak(t *testing.T) {
	src, err := os.ReadFile("../../recipes/discord.toml")
	if err != nil {
		t.Fatal(err)
	}
	r := parsed(t, string(src))
	for seed := range uint64(2) {
		synctest.Test(t, func(t *testing.T) {
			g := &gateway{t: t, rand: rand.New(rand.NewPCG(seed, 1)), at: make(map[int]time.Time), faults: make(map[string]int)}
			svc, err := r.Service(Options{Values: map[string]any{"token": "s3cret"}, AckTimeout: 20 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			var gaps []proto.Gap
			o := proto.DefaultOptions()
			o.Transport, o.Retries = g, 1<<20
			o.Trace.Status = func(st proto.Status) {
				if gap, ok := st.State.(proto.Gap); ok {
					gaps = append(gaps, gap)
				}
			}
			o.Trace.Warning = func(text string) { t.Errorf("warning: %s", text) }
			sink := &slowSink{rand: rand.New(rand.NewPCG(seed, 2))}
			ctx, cancel := context.WithCancelCause(t.Context())
			var world sync.WaitGroup
			end := time.Now().Add(30 * time.Minute)
			world.Go(func() {
				for time.Now().Before(end) {
					time.Sleep(time.Duration(g.rand.IntN(400)) * time.Millisecond)
					if g.emit(); g.rand.IntN(60) == 0 {
						g.fail()
					}
				}
				time.Sleep(2 * time.Minute) // what is lost is got again
				cancel(errSoaked)
			})
			if err := proto.Run(ctx, svc, sink, o); !errors.Is(err, errSoaked) {
				t.Errorf("Run: %v", err)
			}
			world.Wait()
			g.wg.Wait()
			g.check(sink.got, gaps)
			if g.resumed < 20 || len(g.faults) < 7 {
				t.Errorf("%d resumed, faults %v", g.resumed, g.faults)
			}
			t.Logf("seed %d: %d events, %d got, %d sessions, %d resumed, %d gaps, faults %v", seed, g.ids, len(sink.got), g.sessions, g.resumed, len(gaps), g.faults)
		})
	}
}

// check compares what was got with what there was.
func (g *gateway) check(got []int, gaps []proto.Gap) {
	g.t.Helper()
	last := 0
	for _, id := range got {
		if id <= last {
			g.t.Errorf("event %d after %d", id, last)
		}
		for missing := last + 1; missing < id; missing++ {
			g.missing(missing, gaps)
		}
		last = max(last, id)
	}
	for missing := last + 1; missing <= g.ids; missing++ {
		g.missing(missing, gaps)
	}
}

// missing checks that an event that did not come lies in a gap, or before the first
// session.
func (g *gateway) missing(id int, gaps []proto.Gap) {
	at := g.at[id]
	for _, gap := range gaps {
		if !at.Before(gap.From) && !at.After(gap.To) {
			return
		}
	}
	if id > 3 { // the first connection takes a moment
		g.t.Errorf("event %d of %s is missing, and lies in no gap", id, at.Format("15:04:05.000"))
	}
}
