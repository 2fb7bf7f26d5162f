package eventjson

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendUnquoted appends the text of the JSON string at the beginning of b to dst, as
// AppendUnescaped does, and returns the length of that string, quotes included; 0 when
// there is none.
func AppendUnquoted(dst, b []byte) (out []byte, n int) {
	if len(b) == 0 || b[0] != '"' {
		return dst, 0
	}
	start, i := len(dst), 1
	out = slices.Grow(dst, len(b)+stride) // it gets no longer, and a stride may reach beyond
	j := start
	out = out[:cap(out)]
	for {
		if uint(i) < uint(len(b)) && len(b)-i >= stride {
			w := binary.LittleEndian.Uint64(b[i:])
			binary.LittleEndian.PutUint64(out[j:], w)
			m := special(w)
			if m == 0 {
				i, j = i+stride, j+stride
				continue
			}
			k := bits.TrailingZeros64(m) / 8
			i, j = i+k, j+k
		} else {
			for uint(i) < uint(len(b)) && plain(b[i]) {
				out[j] = b[i]
				i, j = i+1, j+1
			}
			if uint(i) >= uint(len(b)) {
				return dst, 0
			}
		}
		switch c := b[i]; {
		case c == '"':
			return out[:j], i + 1
		case c == '\\':
			if uint(i+1) < uint(len(b)) && (b[i+1] == '"' || b[i+1] == '\\') { // most are
				out[j] = b[i+1]
				i, j = i+2, j+1
				continue
			}
			n := escapeLen(b, i)
			if n == 0 {
				return dst, 0
			}
			if n == 6 && len(b)-i >= 12 && b[i+6] == '\\' && b[i+7] == 'u' &&
				utf16.DecodeRune(hex4(b, i+2), hex4(b, i+8)) != utf8.RuneError {
				n = 12 // a pair
			}
			j = len(appendUnescaped(out[:j], b[i:i+n]))
			i += n
		case c >= utf8.RuneSelf:
			end := skipWide(b, i)
			if end < 0 {
				return dst, 0
			}
			j += copy(out[j:], b[i:end])
			i = end
		default:
			return dst, 0
		}
	}
}
