package emulator

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/proto/wire"
)

// Drogue checklist 6: what is not understood gets 1002 with the text of serde.
func TestDrogueClientMessages(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "proto", "testdata", "drogue", "client-messages.tsv"))
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
			c := b.dial("/drogue/public-app")
			c.send(wire.OpText, message)
			c.wantClose(1002, reason)
		})
	}
	if n != 14 {
		t.Errorf("%d messages in the test data", n)
	}
}

// More of how serde_json reads; the texts follow its source.
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

// Drogue checklist 6: what the server's frame parser does not take ends the
// connection without a close frame, and a close frame is echoed.
func TestDrogueFrames(t *testing.T) {
	fin := wire.Header{Fin: true, Opcode: wire.OpText}
	big := strings.Repeat(" ", wire.DrogueMaxFrame)
	for _, test := range []struct {
		name  string
		frame []byte
	}{
		{"fragmented", frameOf(wire.Header{Opcode: wire.OpText}, `{"`)},
		{"unmasked", append(wire.AppendHeader(nil, wire.Header{Fin: true, Opcode: wire.OpText, Length: 2}), "{}"...)},
		{"oversize", frameOf(fin, big+" ")},
		{"reserved opcode", frameOf(wire.Header{Fin: true, Opcode: 3}, "")},
		{"long ping", frameOf(wire.Header{Fin: true, Opcode: wire.OpPing}, strings.Repeat("p", 126))},
		{"not UTF-8", frameOf(fin, "\xff")},
		{"lone continuation", frameOf(wire.Header{Fin: true}, "x")},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, quiet(), func(b *bench) {
				c := b.dial("/drogue/public-app")
				// The server may go away before it has read everything.
				_, err := c.conn.Write(test.frame)
				if err != nil && !errors.Is(err, io.ErrClosedPipe) {
					t.Fatal(err)
				}
				start := time.Now()
				c.wantDrop()
				if time.Since(start) > time.Second {
					t.Error("dropped by the heartbeat only")
				}
			})
		})
	}
	inBubble(t, quiet(), func(b *bench) {
		c := b.dial("/drogue/public-app")
		c.send(wire.OpText, big) // just small enough to be read
		c.wantClose(1002, "EOF while parsing a value at line 1 column 65536")
		c = b.dial("/drogue/public-app")
		c.send(wire.OpClose, string(wire.ClosePayload(4000, "mine")))
		c.wantClose(4000, "mine")
	})
}
