package simulate

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/internal/transcript"
	"github.com/hark-cli/hark/internal/wsserver"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/recipe"
	"github.com/hark-cli/hark/recipes"
)

// TestEngine runs every transcript in the simulation, and in the engine with real
// connections: both must do what it says.
func TestEngine(t *testing.T) {
	for _, name := range recipes.Names() {
		source, _ := recipes.Source(name)
		r, err := recipe.Parse(name+".toml", source)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := recipes.Transcript(name)
		f, err := transcript.Parse(name+".txt", text)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range f.Cases {
			t.Run(name+"/"+c.Name, func(t *testing.T) {
				err := Run(t.Context(), f, c, Options{
					Service: func(client *http.Client, now func() time.Time) (proto.Service, error) {
						return serviceOf(r, c, client, now)
					},
					Framing: framingOf(r), ExitCode: exitCode,
				})
				if err != nil {
					t.Errorf("simulation: %v", err)
				}
				synctest.Test(t, func(t *testing.T) {
					if err := runEngine(t, r, f, c); err != nil {
						t.Errorf("engine: %v", err)
					}
				})
			})
		}
	}
}

func framingOf(r *recipe.Recipe) transcript.Framing {
	return transcript.Framing{Text: r.Texts(), Separator: r.Separator()}
}

// serviceOf makes the service of a recipe with what a case gives.
func serviceOf(r *recipe.Recipe, c *transcript.Case, client *http.Client, now func() time.Time) (proto.Service, error) {
	o := recipe.Options{
		Values: make(map[string]any), Secrets: make(map[string]proto.TokenSource), AckTimeout: 20 * time.Second,
		Client: client, Now: now,
		Limits: recipe.Limits{MaxValue: 1 << 20, Random: func() float64 { return 0.5 }},
	}
	for _, given := range c.Params {
		q, _ := r.Param(given.Name)
		v, err := q.Value(given.Value)
		switch {
		case err != nil:
			return nil, err
		case q.Secret:
			o.Secrets[q.Name] = func(context.Context) (secret.Value, error) { return secret.Value(given.Value), nil }
		case q.Repeat:
			list, _ := o.Values[q.Name].([]any)
			o.Values[q.Name] = append(list, v)
		default:
			o.Values[q.Name] = v
		}
	}
	return r.Service(o)
}

// exitCode is that of commands, for the ends that transcripts have.
func exitCode(err error) int {
	f, ok := errors.AsType[*proto.Failure](err)
	if !ok {
		return 0
	}
	return map[proto.Class]int{proto.Unreachable: 3, proto.Credentials: 5, proto.Refused: 6, proto.TimedOut: 7}[f.Class]
}

// An engine is a run of the engine, as a player sees it.
type engine struct {
	t       *testing.T
	framing transcript.Framing
	start   func()
	attempt int // of the newest connection

	acts     acts
	requests chan answer // for the request that waits

	mu    sync.Mutex
	fresh acts           // what settle has not seen
	conn  *wsserver.Conn // nil without a connection
	old   *wsserver.Conn // the one that conn replaces, while that is not ready
}

// An answer is one to a request over HTTP.
type answer struct {
	status int
	body   []byte
}

// runEngine runs a case in the engine.
func runEngine(t *testing.T, r *recipe.Recipe, f *transcript.File, c *transcript.Case) error {
	e := &engine{t: t, framing: framingOf(r), requests: make(chan answer)}
	n := emulator.NewNetwork(e)
	transport := &http.Transport{DialContext: n.DialContext}
	client := &http.Client{Transport: addressed{transport}}
	svc, err := serviceOf(r, c, client, time.Now)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	e.start = func() {
		o := proto.DefaultOptions()
		o.Transport = addressed{transport}
		o.Trace.Status = e.status
		go func() {
			defer close(done)
			err := proto.Run(ctx, svc, e, o)
			e.mu.Lock()
			defer e.mu.Unlock()
			if ctx.Err() == nil {
				e.fresh.ended = true
				e.fresh.made = append(e.fresh.made, act{kind: transcript.Exit, code: exitCode(err), err: err})
			}
		}()
	}
	p := &player{ctx: t.Context(), file: f, c: c, driver: e, acts: &e.acts}
	err = p.play()
	cancel()
	for _, conn := range []*wsserver.Conn{e.connection(), e.old} {
		if conn != nil {
			conn.Close()
		}
	}
	transport.CloseIdleConnections()
	close(e.requests)
	<-done
	n.Close()
	return err
}

// addressed sends every request to the network, with its address in a header.
type addressed struct{ base http.RoundTripper }

func (a addressed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Address", r.URL.String())
	at, err := url.Parse(emulator.Base)
	if err != nil {
		return nil, err
	}
	r.URL = at
	return a.base.RoundTrip(r)
}

// ServeHTTP implements http.Handler: it takes note of a request, and gives the answer of
// the transcript.
func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	u, _ := url.Parse(r.Header.Get("X-Address"))
	r.Header.Del("X-Address")
	a := did(transcript.Request, transcript.RequestValue(r.Method, u.String(), r.Header, body))
	upgrade := r.Header.Get("Upgrade") != ""
	if upgrade {
		u.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
		a = did(transcript.Open, transcript.OpenValue(u.String(), r.Header, r.Header.Values("Sec-WebSocket-Protocol")))
	}
	e.did(a)
	got, ok := <-e.requests
	switch {
	case !ok:
	case upgrade && got.status == http.StatusSwitchingProtocols:
		e.serve(w, r)
	default:
		w.WriteHeader(got.status)
		_, _ = w.Write(got.body)
	}
}

// serve reads what the client sends.
func (e *engine) serve(w http.ResponseWriter, r *http.Request) {
	conn, err := wsserver.Upgrade(w, r, r.Header.Get("Sec-WebSocket-Protocol"), wsserver.Rules{})
	if err != nil {
		return
	}
	e.overlaps(conn)
	defer e.fallBack(conn)
	defer conn.Close()
	if conn.Flush(time.Second) != nil {
		return
	}
	for {
		m, err := conn.Read()
		if err != nil {
			return
		}
		switch m.Opcode {
		case frame.OpPing:
			conn.Queue(frame.OpPong, m.Payload)
			_ = conn.Flush(time.Second) // the client may be gone
		case frame.OpClose:
			conn.Queue(frame.OpClose, m.Payload)
			_ = conn.Flush(time.Second)
			return
		case frame.OpText, frame.OpBinary:
			binary := m.Opcode == frame.OpBinary
			for _, data := range e.framing.Split(m.Payload, binary) {
				e.did(did(transcript.Send, e.framing.Value(data, binary)))
			}
		}
	}
}

func (e *engine) connected(conn *wsserver.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.old, e.conn = nil, conn
}

// overlaps takes note of a connection that may be one besides another.
func (e *engine) overlaps(conn *wsserver.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.old, e.conn = e.conn, conn
}

// fallBack takes note that a connection has ended, which the old one may outlast.
func (e *engine) fallBack(conn *wsserver.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conn == conn && e.old != nil {
		e.conn, e.old = e.old, nil
	}
}

func (e *engine) connection() *wsserver.Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.conn
}

// settle waits until nothing more happens, and takes what has happened to the player.
func (e *engine) settle() {
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.acts.said = append(e.acts.said, e.fresh.said...)
	e.acts.made = append(e.acts.made, e.fresh.made...)
	e.acts.ended = e.acts.ended || e.fresh.ended
	e.fresh = acts{}
}

func (e *engine) did(a act) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fresh.said = append(e.fresh.said, a)
}

func (e *engine) makes(a act) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fresh.made = append(e.fresh.made, a)
}

// status is the Trace of the run.
func (e *engine) status(s proto.Status) {
	switch state := s.State.(type) {
	case proto.Ready:
		e.makes(act{kind: transcript.Ready})
		e.connected(e.connection())
	case proto.Connected:
		e.attempt = s.Attempt
	case proto.Gap:
		if !state.Filled {
			e.makes(act{kind: transcript.Gap})
		}
	case proto.OutOfSequence:
		e.makes(act{kind: transcript.Gap})
	case proto.Disconnected:
		e.disconnected(s.Attempt)
	}
}

// disconnected takes note of the end of the connection of an attempt.
func (e *engine) disconnected(attempt int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.old = nil; attempt == e.attempt {
		e.conn = nil
	}
}

func (e *engine) oldOpen() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.old != nil
}

func (e *engine) onOld(s *transcript.Step) {
	e.mu.Lock()
	conn := e.old
	e.mu.Unlock()
	switch s.Kind {
	case transcript.Serve:
		conn.Queue(frame.OpText, e.framing.Frame(s.Data, false))
		_ = conn.Flush(time.Second) // the event is missing then
	case transcript.Close:
		conn.Queue(frame.OpClose, frame.ClosePayload(s.Code, s.Reason))
		_ = conn.Flush(time.Second)
	case transcript.Cut:
		conn.Close()
	}
	e.settle()
}

// Event implements proto.Sink.
func (e *engine) Event(ev *proto.Event) error {
	e.makes(did(transcript.Event, transcript.Value(append([]byte(nil), ev.Data...), ev.Binary)))
	return nil
}

// Flush implements proto.Sink.
func (e *engine) Flush() error { return nil }

func (e *engine) begin() {
	e.start()
	e.settle()
}

func (e *engine) open() bool { return e.connection() != nil }

func (e *engine) wait(d time.Duration, done func() bool) {
	const step = 50 * time.Millisecond
	for e.settle(); !done() && d > 0; e.settle() {
		time.Sleep(min(d, step))
		d -= step
	}
}

func (e *engine) answerOpen(status int, body []byte) { e.answerRequest(status, body) }
func (e *engine) answerRequest(status int, body []byte) {
	e.requests <- answer{status, body}
	e.settle()
}

func (e *engine) write(op frame.Opcode, payload []byte) {
	conn := e.connection()
	conn.Queue(op, payload)
	if err := conn.Flush(time.Second); err != nil {
		e.acts.err = err
	}
	e.settle()
}

func (e *engine) receive(data []byte, binary bool) {
	if binary {
		e.write(frame.OpBinary, data)
		return
	}
	e.write(frame.OpText, e.framing.Frame(data, false))
}

func (e *engine) closed(code int, reason string) {
	e.write(frame.OpClose, frame.ClosePayload(code, reason))
}

func (e *engine) cut() {
	e.connection().Close()
	e.settle()
}
