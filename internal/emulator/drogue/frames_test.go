package drogue

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/emulatortest"
	"github.com/hark-cli/hark/proto/drogue/wire"
	"github.com/hark-cli/hark/proto/frame"
)

// Drogue checklist 6: an invalid message gets 1002 with the message of serde.
func TestDrogueClientMessages(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "proto", "drogue", "testdata", "client-messages.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		message, reason, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok {
			continue
		}
		n++
		inBubble(t, quiet(), func(b *bench) {
			c := b.Dial("/drogue/public-app")
			c.Send(frame.OpText, message)
			c.WantClose(1002, reason)
		})
	}
	if n != 14 {
		t.Errorf("%d messages in the test data", n)
	}
}

// Further cases of serde_json; the messages follow its source.
func TestParseRefresh(t *testing.T) {
	for _, test := range []struct{ message, token, fault string }{
		{`{"RefreshAccessToken":"a"}`, "a", ""},
		{" {\n\"RefreshAccessToken\" :\t\"a\\u0062\" } \r\n", "ab", ""},
		{`{"RefreshAccessToken"`, "", "EOF while parsing an object at line 1 column 21"},
		{`{"RefreshAccessToken" 1`, "", "expected `:` at line 1 column 23"},
		{`{"RefreshAccessToken":`, "", "EOF while parsing a value at line 1 column 22"},
		{`{"RefreshAccessToken":"a`, "", "EOF while parsing a string at line 1 column 24"},
		{`{"RefreshAccessToken":"a"`, "", "EOF while parsing an object at line 1 column 25"},
		{`{"RefreshAccessToken":[]}`, "", "invalid type: sequence, expected a string at line 1 column 22"},
		{`{"RefreshAccessToken":true}`, "", "invalid type: boolean `true`, expected a string at line 1 column 26"},
		{`{"RefreshAccessToken":-1.5}`, "", "invalid type: floating point `-1.5`, expected a string at line 1 column 26"},
		{"\n\n {\"Foo\":1}", "", "unknown variant `Foo`, expected `RefreshAccessToken` at line 3 column 7"},
		{`{"RefreshAccessToken":nul}`, "", "expected ident at line 1 column 26"},
		{`{"RefreshAccessToken":nul`, "", "EOF while parsing a value at line 1 column 25"},
		{`{"a\qb":1}`, "", "invalid escape at line 1 column 5"},
		{`"Foo"`, "", "unknown variant `Foo`, expected `RefreshAccessToken` at line 1 column 5"},
	} {
		token, fault := parseRefresh([]byte(test.message))
		if token != test.token || fault != test.fault {
			t.Errorf("%q: %q, %q; want %q, %q", test.message, token, fault, test.token, test.fault)
		}
	}
}

func FuzzParseRefresh(f *testing.F) {
	f.Add([]byte(`{"RefreshAccessToken":"a\"b"}`))
	f.Add([]byte("{\"RefreshAccessToken\":\n1e5"))
	f.Add([]byte(`"\`))
	f.Fuzz(func(t *testing.T, b []byte) {
		token, fault := parseRefresh(b)
		if fault != "" && token != "" {
			t.Errorf("%q: both %q and %q", b, token, fault)
		}
		if fault == "" && !strings.Contains(string(b), refreshKey[:1]) && !strings.Contains(string(b), `\u`) {
			t.Errorf("%q was taken", b)
		}
	})
}

// Drogue checklist 6: frames that the server's parser rejects end the connection
// without a close frame, and a close frame is echoed.
func TestDrogueFrames(t *testing.T) {
	fin := frame.Header{Fin: true, Opcode: frame.OpText}
	big := strings.Repeat(" ", wire.MaxFrame)
	for _, test := range []struct {
		name  string
		frame []byte
	}{
		{"fragmented", emulatortest.FrameOf(frame.Header{Opcode: frame.OpText}, `{"`)},
		{"unmasked", append(frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.OpText, Length: 2}), "{}"...)},
		{"oversize", emulatortest.FrameOf(fin, big+" ")},
		{"reserved opcode", emulatortest.FrameOf(frame.Header{Fin: true, Opcode: 3}, "")},
		{"long ping", emulatortest.FrameOf(frame.Header{Fin: true, Opcode: frame.OpPing}, strings.Repeat("p", 126))},
		{"not UTF-8", emulatortest.FrameOf(fin, "\xff")},
		{"lone continuation", emulatortest.FrameOf(frame.Header{Fin: true}, "x")},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, quiet(), func(b *bench) {
				c := b.Dial("/drogue/public-app")
				// The server may close before it has read everything.
				_, err := c.Conn.Write(test.frame)
				if err != nil && !errors.Is(err, io.ErrClosedPipe) {
					t.Fatal(err)
				}
				start := time.Now()
				c.WantDrop()
				if time.Since(start) > time.Second {
					t.Error("dropped by the heartbeat only")
				}
			})
		})
	}
	inBubble(t, quiet(), func(b *bench) {
		// Reserved bits are ignored.
		c := b.Dial("/drogue/public-app")
		if _, err := c.Conn.Write(emulatortest.FrameOf(frame.Header{Fin: true, RSV: 4, Opcode: frame.OpText}, "1")); err != nil {
			t.Fatal(err)
		}
		c.WantClose(1002, "expected value at line 1 column 1")
	})
	inBubble(t, quiet(), func(b *bench) {
		// A reason is not truncated, although a control frame has room for 123 bytes of
		// it.
		c := b.Dial("/drogue/public-app")
		name := strings.Repeat("x", 150)
		c.Send(frame.OpText, `{"`+name+`":"a"}`)
		c.WantClose(1002, "unknown variant `"+name+"`, expected `RefreshAccessToken` at line 1 column 153")
	})
	inBubble(t, quiet(), func(b *bench) {
		c := b.Dial("/drogue/public-app")
		c.Send(frame.OpText, big) // the largest size that is accepted
		c.WantClose(1002, "EOF while parsing a value at line 1 column 65536")
		c = b.Dial("/drogue/public-app")
		c.Send(frame.OpClose, string(frame.ClosePayload(4000, "mine")))
		c.WantClose(4000, "mine")
	})
}

// A message that is too large ends the connection with FIN although not all of it was
// read: a client that continues to write gets no reset.
func TestDrogueOversizeEndsWithFIN(t *testing.T) {
	e, err := (emulator.Services{Service(quiet().Drogue)}).New(quiet().Options)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(e)
	defer func() { e.Close(); server.Close() }()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// All at once, so that the whole frame has arrived when the server parses its
	// header.
	request := []byte("GET /drogue/public-app HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	frame := emulatortest.FrameOf(frame.Header{Fin: true, Opcode: frame.OpText}, strings.Repeat(" ", wire.MaxFrame+1))
	if _, err := conn.Write(append(request, frame...)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("the connection ends with %v, want FIN", err)
	}
}

// A record that is not a CloudEvent closes every reader of the application, not only
// the connection with the fault.
func TestDrogueBadRecord(t *testing.T) {
	opts := quiet()
	opts.Faults = []string{"bad-record=1 times=1"}
	inBubble(t, opts, func(b *bench) {
		one, two := b.Dial("/drogue/public-app"), b.Dial("/drogue/public-app")
		b.publishEach(1, 1)
		for _, c := range []*emulatortest.Client{one, two} {
			c.Datum()
			c.WantClose(1011, wire.StreamError)
		}
		three := b.Dial("/drogue/public-app")
		b.publishEach(2, 2)
		if got := three.Datum(); got != "2" {
			t.Errorf("after that: %s", got)
		}
	})
}

// Requests with unexpected responses of the real server.
func TestDrogueOddRequests(t *testing.T) {
	e, err := (emulator.Services{Service(quiet().Drogue)}).New(quiet().Options)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(e)
	defer func() { e.Close(); server.Close() }()
	token, err := Token(server.URL, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		method, path string
		status       int
		body, allow  string
	}{
		{"GET", "/drogue/demo-app?username=demo&api_key=", 403, `"message":"Forbidden"`, ""},
		{"GET", "/drogue/demo-app?token=" + token + "&token=" + token, 404, "Application / demo-app", ""},
		{"POST", "/drogue/demo-app?token=" + token, 405, "", "GET"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), test.method, server.URL+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != test.status || !strings.Contains(string(body), test.body) || resp.Header.Get("Allow") != test.allow {
			t.Errorf("%s %.40s: %s, Allow %q, %s", test.method, test.path, resp.Status, resp.Header.Get("Allow"), body)
		}
	}
}
