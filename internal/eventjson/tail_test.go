package eventjson

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"
)

// restPayload returns random data of that size, with sequences that are hard to split.
func restPayload(r *rand.Rand, size int) []byte {
	parts := []string{
		"plain text ", "é", "漢", "😀", "\u2028", "\u2029", "\x00", "\x1f", "\x7f", "\"", "\\", "\r\n", "\ufffd", "\U0010ffff",
		"\xff", "\x80\x80\x80\x80\x80", "\xe2\x82", "\xf0\x9f\x98", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "</script>",
	}
	if r.IntN(3) == 0 {
		parts = parts[:14] // valid UTF-8, but for the end
	}
	var b []byte
	for len(b) < size {
		b = append(b, strings.Repeat(parts[r.IntN(len(parts))], 1+r.IntN(3))...)
	}
	return b[:size]
}

// For any room and any splits, the pieces together are the same as the whole, and no
// piece exceeds its room.
func TestRest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sizes := []int{0, 1, 2, 3, piece - 1, piece, piece + 1, short - 1, short, short + 1, 3*short + 2, 70_001}
	for range 15 { // some ten pieces of each long payload each time
		for _, size := range sizes {
			data := restPayload(r, size)
			for form, want := range map[Form]string{
				Quoted:   strings.TrimPrefix(string(AppendString(nil, data)), `"`),
				Base64:   base64.StdEncoding.EncodeToString(data) + `"`,
				Verbatim: string(data) + `"`,
			} {
				rest := Tail{data, form, `"`}
				if got := string(rest.AppendAll(nil)); got != want {
					t.Fatalf("form %d, %d bytes: AppendAll makes something else", form, size)
				}
				out, left := rest.Finish([]byte("x"))
				if left.Done() != (size <= short) || string(left.AppendAll(out)) != "x"+want {
					t.Fatalf("form %d, %d bytes: Finish makes something else", form, size)
				}
				out = nil
				for !rest.Done() {
					n, room := len(out), r.IntN(12<<10)
					if out = rest.Append(out, room); len(out)-n > room {
						t.Fatalf("form %d, %d bytes: %d bytes in room for %d", form, size, len(out)-n, room)
					}
					if room >= 8<<10 && len(out) == n {
						t.Fatalf("form %d, %d bytes: nothing in room for %d", form, size, room)
					}
				}
				if string(out) != want {
					t.Fatalf("form %d, %d bytes: the pieces make something else", form, size)
				}
			}
		}
	}
}

// A piece never ends inside a character.
func TestCutText(t *testing.T) {
	for _, c := range []string{"é", "漢", "😀"} {
		b := []byte("xx" + strings.Repeat(c, 100))
		for n := range len(b) {
			if at := CutText(b, n); at > n || n-at >= len(c) || (at-2)%len(c) != 0 && at > 2 {
				t.Errorf("%s: %d bytes are cut at %d", c, n, at)
			}
		}
	}
	if at := CutText(bytes.Repeat([]byte{0x80}, 100), 50); at != 50 {
		t.Errorf("invalid UTF-8 is cut at %d", at)
	}
}

func TestFits(t *testing.T) {
	nested := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	for _, b := range [][]byte{nested(MaxDepth - 1), nested(MaxDepth), nested(MaxDepth - 64), []byte(" {\"a\":[1]}\n"), []byte("[1"), []byte("1 2"), nil} {
		for _, depth := range []int{0, 1, 2, 64, 100} {
			want, _ := Valid([]byte(strings.Repeat("[", depth) + string(b) + strings.Repeat("]", depth)))
			if depth > 0 && len(bytes.TrimSpace(b)) == 0 {
				want = false
			}
			if got := ValidAt(b, depth); got != want {
				t.Errorf("%.20q, %d bytes, inside %d arrays: %v", b, len(b), depth, got)
			}
		}
	}
}
