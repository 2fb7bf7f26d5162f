package wsserver

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hark-cli/hark/proto/frame"
)

// A readConn is a connection from which fixed bytes are read.
type readConn struct {
	net.Conn
	io.Reader
}

func (c readConn) Read(p []byte) (int, error) { return c.Reader.Read(p) }

// sent returns a client's frame.
func sent(h frame.Header, payload string) string {
	h.Masked, h.Mask, h.Length = true, [4]byte{1, 2, 3, 4}, uint64(len(payload))
	b := []byte(payload)
	frame.Mask(b, h.Mask, 0)
	return string(append(frame.AppendHeader(nil, h), b...))
}

func text(payload string) string {
	return sent(frame.Header{Fin: true, Opcode: frame.OpText}, payload)
}

func TestRead(t *testing.T) {
	begin, rest := sent(frame.Header{Opcode: frame.OpText}, "h\xc3"), sent(frame.Header{Fin: true, Opcode: frame.OpContinuation}, "\xa9")
	ping := sent(frame.Header{Fin: true, Opcode: frame.OpPing}, "p")
	for _, tt := range []struct {
		name  string
		rules Rules
		in    string
		want  string // opcodes and payloads
		code  int    // of the violation at the end; 0 for the end of the connection
	}{
		{"messages", Rules{}, text("a") + sent(frame.Header{Fin: true, Opcode: frame.OpBinary}, "\xff") + text(""), "text a, binary \xff, text ", 0},
		{"fragments around a ping", Rules{}, begin + ping + rest + text("x"), "ping p, text h\u00e9, text x", 0},
		{"fragments that are refused", Rules{Unfragmented: true}, text("a") + begin, "text a", frame.StatusProtocol},
		{"a message within another", Rules{}, begin + text("x"), "", frame.StatusProtocol},
		{"a continuation of nothing", Rules{}, rest, "", frame.StatusProtocol},
		{"not masked", Rules{}, "\x81\x00", "", frame.StatusProtocol},
		{"reserved bit", Rules{}, sent(frame.Header{Fin: true, RSV: 4, Opcode: frame.OpText}, "x"), "", frame.StatusProtocol},
		{"reserved bit that is not looked at", Rules{Reserved: true}, sent(frame.Header{Fin: true, RSV: 4, Opcode: frame.OpText}, "x"), "text x", 0},
		{"reserved opcode", Rules{}, sent(frame.Header{Fin: true, Opcode: 3}, ""), "", frame.StatusProtocol},
		{"long ping", Rules{}, sent(frame.Header{Fin: true, Opcode: frame.OpPing}, strings.Repeat("x", 126)), "", frame.StatusProtocol},
		{"too big", Rules{MaxMessage: 2}, text("ab") + text("abc"), "text ab", frame.StatusTooBig},
		{"too big in parts", Rules{MaxMessage: 2}, begin + rest, "", frame.StatusTooBig},
		{"not UTF-8", Rules{}, text("\xff"), "", frame.StatusInvalid},
		{"cut off", Rules{}, text("abc")[:5], "", 0},
		{"an announcement", Rules{}, "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00x", "", 0},
	} {
		c := NewConn(readConn{Reader: strings.NewReader(tt.in)}, nil, tt.rules)
		var got []string
		var err error
		for {
			var m Message
			if m, err = c.Read(); err != nil {
				break
			}
			got = append(got, m.Opcode.String()+" "+string(m.Payload))
		}
		code := 0
		if v, ok := errors.AsType[*Violation](err); ok {
			code = v.Code
		}
		if got := strings.Join(got, ", "); got != tt.want || code != tt.code {
			t.Errorf("%s: %q, then %v (%d), want %q, then %d", tt.name, got, err, code, tt.want, tt.code)
		}
	}
}

func TestFlush(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	c := NewConn(server, nil, Rules{})
	if waits := c.Queue(frame.OpText, []byte("a")); waits != 3 {
		t.Errorf("%d bytes wait", waits)
	}
	c.Unqueue()
	c.Queue(frame.OpText, []byte("hello"))
	c.QueueFrame(frame.Header{Opcode: frame.OpText, Length: 5}, []byte("wo"))
	c.QueueBytes([]byte("rld"))
	go c.Flush(time.Minute)
	got := make([]byte, 14)
	if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, []byte("\x81\x05hello\x01\x05world")) {
		t.Errorf("%q, %v", got, err)
	}
	c.Queue(frame.OpText, nil)
	if err := c.Flush(time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a client that does not read: %v", err)
	}
}

// Reading terminates whatever a client sends, and its results obey the rules.
func FuzzRead(f *testing.F) {
	f.Add([]byte(text("a") + sent(frame.Header{Opcode: frame.OpText}, "h") + sent(frame.Header{Fin: true, Opcode: frame.OpContinuation}, "i")))
	f.Add([]byte("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00x"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c := NewConn(readConn{Reader: bytes.NewReader(in)}, nil, Rules{MaxMessage: 1000})
		for {
			m, err := c.Read()
			if err != nil {
				return
			}
			if len(m.Payload) > 1000 || m.Opcode.Control() && len(m.Payload) > frame.MaxControlPayload {
				t.Errorf("a %s of %d bytes", m.Opcode, len(m.Payload))
			}
			if m.Opcode == frame.OpText && !utf8.Valid(m.Payload) {
				t.Errorf("text %q", m.Payload)
			}
		}
	})
}
