package wsconn

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto/frame"
)

// A script is the client's side of a connection to a server that sends fixed bytes in
// reads of random size, whatever the client sends.
type script struct {
	rest   []byte
	random *rand.Rand
	most   int // bytes in a read

	mu      sync.Mutex
	written []byte
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 1+s.random.IntN(s.most))], s.rest)
	s.rest = s.rest[n:]
	if len(s.rest) == 0 && s.random.IntN(2) == 0 {
		return n, io.EOF // with the last bytes, as readers may
	}
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = append(s.written, p...)
	return len(p), nil
}

func (s *script) Close() error { return nil }

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusSwitchingProtocols,
		Header: http.Header{
			"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
			"Sec-Websocket-Accept": {acceptFor(req.Header.Get("Sec-WebSocket-Key"))},
		},
		Body: s,
	}, nil
}

// clientFrames returns the frames that the client has written.
func (s *script) clientFrames(t *testing.T) (frames []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for b := s.written; len(b) > 0; {
		h, n := frame.ParseHeader(b)
		if n == 0 || !h.Masked || h.Length > uint64(len(b)-n) {
			t.Errorf("the client wrote %x", b)
			return frames
		}
		payload := b[n : n+int(h.Length)]
		b = b[n+int(h.Length):]
		frame.Mask(payload, h.Mask, 0)
		frames = append(frames, fmt.Sprintf("%s %q", h.Opcode, payload))
	}
	return frames
}

// An outcome is everything observable of a connection, except times.
type outcome struct {
	End      string
	Messages []string
	Frames   []string // with control frames, as passed on
	Told     []string // what the client has sent
}

// A boundless budget has room for everything.
type boundless struct{}

func (boundless) Reserve(_, _, _ int, _ <-chan struct{}) bool { return true }
func (boundless) Release(int)                                 {}

// outcomeOf lets a server send stream in reads of at most the given size.
func outcomeOf(t *testing.T, stream []byte, most int, seed uint64, limit int64, collect, library bool) (o outcome) {
	t.Helper()
	s := &script{rest: stream, random: rand.New(rand.NewPCG(seed, 1)), most: most}
	c, _, err := Dial(t.Context(), s, &Request{URL: "ws://test/"}, Config{
		MaxMessage: limit, MaxFrame: DefaultMaxFrame, Budget: boundless{}, Pool: NewPool(4),
		Collect: collect, Queued: func() bool { return collect }, NoFastPath: library,
	})
	if err != nil {
		t.Fatal(err)
	}
	for b := range c.Batches() {
		for i := range b.Entries {
			e := &b.Entries[i]
			if !e.Op.Control() {
				o.Messages = append(o.Messages, string(b.Payload(e)))
			}
			if collect {
				o.Frames = append(o.Frames, fmt.Sprintf("%t %s %q", e.Out, e.Op, b.Payload(e)))
			}
		}
		c.discard(b)
	}
	end := c.End()
	c.Close()
	o.Told = s.clientFrames(t)
	if end.Kind == Lost { // pongs may not have been sent
		o.Told = slices.DeleteFunc(o.Told, func(s string) bool { return strings.HasPrefix(s, "pong ") })
	}
	if len(o.Told) == 0 {
		o.Told = nil
	}
	o.End = fmt.Sprint(end)
	return o
}

// compareWays checks that a stream has the same result with and without the fast path,
// however it is split.
func compareWays(t *testing.T, stream []byte, most int, seed uint64, limit int64, frames bool) {
	t.Helper()
	piece := 1 // so that the tap is not ahead of the library, which may find another violation first
	if len(stream) > 1<<16 {
		piece = readBuffer
	}
	want := outcomeOf(t, stream, piece, seed, limit, frames, true)
	if diff := cmp.Diff(want, outcomeOf(t, stream, most, seed, limit, frames, false)); diff != "" {
		t.Errorf("reads of %d bytes (-library +fast path):\n%s", most, diff)
	}
}

// mixedStream returns a stream of messages of all kinds, which ends with a close frame.
func mixedStream(n int) []byte {
	var stream []byte
	add := func(h frame.Header, payload string) {
		h.Length = uint64(len(payload))
		stream = append(frame.AppendHeader(stream, h), payload...)
	}
	text := frame.Header{Fin: true, Opcode: frame.OpText}
	for i := range n {
		for _, size := range []int{0, 1, 125, 126, 300, 5000} {
			add(text, fmt.Sprint(i, "é", strings.Repeat("x", size)))
		}
		switch i % 4 {
		case 0:
			add(frame.Header{Fin: true, Opcode: frame.OpPing}, fmt.Sprint(i))
			add(frame.Header{Fin: true, Opcode: frame.OpBinary}, "\xff\xfe")
		case 1:
			add(frame.Header{Opcode: frame.OpText}, "one\xc3")
			add(frame.Header{Fin: true, Opcode: frame.OpPong}, "between")
			add(frame.Header{Opcode: frame.OpContinuation}, "")
			add(frame.Header{Fin: true, Opcode: frame.OpContinuation}, "\xa9two")
		case 2:
			for _, size := range []int{readBuffer - 11, readBuffer - 10, readBuffer - 4, readBuffer, 2*(64<<10) + 1} {
				add(text, strings.Repeat("y", size))
			}
			add(frame.Header{Opcode: frame.OpBinary}, strings.Repeat("z", (64<<10)))
			add(frame.Header{Fin: true, Opcode: frame.OpPing}, "within")
			add(frame.Header{Fin: true, Opcode: frame.OpContinuation}, strings.Repeat("z", 3*(64<<10)))
		}
	}
	add(frame.Header{Fin: true, Opcode: frame.OpClose}, "\x03\xf3bye")
	return append(stream, frameBytes(frame.OpText, "too late")...)
}

// However the bytes are split into reads, the messages are the same with the fast path
// and the library.
func TestFastPath(t *testing.T) {
	long, short := mixedStream(12), mixedStream(3)
	for _, most := range []int{1, 2, 5, 127, 1000, 4096, readBuffer - 1, readBuffer, 3 * readBuffer} {
		for _, frames := range []bool{false, true} {
			stream := long
			if most < 1000 {
				stream = short
			}
			compareWays(t, stream, most, uint64(most), 1<<20, frames)
		}
	}
	want := outcomeOf(t, long, readBuffer, 1, 1<<20, false, false)
	if n := 12*6 + 3*(1+1+6); len(want.Messages) != n || want.End != "{1 1011 bye 0 <nil>}" {
		t.Errorf("%d events, want %d; %s", len(want.Messages), n, want.End)
	}
}

// hostileStreams are pieces of streams that are violations, or look like ones.
func hostileStreams() map[string][]byte {
	head := func(h frame.Header, payload string) []byte {
		h.Length = uint64(len(payload))
		return append(frame.AppendHeader(nil, h), payload...)
	}
	long := func(n byte, b ...byte) []byte { return append([]byte{0x81, n}, b...) }
	return map[string][]byte{
		"masked":              head(frame.Header{Fin: true, Opcode: frame.OpText, Masked: true}, "x"),
		"masked and empty":    head(frame.Header{Fin: true, Opcode: frame.OpText, Masked: true}, ""),
		"RSV1":                head(frame.Header{Fin: true, RSV: 4, Opcode: frame.OpText}, "x"),
		"RSV2":                head(frame.Header{Fin: true, RSV: 2, Opcode: frame.OpBinary}, "x"),
		"RSV3":                head(frame.Header{Fin: true, RSV: 1, Opcode: frame.OpText}, ""),
		"opcode 3":            head(frame.Header{Fin: true, Opcode: 3}, "x"),
		"opcode 7":            head(frame.Header{Fin: true, Opcode: 7}, ""),
		"opcode 11":           head(frame.Header{Fin: true, Opcode: 11}, "x"),
		"continuation":        head(frame.Header{Fin: true, Opcode: frame.OpContinuation}, "x"),
		"message in message":  append(head(frame.Header{Opcode: frame.OpText}, "x"), frameBytes(frame.OpText, "y")...),
		"binary in text":      append(head(frame.Header{Opcode: frame.OpText}, "x"), frameBytes(frame.OpBinary, "y")...),
		"too large":           frameBytes(frame.OpText, strings.Repeat("x", 1001)),
		"too large, together": append(head(frame.Header{Opcode: frame.OpText}, strings.Repeat("x", 999)), head(frame.Header{Fin: true, Opcode: frame.OpContinuation}, "xy")...),
		"just large enough":   append(frameBytes(frame.OpText, strings.Repeat("x", 1000)), frameBytes(frame.OpClose, "\x03\xe8")...),
		"gigantic":            long(127, 0, 0, 0x7f, 0, 0, 0, 0, 0),
		"negative":            long(127, 0xff, 0, 0, 0, 0, 0, 0, 1),
		"long form of 5":      append(long(126, 0, 5), "hello"...),
		"longer form of 5":    append(long(127, 0, 0, 0, 0, 0, 0, 0, 5), "hello"...),
		"longer form of 300":  append(long(127, 0, 0, 0, 0, 0, 0, 1, 44), strings.Repeat("x", 300)...),
		"not UTF-8":           frameBytes(frame.OpText, "a\xffb"),
		"cut character":       frameBytes(frame.OpText, "a\xe2\x82"),
		"surrogate":           frameBytes(frame.OpText, "\xed\xa0\x80"),
		"fragments, UTF-8":    append(head(frame.Header{Opcode: frame.OpText}, "\xe2\x82"), head(frame.Header{Fin: true, Opcode: frame.OpContinuation}, "(")...),
		"long ping":           frameBytes(frame.OpPing, strings.Repeat("x", 126)),
		"fragmented ping":     head(frame.Header{Opcode: frame.OpPing}, "x"),
		"close reason":        frameBytes(frame.OpClose, "\x03\xe8bye\xff"),
		"short close":         frameBytes(frame.OpClose, "\x03"),
		"close code":          frameBytes(frame.OpClose, "\x07\xd0"),
		"close 1005":          frameBytes(frame.OpClose, "\x03\xed"),
		"empty close":         frameBytes(frame.OpClose, ""),
		"close twice":         bytes.Repeat(frameBytes(frame.OpClose, "\x03\xe8"), 2),
		"cut head":            {0x81},
		"cut length":          {0x81, 126, 1},
		"cut payload":         {0x81, 5, 'h'},
		"cut before payload":  {0x81, 5},
		"cut between":         head(frame.Header{Opcode: frame.OpText}, "x"),
		"end":                 {},
	}
}

// Violations, and messages beyond the limit, are detected alone, after other messages
// and within them, and end in the same way with the same code.
func TestFastPathKeepsTheRules(t *testing.T) {
	before := [][]byte{
		nil,
		frameBytes(frame.OpText, "fine €"),
		append(frameBytes(frame.OpText, strings.Repeat("x", 1000)), frameBytes(frame.OpPing, "p")...),
		append(frame.AppendHeader(nil, frame.Header{Opcode: frame.OpText, Length: 1}), 'a'),
	}
	for name, bad := range hostileStreams() {
		t.Run(name, func(t *testing.T) {
			for _, b := range before {
				for i, after := range [][]byte{nil, frameBytes(frame.OpText, "no more")} {
					stream := append(append(bytes.Clone(b), bad...), after...)
					for _, most := range []int{1, 3, 100, 4096} {
						compareWays(t, stream, most, uint64(i), 1000, false)
					}
				}
			}
		})
	}
}

// FuzzFastPath compares both ways for any stream, split in any way.
func FuzzFastPath(f *testing.F) {
	for _, b := range hostileStreams() {
		f.Add(b, uint16(0), uint64(1), false)
		f.Add(append(frameBytes(frame.OpText, `{"a":1}`), b...), uint16(2), uint64(2), true)
	}
	f.Add(mixedStream(2)[:2000], uint16(700), uint64(3), true)
	f.Fuzz(func(t *testing.T, stream []byte, most uint16, seed uint64, frames bool) {
		compareWays(t, stream, 1+int(most), seed, 1000, frames)
	})
}

func frameBytes(op frame.Opcode, payload string) []byte {
	return append(frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: op, Length: uint64(len(payload))}), payload...)
}
