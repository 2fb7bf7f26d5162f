package frame

import (
	"bytes"
	"testing"
)

// The frames of RFC 6455, section 5.7.
func TestHeaderRFC(t *testing.T) {
	hello := []byte("Hello")
	masked := bytes.Clone(hello)
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	Mask(masked, key, 0)
	tests := []struct {
		name    string
		header  Header
		payload []byte
		want    []byte
	}{
		{"text", Header{Fin: true, Opcode: OpText, Length: 5}, hello,
			[]byte{0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}},
		{"masked text", Header{Fin: true, Opcode: OpText, Masked: true, Mask: key, Length: 5}, masked,
			[]byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}},
		{"first fragment", Header{Opcode: OpText, Length: 3}, []byte("Hel"),
			[]byte{0x01, 0x03, 0x48, 0x65, 0x6c}},
		{"last fragment", Header{Fin: true, Opcode: OpContinuation, Length: 2}, []byte("lo"),
			[]byte{0x80, 0x02, 0x6c, 0x6f}},
		{"ping", Header{Fin: true, Opcode: OpPing, Length: 5}, hello,
			[]byte{0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}},
		{"256 bytes", Header{Fin: true, Opcode: OpBinary, Length: 256}, nil,
			[]byte{0x82, 0x7E, 0x01, 0x00}},
		{"64 KiB", Header{Fin: true, Opcode: OpBinary, Length: 65536}, nil,
			[]byte{0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := append(AppendHeader(nil, test.header), test.payload...)
			if !bytes.Equal(got, test.want) {
				t.Errorf("encoded % x, want % x", got, test.want)
			}
			h, n := ParseHeader(test.want)
			if h != test.header || n != len(test.want)-len(test.payload) {
				t.Errorf("parsed %+v, %d bytes, want %+v", h, n, test.header)
			}
			for i := range n {
				if _, m := ParseHeader(test.want[:i]); m != 0 {
					t.Errorf("%d of %d bytes were enough", i, n)
				}
			}
		})
	}
}

func TestClosePayload(t *testing.T) {
	for _, test := range []struct {
		code   int
		reason string
	}{{StatusNormal, ""}, {StatusPolicy, "JWT token expired"}, {4321, "ü"}} {
		code, reason := ParseClose(ClosePayload(test.code, test.reason))
		if code != test.code || reason != test.reason {
			t.Errorf("got %d %q, want %d %q", code, reason, test.code, test.reason)
		}
	}
	if b := ClosePayload(StatusNone, "ignored"); b != nil {
		t.Errorf("a close without a code has the payload % x", b)
	}
	if code, _ := ParseClose(nil); code != StatusNone {
		t.Errorf("an empty close frame has the code %d", code)
	}
	if n := len(ClosePayload(StatusNormal, string(make([]byte, 200)))); n != MaxControlPayload {
		t.Errorf("a long reason makes %d bytes, want %d", n, MaxControlPayload)
	}
}

// Whatever is parsed encodes to a header that parses to the same.
func FuzzParseHeader(f *testing.F) {
	f.Add([]byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d})
	f.Add([]byte{0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0})
	f.Add([]byte{0xF2, 0xFE, 0, 1, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n := ParseHeader(b)
		if n == 0 {
			return
		}
		if n > len(b) || n > 14 {
			t.Fatalf("%d bytes used of %d", n, len(b))
		}
		again, m := ParseHeader(AppendHeader(nil, h))
		if again != h || m == 0 || m > n {
			t.Errorf("% x: %+v, encoded and parsed %+v", b[:n], h, again)
		}
	})
}
