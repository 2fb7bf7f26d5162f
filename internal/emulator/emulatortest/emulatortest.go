// Package emulatortest contains what tests of emulators share: an emulator on an
// in-memory network, and a client that shows every byte.
package emulatortest

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

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/drogue/wire"
	"github.com/hark-cli/hark/proto/frame"
)

// A Bench is an emulator on an in-memory network, with a client that uses no WebSocket
// library: tests see every byte.
type Bench struct {
	T    *testing.T
	E    *emulator.Emulator
	Net  *emulator.Network
	HTTP *http.Client
}

// Run runs f in a synctest bubble with an emulator of services that is
// closed after it; a goroutine left behind fails the test.
func Run(t *testing.T, opts emulator.Options, services emulator.Services, f func(b *Bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e, err := services.New(opts)
		if err != nil {
			t.Fatal(err)
		}
		b := NewBench(t, e, emulator.NewNetwork(e))
		t.Cleanup(func() {
			b.HTTP.CloseIdleConnections()
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			if err := b.Net.Close(); err != nil {
				t.Error(err)
			}
		})
		f(b)
	})
}

// RunService is Run with one service, whose handler, an H, is passed to f, too.
func RunService[H emulator.Handler](t *testing.T, opts emulator.Options, s emulator.Service, f func(*Bench, H)) {
	t.Helper()
	var handler H
	start := s.Start
	s.Start = func(host *emulator.Host) (emulator.Handler, error) {
		made, err := start(host)
		if err == nil {
			handler = made.(H)
		}
		return made, err
	}
	Run(t, opts, emulator.Services{s}, func(b *Bench) { f(b, handler) })
}

// NewBench returns a bench with an emulator that the caller must close.
func NewBench(t *testing.T, e *emulator.Emulator, n *emulator.Network) *Bench {
	return &Bench{t, e, n, &http.Client{
		Transport:     &http.Transport{DialContext: n.DialContext},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Do sends a request and returns status and body; headers are "Name: value".
func (b *Bench) Do(method, path, body string, headers ...string) (int, []byte) {
	b.T.Helper()
	res := b.Request(method, path, body, headers...)
	data, err := io.ReadAll(res.Body)
	if err != nil {
		b.T.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode, data
}

// Request sends a request; headers are "Name: value".
func (b *Bench) Request(method, path, body string, headers ...string) *http.Response {
	b.T.Helper()
	req, err := http.NewRequest(method, emulator.Base+path, strings.NewReader(body))
	if err != nil {
		b.T.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	res, err := b.HTTP.Do(req)
	if err != nil {
		b.T.Fatal(err)
	}
	return res
}

// A Client is the client's end of a WebSocket.
type Client struct {
	T    *testing.T
	Conn net.Conn
	Br   *bufio.Reader
}

// Upgrade sends an upgrade request and returns the response; the client is nil unless
// the status is 101.
func (b *Bench) Upgrade(path string, headers ...string) (*Client, *http.Response) {
	b.T.Helper()
	conn, err := b.Net.DialContext(b.T.Context(), "tcp", "")
	if err != nil {
		b.T.Fatal(err)
	}
	b.T.Cleanup(func() { conn.Close() })
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
		b.T.Fatal(err)
	}
	c := &Client{T: b.T, Conn: conn, Br: bufio.NewReader(conn)}
	res, err := http.ReadResponse(c.Br, nil)
	if err != nil {
		b.T.Fatalf("answer to the upgrade: %v", err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		body, err := io.ReadAll(res.Body)
		if err != nil {
			b.T.Fatal(err)
		}
		res.Body = io.NopCloser(bytes.NewReader(body))
		return nil, res
	}
	if got := res.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		b.T.Fatalf("Sec-WebSocket-Accept is %q", got)
	}
	return c, res
}

// Dial upgrades or fails the test.
func (b *Bench) Dial(path string, headers ...string) *Client {
	b.T.Helper()
	c, res := b.Upgrade(path, headers...)
	if c == nil {
		body, _ := io.ReadAll(res.Body)
		b.T.Fatalf("upgrade %s: %s: %s", path, res.Status, body)
	}
	return c
}

// write sends raw bytes.
func (c *Client) write(b []byte) {
	c.T.Helper()
	if _, err := c.Conn.Write(b); err != nil {
		c.T.Fatalf("writing: %v", err)
	}
}

// FrameOf returns a masked frame.
func FrameOf(h frame.Header, payload string) []byte {
	h.Masked, h.Mask, h.Length = true, [4]byte{1, 2, 3, 4}, uint64(len(payload))
	body := []byte(payload)
	frame.Mask(body, h.Mask, 0)
	return append(frame.AppendHeader(nil, h), body...)
}

// Send sends one whole frame.
func (c *Client) Send(op frame.Opcode, payload string) {
	c.T.Helper()
	c.write(FrameOf(frame.Header{Fin: true, Opcode: op}, payload))
}

// Read returns the next frame of the server.
func (c *Client) Read() (frame.Opcode, []byte, error) {
	for size := 2; ; size++ {
		b, err := c.Br.Peek(size)
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
		_, _ = c.Br.Discard(n)
		payload := make([]byte, h.Length)
		_, err = io.ReadFull(c.Br, payload)
		return h.Opcode, payload, err
	}
}

// Text returns the next text message, answering pings. It fails the test after ten
// minutes.
func (c *Client) Text() string {
	c.T.Helper()
	// The server may have closed already, and its data still be unread.
	_ = c.Conn.SetReadDeadline(time.Now().Add(10 * time.Minute))
	defer func() { _ = c.Conn.SetReadDeadline(time.Time{}) }()
	for {
		op, payload, err := c.Read()
		switch {
		case err != nil:
			c.T.Fatalf("waiting for a message: %v", err)
		case op == frame.OpPing:
			c.Send(frame.OpPong, string(payload))
		case op == frame.OpText:
			return string(payload)
		default:
			c.T.Fatalf("waiting for a message: %v frame %q", op, payload)
		}
	}
}

// WantText fails unless the next message is the same JSON.
func (c *Client) WantText(want string) {
	c.T.Helper()
	if got := c.Text(); !SameJSON(c.T, got, want) {
		c.T.Fatalf("got  %s\nwant %s", got, want)
	}
}

// WantClose fails unless the next frame, apart from pings, is this close frame, with
// nothing after it.
func (c *Client) WantClose(code int, reason string) {
	c.T.Helper()
	for {
		op, payload, err := c.Read()
		switch {
		case err != nil:
			c.T.Fatalf("waiting for a close frame: %v", err)
		case op == frame.OpPing:
			c.Send(frame.OpPong, string(payload))
		case op == frame.OpClose:
			gotCode, gotReason := frame.ParseClose(payload)
			if gotCode != code || gotReason != reason {
				c.T.Fatalf("closed with %d %q, want %d %q", gotCode, gotReason, code, reason)
			}
			c.WantDrop()
			return
		default:
			c.T.Fatalf("waiting for a close frame: %v frame %q", op, payload)
		}
	}
}

// WantDrop fails unless the connection ends without another frame, pings aside,
// which it does not answer.
func (c *Client) WantDrop() {
	c.T.Helper()
	for {
		op, payload, err := c.Read()
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			c.T.Fatalf("waiting for the end: %v", err)
		case op != frame.OpPing:
			c.T.Fatalf("waiting for the end: %v frame %q", op, payload)
		}
	}
}

// Ending reads to the end of the connection and describes how it ended.
func (c *Client) Ending() string {
	for {
		op, payload, err := c.Read()
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

// WantQuiet fails if a frame other than a ping arrives within d.
func (c *Client) WantQuiet(d time.Duration) {
	c.T.Helper()
	if err := c.Conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		c.T.Fatal(err)
	}
	for {
		op, payload, err := c.Read()
		if op == frame.OpPing && err == nil {
			c.Send(frame.OpPong, string(payload))
			continue
		}
		if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
			c.T.Fatalf("waiting for nothing: %v frame %q, %v", op, payload, err)
		}
		break
	}
	if err := c.Conn.SetReadDeadline(time.Time{}); err != nil {
		c.T.Fatal(err)
	}
}

// SameJSON reports whether two texts are the same JSON.
func SameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var va, vb any
	if err := json.Unmarshal([]byte(a), &va); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	if err := json.Unmarshal([]byte(b), &vb); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return bytes.Equal(emulator.MustJSON(va), emulator.MustJSON(vb))
}

// Unmarshal decodes or fails the test.
func Unmarshal[T any](t *testing.T, b []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return v
}

// Datum returns the payload of the next event.
func (c *Client) Datum() string {
	c.T.Helper()
	return string(Unmarshal[wire.Event](c.T, []byte(c.Text())).Data)
}

// Data collects the payloads of events until none arrives for a second.
func (c *Client) Data() (got []string) {
	c.T.Helper()
	for {
		if err := c.Conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			c.T.Fatal(err)
		}
		op, payload, err := c.Read()
		switch {
		case err != nil:
			if err := c.Conn.SetReadDeadline(time.Time{}); err != nil {
				c.T.Fatal(err)
			}
			return got
		case op == frame.OpText:
			got = append(got, string(Unmarshal[wire.Event](c.T, payload).Data))
		case op == frame.OpPing:
			c.Send(frame.OpPong, string(payload))
		}
	}
}
