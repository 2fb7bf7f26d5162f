package wsconn

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto/frame"
)

// A rawFrame is one frame as sent over the connection, unmasked.
type rawFrame struct {
	frame.Header
	payload string
}

func (f rawFrame) String() string {
	return fmt.Sprintf("%s fin=%t rsv=%d %d", f.Opcode, f.Fin, f.RSV, len(f.payload))
}

// rawFrames splits what a client has written into frames.
func rawFrames(t *testing.T, b []byte) (frames []rawFrame) {
	t.Helper()
	for len(b) > 0 {
		h, n := frame.ParseHeader(b)
		if n == 0 || !h.Masked || h.Length > uint64(len(b)-n) {
			t.Fatalf("after %d frames: no whole masked frame in %d bytes", len(frames), len(b))
		}
		payload := bytes.Clone(b[n : n+int(h.Length)])
		frame.Mask(payload, h.Mask, 0)
		frames = append(frames, rawFrame{h, string(payload)})
		b = b[n+int(h.Length):]
	}
	return frames
}

// messagesOf joins the messages, and checks the frames against the protocol.
func messagesOf(t *testing.T, frames []rawFrame, most int, takeover bool) (messages []string) {
	t.Helper()
	var whole, dict []byte
	inside, zipped := false, false
	for i, f := range frames {
		if len(f.payload) > most {
			t.Errorf("frame %d: %s, want at most %d bytes", i, f, most)
		}
		if f.Opcode.Control() {
			continue
		}
		if inside != (f.Opcode == frame.OpContinuation) || inside && f.RSV != 0 {
			t.Fatalf("frame %d: %s, inside a message: %t", i, f, inside)
		}
		if !inside {
			whole, zipped = nil, f.RSV == 4
		}
		whole = append(whole, f.payload...)
		if inside = !f.Fin; inside {
			continue
		}
		if zipped {
			r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(whole), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")), dict)
			var err error
			if whole, err = io.ReadAll(r); err != nil {
				t.Fatalf("frame %d: %v", i, err)
			}
			if takeover {
				dict = append(dict, whole...)
				dict = dict[max(0, len(dict)-32<<10):]
			}
		}
		messages = append(messages, string(whole))
	}
	return messages
}

// Fragmented messages arrive unchanged, compressed or not, for any size of frames.
func TestFragments(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	var want []string
	for _, n := range []int{0, 1, 125, 126, 127, 128, 1000, 1001, 65535, 65536, 65537, 131072, 131073, 300_000} {
		want = append(want, strings.Repeat("x", n), string(noise[:n]), fmt.Sprint(n, strings.Repeat(" words and words", n/16)))
	}
	for _, most := range []int{1000, 1 << 16, 1 << 20} {
		for _, zip := range []*compressor{nil, {}, {forget: true}} {
			t.Run(fmt.Sprintf("%d %t", most, zip != nil), func(t *testing.T) {
				out := newOutbox()
				var wrote bytes.Buffer
				writes := 0
				w := frameWriter{out: &out, most: most, zip: zip, start: time.Now(), w: writerFunc(func(p []byte) (int, error) {
					writes++
					return wrote.Write(p)
				})}
				for i, m := range want {
					out.put(frame.OpBinary, []byte(m), false)
					if i%3 == 0 {
						out.put(frame.OpPong, []byte("p"), false)
					}
				}
				if !out.close(frame.ClosePayload(1000, ""), time.Now().Add(time.Hour)) || out.put(frame.OpText, []byte("late"), false) {
					t.Error("a frame was taken after the close frame")
				}
				if err := w.run(); err != nil {
					t.Fatal(err)
				}
				frames := rawFrames(t, wrote.Bytes())
				if last := frames[len(frames)-1]; last.Opcode != frame.OpClose {
					t.Errorf("the last frame is %s", last)
				}
				if got := messagesOf(t, frames, most, zip != nil && !zip.forget); !cmp.Equal(want, got) {
					t.Errorf("%d messages, want %d, or they are others", len(got), len(want))
				}
				if writes > len(frames) {
					t.Errorf("%d writes for %d frames", writes, len(frames))
				}
			})
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Pings, pongs and an answer to a close frame are sent between the fragments of a
// message, also of a compressed one; the client's own close frame waits for it for a
// while.
func TestControlFramesBetweenFragments(t *testing.T) {
	big := make([]byte, 1<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range big {
		big[i] = byte(random.Uint32())
	}
	for _, zip := range []bool{false, true} {
		for name, by := range map[string]time.Duration{"in time": time.Hour, "too late": 0} {
			t.Run(fmt.Sprint(zip, name), func(t *testing.T) {
				out := newOutbox()
				var wrote bytes.Buffer
				n := 0
				w := frameWriter{out: &out, most: 1 << 16, start: time.Now(), w: writerFunc(func(p []byte) (int, error) {
					switch n++; n {
					case 2:
						out.put(frame.OpPing, []byte("a"), false)
						out.put(frame.OpText, []byte("after"), false)
						out.put(frame.OpPong, []byte("b"), false)
					case 5:
						out.close(frame.ClosePayload(1001, "bye"), time.Now().Add(by))
					}
					return wrote.Write(p)
				})}
				if zip {
					w.zip = &compressor{}
				}
				out.put(frame.OpBinary, big, false)
				if err := w.run(); err != nil {
					t.Fatal(err)
				}
				frames := rawFrames(t, wrote.Bytes())
				var ops []frame.Opcode
				for _, f := range frames[:5] {
					ops = append(ops, f.Opcode)
				}
				want := []frame.Opcode{frame.OpBinary, frame.OpContinuation, frame.OpPing, frame.OpPong, frame.OpContinuation}
				if diff := cmp.Diff(want, ops); diff != "" {
					t.Errorf("frames (-want +got):\n%s", diff)
				}
				if last := frames[len(frames)-1]; last.Opcode != frame.OpClose || last.payload != "\x03\xe9bye" {
					t.Errorf("the last frame is %s", last)
				}
				if by == 0 {
					if len(frames) != 6 {
						t.Errorf("%d frames, want the close frame after the next fragment", len(frames))
					}
				} else if got := messagesOf(t, frames, 1<<16, true); len(got) != 2 || got[0] != string(big) || got[1] != "after" {
					t.Errorf("%d messages", len(got))
				}
			})
		}
	}
}

// Of a flood of pings, the last ones are answered.
func TestPongsAreBounded(t *testing.T) {
	out := newOutbox()
	for i := range 10_000 {
		out.put(frame.OpPong, fmt.Append(nil, i), false)
	}
	f, ok, _ := out.next(true)
	if !ok || string(f.payload) != fmt.Sprint(10_000-maxPongs) || out.count != maxPongs || out.isFull() {
		t.Errorf("the first is %q, %d wait", f.payload, out.count)
	}
}
