package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// A house is a hub behind an HTTP server with in-memory connections.
type house struct {
	t      *testing.T
	hub    *Hub
	door   chan net.Conn
	mu     sync.Mutex
	events []string
}

// open starts a house in a bubble; it is closed at the end of the test.
func open(t *testing.T, o Options) *house {
	h := &house{t: t, door: make(chan net.Conn)}
	o.Event = func(e Event) {
		h.mu.Lock()
		defer h.mu.Unlock()
		switch e.Kind {
		case Connected:
			h.events = append(h.events, fmt.Sprintf("%d connected %s", e.Client, e.Path))
		case Message:
			h.events = append(h.events, fmt.Sprintf("%d %q %v", e.Client, cutTo(e.Data, 20), e.Binary))
		case Gone:
			h.events = append(h.events, fmt.Sprintf("%d gone %d %s", e.Client, e.Code, e.Reason))
		}
	}
	h.hub = New(o)
	server := &http.Server{Handler: h.hub}
	served := make(chan error, 1)
	go func() { served <- server.Serve(h) }()
	t.Cleanup(func() {
		h.hub.Close(time.Second)
		server.Close()
		<-served
	})
	return h
}

func cutTo(b []byte, n int) []byte { return b[:min(len(b), n)] }

// Accept, Close and Addr implement net.Listener.
func (h *house) Accept() (net.Conn, error) {
	conn, ok := <-h.door
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (h *house) Close() error { close(h.door); return nil }

func (h *house) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// visit connects a client.
func (h *house) visit(path string, subprotocols ...string) *websocket.Conn {
	h.t.Helper()
	ws, _, err := websocket.Dial(h.t.Context(), "ws://hub.example"+path, &websocket.DialOptions{
		Subprotocols: subprotocols,
		HTTPClient: &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			h.door <- far
			return near, nil
		}}},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { ws.CloseNow() })
	ws.SetReadLimit(-1)
	synctest.Wait()
	return ws
}

func (h *house) saw(want ...string) {
	h.t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.events, want) {
		h.t.Errorf("events %q, want %q", h.events, want)
	}
	h.events = nil
}

func (h *house) gets(ws *websocket.Conn, want string) {
	h.t.Helper()
	_, got, err := ws.Read(h.t.Context())
	if err != nil || string(got) != want {
		h.t.Fatalf("read %.40q, %v, want %.40q", got, err, want)
	}
}

func (h *house) sends(to int, text, wantErr string) {
	h.t.Helper()
	err := h.hub.Send(to, false, []byte(text))
	if got := fmt.Sprint(err); got != wantErr && (err != nil || wantErr != "") {
		h.t.Errorf("Send(%d, %.20q): %v, want %s", to, text, err, wantErr)
	}
}

func say(t *testing.T, ws *websocket.Conn, typ websocket.MessageType, text string) {
	t.Helper()
	if err := ws.Write(t.Context(), typ, []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, Options{Subprotocols: []string{"v2", "v1"}})
		h.sends(0, "to nobody", "")
		first, second := h.visit("/a", "v1"), h.visit("/b?c")
		if got := first.Subprotocol(); got != "v1" {
			t.Errorf("subprotocol %q", got)
		}
		h.saw("1 connected /a", "2 connected /b")
		say(t, second, websocket.MessageBinary, "\x00\xff")
		synctest.Wait()
		say(t, first, websocket.MessageText, "hello")
		h.saw(`2 "\x00\xff" true`, `1 "hello" false`)
		h.sends(0, "to all", "")
		h.sends(2, "to one", "")
		h.sends(3, "x", "there is no client 3")
		h.gets(first, "to all")
		h.gets(second, "to all")
		h.gets(second, "to one")

		// Numbers are not reused.
		first.CloseRead(t.Context())
		if err := first.Close(4001, "done"); err != nil {
			t.Fatal(err)
		}
		h.saw("1 gone 4001 done")
		h.sends(1, "x", "there is no client 1")
		second.CloseNow()
		h.saw("2 gone -1 ")
		third := h.visit("/")
		if got := h.hub.Clients(); !slices.Equal(got, []int{3}) {
			t.Errorf("clients %v", got)
		}
		h.saw("3 connected /")
		if err := h.hub.Disconnect(3, 4000, "go away"); err != nil {
			t.Fatal(err)
		}
		_, _, err := third.Read(t.Context())
		if ce, ok := errors.AsType[websocket.CloseError](err); !ok || ce.Code != 4000 || ce.Reason != "go away" {
			t.Errorf("the client learns %v", err)
		}
		h.saw("3 gone 4000 go away")
	})
}

// Messages sent before the close frame arrive.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, Options{})
		ws := h.visit("/")
		h.sends(0, "last words", "")
		closed := make(chan struct{})
		go func() { h.hub.Close(time.Minute); close(closed) }()
		h.gets(ws, "last words")
		if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Error(err)
		}
		<-closed
		// No more clients are accepted.
		near, far := net.Pipe()
		h.door <- far
		go fmt.Fprint(near, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		buf := make([]byte, 4096)
		var err error
		for err == nil {
			_, err = near.Read(buf)
		}
		h.saw("1 connected /", "1 gone 1001 ")
	})
}

func TestEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, Options{Echo: true, MaxMessage: 100})
		a, b := h.visit("/"), h.visit("/")
		go say(t, a, websocket.MessageText, "mine")
		h.gets(a, "mine")
		synctest.Wait()
		go say(t, b, websocket.MessageBinary, "other")
		h.gets(b, "other")
		h.saw("1 connected /", "2 connected /", `1 "mine" false`, `2 "other" true`)
		go b.Write(t.Context(), websocket.MessageText, bytes.Repeat([]byte("x"), 101))
		if _, _, err := b.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
			t.Error(err)
		}
	})
}

func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, Options{})
		quick, mute := h.visit("/"), h.visit("/")
		quick.CloseRead(t.Context())
		type pong struct {
			d   time.Duration
			err error
		}
		pongs := make(chan pong, 2)
		for n := 1; n <= 2; n++ {
			if err := h.hub.Ping(n, func(d time.Duration, err error) { pongs <- pong{d, err} }); err != nil {
				t.Fatal(err)
			}
		}
		if p := <-pongs; p.err != nil || p.d > time.Second {
			t.Errorf("%+v", p)
		}
		if p := <-pongs; p.err == nil || p.d != pongPatience {
			t.Errorf("%+v", p)
		}
		mute.CloseNow()
	})
}

// Send waits for slow clients; for a client that does not read at all it waits once,
// and that misses what does not fit into its queue. All others get everything.
func TestSlowClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, Options{})
		stuck, slow := h.visit("/"), h.visit("/")
		const n, size = 40, 1 << 20
		text := func(i int) string { return fmt.Sprintf("%d %s", i, strings.Repeat("x", size)) }
		read := make(chan error, 1)
		go func() {
			for i := range n {
				time.Sleep(patience / 2)
				_, b, err := slow.Read(t.Context())
				if err == nil && string(b) != text(i) {
					err = fmt.Errorf("message %d is %.20q", i, b)
				}
				if err != nil {
					read <- err
					return
				}
			}
			read <- nil
		}()
		missed := 0
		for i := range n {
			if err := h.hub.Send(0, false, []byte(text(i))); err != nil {
				if missed++; err.Error() != "client 1 did not get it: it does not read" {
					t.Fatal(err)
				}
			}
		}
		if err := <-read; err != nil {
			t.Error(err)
		}
		if missed < n-20 || missed == 0 {
			t.Errorf("the queue of who does not read took %d MiB", n-missed)
		}
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		if m.HeapAlloc > 100<<20 {
			t.Errorf("%d MiB are held", m.HeapAlloc>>20)
		}

		// It reads again: it gets the queued messages, and all further ones.
		for i := range n - missed {
			h.gets(stuck, text(i))
		}
		synctest.Wait()
		go func() { _, _, err := slow.Read(t.Context()); read <- err }()
		h.sends(0, "again", "")
		h.gets(stuck, "again")
		if err := <-read; err != nil {
			t.Error(err)
		}
	})
}

// Small messages count more than their bytes.
func TestManySmallMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, Options{})
		h.visit("/")
		n := 0
		for ; h.hub.Send(1, false, nil) == nil; n++ {
			if n > maxQueue/frameCost {
				t.Fatal("there is no end to it")
			}
		}
	})
}

// An echo is as fast as its reader, and loses nothing.
func TestEchoBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, Options{Echo: true})
		ws, other := h.visit("/"), h.visit("/")
		const n = 40
		big := strings.Repeat("x", 1<<20)
		go func() {
			for i := range n {
				if ws.Write(t.Context(), websocket.MessageText, fmt.Append(nil, i, big)) != nil {
					return
				}
			}
		}()
		time.Sleep(10 * patience)
		go say(t, other, websocket.MessageText, "not in the way")
		h.gets(other, "not in the way")
		for i := range n {
			h.gets(ws, fmt.Sprint(i, big))
		}
	})
}

// Text that is not UTF-8 is neither echoed nor reported, and ends the connection.
func TestInvalidUTF8(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, Options{Echo: true})
		ws := h.visit("/")
		h.saw("1 connected /")
		say(t, ws, websocket.MessageBinary, "a\xffb")
		h.gets(ws, "a\xffb")
		h.saw(`1 "a\xffb" true`)
		say(t, ws, websocket.MessageText, "a\xffb")
		_, _, err := ws.Read(t.Context())
		if got := websocket.CloseStatus(err); got != websocket.StatusInvalidFramePayloadData {
			t.Errorf("the client learns %v", err)
		}
		h.saw("1 gone -1 it sent a text message that is not UTF-8")
	})
}
