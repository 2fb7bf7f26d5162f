package eventjson

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// stride is how many bytes of a string are read as one word.
const stride = 8

const (
	everyByte = 0x0101010101010101
	highBits  = 0x8080808080808080
)

// special marks, by the high bit of its byte, what cannot simply be skipped within a
// string: quotes, backslashes, control characters below 0x20, and bytes beyond ASCII.
// The lowest mark is exact; a borrow can set a wrong one only above it.
func special(w uint64) uint64 {
	quote := w ^ '"'*everyByte
	slash := w ^ '\\'*everyByte
	return ((w - ' '*everyByte) | (quote - everyByte) | (slash - everyByte) | w) & highBits
}

// scanString scans the string whose text begins at i, its closing quote included.
// Control characters, unknown escapes and invalid UTF-8 are errors.
func scanString(b []byte, i int) int {
	for {
		if uint(i) < uint(len(b)) && len(b)-i >= stride {
			m := special(binary.LittleEndian.Uint64(b[i:]))
			if m == 0 {
				i += stride
				continue
			}
			i += bits.TrailingZeros64(m) / 8
		} else {
			for uint(i) < uint(len(b)) && plain(b[i]) {
				i++
			}
			if uint(i) >= uint(len(b)) {
				return ^i
			}
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			n := escapeLen(b, i)
			if n == 0 {
				return ^i
			}
			i += n
		case c >= utf8.RuneSelf:
			if i = skipWide(b, i); i < 0 {
				return i
			}
		default:
			return ^i
		}
	}
}

// plain reports whether c is ASCII and unescaped within a string.
func plain(c byte) bool {
	return ' ' <= c && c < utf8.RuneSelf && c != '"' && c != '\\'
}

// escapeLen returns the length of the escape sequence at i, or 0 if it is not one (RFC
// 8259, section 7).
func escapeLen(b []byte, i int) int {
	if i+1 >= len(b) {
		return 0
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if hex4(b, i+2) >= 0 {
			return 6
		}
	}
	return 0
}

// hex4 returns the value of the four hexadecimal digits at i, or -1.
func hex4(b []byte, i int) rune {
	if len(b)-i < 4 {
		return -1
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// skipWide skips the run of non-ASCII characters at i.
func skipWide(b []byte, i int) int {
	for i < len(b) && b[i] >= utf8.RuneSelf {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return ^i
		}
		i += n
	}
	return i
}
