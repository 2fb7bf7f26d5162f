package emulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/proto/frame"
)

// A bench is an emulator on an in-memory network, with a client that knows no
// WebSocket library: tests see every byte.
type bench struct {
	t    *testing.T
	e    *Emulator
	net  *Network
	http *http.Client
}

// quiet are the default options without made-up events.
func quiet() Options {
	opts := DefaultOptions()
	opts.Rate = 0
	return opts
}

// inBubble runs f in a synctest bubble with an emulator that is closed after it;
// a goroutine left behind fails the test.
func inBubble(t *testing.T, opts Options, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e, err := New(opts)
		if err != nil {
			t.Fatal(err)
		}
		n := NewNetwork(e)
		tr := &http.Transport{DialContext: n.DialContext}
		t.Cleanup(func() {
			tr.CloseIdleConnections()
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
		f(&bench{t, e, n, &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}})
	})
}

// do makes a request and returns status and body; headers are "Name: value".
func (b *bench) do(method, path, body string, headers ...string) (int, []byte) {
	b.t.Helper()
	res := b.request(method, path, body, headers...)
	data, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode, data
}

func (b *bench) request(method, path, body string, headers ...string) *http.Response {
	b.t.Helper()
	req, err := http.NewRequest(method, Base+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	res, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	return res
}

// A client is the client's end of a WebSocket.
type client struct {
	t    *testing.T
	conn net.Conn
	br   *bufio.Reader
}

// upgrade sends an upgrade request and returns the answer; the client is nil
// unless the status is 101.
func (b *bench) upgrade(path string, headers ...string) (*client, *http.Response) {
	b.t.Helper()
	conn, err := b.net.DialContext(b.t.Context(), "tcp", "")
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	lines := append([]string{"GET " + path + " HTTP/1.1", "Host: hark-emulator.invalid"}, headers...)
	for _, h := range []string{"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="} {
		name, _, _ := strings.Cut(h, ":")
		given := false
		for _, other := range headers {
			given = given || strings.HasPrefix(other, name+":")
		}
		if !given {
			lines = append(lines, h)
		}
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n\r\n", strings.Join(lines, "\r\n")); err != nil {
		b.t.Fatal(err)
	}
	c := &client{t: b.t, conn: conn, br: bufio.NewReader(conn)}
	res, err := http.ReadResponse(c.br, nil)
	if err != nil {
		b.t.Fatalf("answer to the upgrade: %v", err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		body, err := io.ReadAll(res.Body)
		if err != nil {
			b.t.Fatal(err)
		}
		res.Body = io.NopCloser(bytes.NewReader(body))
		return nil, res
	}
	if got := res.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		b.t.Fatalf("Sec-WebSocket-Accept is %q", got)
	}
	return c, res
}

// dial upgrades or fails the test.
func (b *bench) dial(path string, headers ...string) *client {
	b.t.Helper()
	c, res := b.upgrade(path, headers...)
	if c == nil {
		body, _ := io.ReadAll(res.Body)
		b.t.Fatalf("upgrade %s: %s: %s", path, res.Status, body)
	}
	return c
}

// write sends raw bytes.
func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatalf("writing: %v", err)
	}
}

// frameOf encodes a masked frame.
func frameOf(h frame.Header, payload string) []byte {
	h.Masked, h.Mask, h.Length = true, [4]byte{1, 2, 3, 4}, uint64(len(payload))
	body := []byte(payload)
	frame.Mask(body, h.Mask, 0)
	return append(frame.AppendHeader(nil, h), body...)
}

// send sends one whole frame.
func (c *client) send(op frame.Opcode, payload string) {
	c.t.Helper()
	c.write(frameOf(frame.Header{Fin: true, Opcode: op}, payload))
}

// read returns the next frame of the server.
func (c *client) read() (frame.Opcode, []byte, error) {
	for size := 2; ; size++ {
		b, err := c.br.Peek(size)
		if err != nil {
			return 0, nil, err
		}
		h, n := frame.ParseHeader(b)
		if n == 0 {
			continue
		}
		if h.Masked || h.RSV != 0 || !h.Fin {
			return 0, nil, fmt.Errorf("the server sent the header %+v", h)
		}
		_, _ = c.br.Discard(n)
		payload := make([]byte, h.Length)
		_, err = io.ReadFull(c.br, payload)
		return h.Opcode, payload, err
	}
}

// text returns the next text message, answering pings. What does not come within
// ten minutes does not come.
func (c *client) text() string {
	c.t.Helper()
	// The server may be gone already, and what it has sent still be here.
	_ = c.conn.SetReadDeadline(time.Now().Add(10 * time.Minute))
	defer func() { _ = c.conn.SetReadDeadline(time.Time{}) }()
	for {
		op, payload, err := c.read()
		switch {
		case err != nil:
			c.t.Fatalf("waiting for a message: %v", err)
		case op == frame.OpPing:
			c.send(frame.OpPong, string(payload))
		case op == frame.OpText:
			return string(payload)
		default:
			c.t.Fatalf("waiting for a message: %v frame %q", op, payload)
		}
	}
}

// wantText fails unless the next message says the same JSON.
func (c *client) wantText(want string) {
	c.t.Helper()
	if got := c.text(); !sameJSON(c.t, got, want) {
		c.t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// wantClose fails unless the next frame but pings is this close frame, with
// nothing after it.
func (c *client) wantClose(code int, reason string) {
	c.t.Helper()
	for {
		op, payload, err := c.read()
		switch {
		case err != nil:
			c.t.Fatalf("waiting for a close frame: %v", err)
		case op == frame.OpPing:
			c.send(frame.OpPong, string(payload))
		case op == frame.OpClose:
			gotCode, gotReason := frame.ParseClose(payload)
			if gotCode != code || gotReason != reason {
				c.t.Fatalf("closed with %d %q, want %d %q", gotCode, gotReason, code, reason)
			}
			c.wantDrop()
			return
		default:
			c.t.Fatalf("waiting for a close frame: %v frame %q", op, payload)
		}
	}
}

// wantDrop fails unless the connection ends without another frame, pings aside,
// which it does not answer.
func (c *client) wantDrop() {
	c.t.Helper()
	for {
		op, payload, err := c.read()
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			c.t.Fatalf("waiting for the end: %v", err)
		case op != frame.OpPing:
			c.t.Fatalf("waiting for the end: %v frame %q", op, payload)
		}
	}
}

// ending reads to the end of the connection and says how it ended.
func (c *client) ending() string {
	for {
		op, payload, err := c.read()
		switch {
		case errors.Is(err, io.EOF):
			return "drop"
		case err != nil:
			return err.Error()
		case op == frame.OpClose:
			code, _ := frame.ParseClose(payload)
			return fmt.Sprint("close ", code)
		}
	}
}

// wantQuiet fails if a frame other than a ping comes within d.
func (c *client) wantQuiet(d time.Duration) {
	c.t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		c.t.Fatal(err)
	}
	for {
		op, payload, err := c.read()
		if op == frame.OpPing && err == nil {
			c.send(frame.OpPong, string(payload))
			continue
		}
		if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
			c.t.Fatalf("waiting for nothing: %v frame %q, %v", op, payload, err)
		}
		break
	}
	if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
		c.t.Fatal(err)
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var va, vb any
	if err := json.Unmarshal([]byte(a), &va); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	if err := json.Unmarshal([]byte(b), &vb); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return bytes.Equal(mustJSON(va), mustJSON(vb))
}

// unmarshal decodes or fails the test.
func unmarshal[T any](t *testing.T, b []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return v
}
