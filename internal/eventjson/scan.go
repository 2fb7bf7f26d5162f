package eventjson

// MaxDepth is how deep arrays and objects may be nested, the limit that
// encoding/json has. It bounds the stack of everything in this package.
const MaxDepth = 10000

// Valid reports whether b is exactly one JSON value in valid UTF-8, white space around
// it allowed, and whether a raw CR or LF occurs in it. In valid JSON they can only be
// insignificant white space: between tokens, or before or after the value. breaks is
// undefined if ok is false.
func Valid(b []byte) (ok, breaks bool) {
	i, seen := scanValue(b, 0, 0)
	if i < 0 {
		return false, false
	}
	i, seen = skipSpace(b, i, seen)
	return i == len(b), seen&lineBreak != 0
}

// ValidAt reports whether b would be JSON by the rules of Valid inside depth arrays,
// too.
func ValidAt(b []byte, depth int) bool {
	i, _ := scanValue(b, 0, depth)
	if i < 0 {
		return false
	}
	i, _ = skipSpace(b, i, 0)
	return i == len(b)
}

// The scan functions return the position after what they scan, or ^i if the byte at i
// (or the end of the text, if i is there) is an error.

// wordBits is how many levels of nesting scanValue stores in one word; for deeper ones
// it calls itself, at most MaxDepth/wordBits times.
const wordBits = 64

// scanValue scans the value at i, with white space before it, and adds the kinds of
// white space to seen. depth is how many arrays and objects contain it.
func scanValue(b []byte, i, depth int) (end int, seen spaceKind) {
	var (
		objects uint64 // a stack of bits: 1 for an object, 0 for an array
		level   int    // its height
		inner   spaceKind
	)
value:
	if uint(i) >= uint(len(b)) {
		return ^i, seen
	}
	switch c := b[i]; c {
	case ' ', '\t', '\r', '\n':
		i, seen = skipSpace(b, i, seen)
		goto value
	case '"':
		i = scanString(b, i+1)
	case '{', '[':
		if level == wordBits {
			i, inner = scanValue(b, i, depth+level)
			seen |= inner
			break
		}
		if depth+level == MaxDepth {
			return ^i, seen
		}
		i, seen = skipSpace(b, i+1, seen)
		if uint(i) >= uint(len(b)) {
			return ^i, seen
		}
		if b[i] == c+2 { // } is { + 2, and ] is [ + 2
			i++
			break
		}
		level++
		objects <<= 1
		if c == '{' {
			objects |= 1
			goto key
		}
		goto value
	case 't':
		i = scanWord(b, i, "true")
	case 'f':
		i = scanWord(b, i, "false")
	case 'n':
		i = scanWord(b, i, "null")
	default:
		i = scanNumber(b, i)
	}
	if i < 0 {
		return i, seen
	}

after: // a value has ended at i
	if level == 0 {
		return i, seen
	}
	if uint(i) >= uint(len(b)) {
		return ^i, seen
	}
	switch b[i] {
	case ',':
		i++
		if objects&1 != 0 {
			goto key
		}
		goto value
	case '}':
		if objects&1 == 0 {
			return ^i, seen
		}
	case ']':
		if objects&1 != 0 {
			return ^i, seen
		}
	case ' ', '\t', '\r', '\n':
		i, seen = skipSpace(b, i, seen)
		goto after
	default:
		return ^i, seen
	}
	i++
	level--
	objects >>= 1
	goto after

key:
	if uint(i) < uint(len(b)) && b[i] != '"' {
		i, seen = skipSpace(b, i, seen)
	}
	if uint(i) >= uint(len(b)) || b[i] != '"' {
		return ^i, seen
	}
	if i = scanString(b, i+1); i < 0 {
		return i, seen
	}
	if uint(i) < uint(len(b)) && b[i] != ':' {
		i, seen = skipSpace(b, i, seen)
	}
	if uint(i) >= uint(len(b)) || b[i] != ':' {
		return ^i, seen
	}
	i++
	goto value
}

// scanWord scans the literal w at i.
func scanWord(b []byte, i int, w string) int {
	if len(b)-i >= len(w) && string(b[i:i+len(w)]) == w {
		return i + len(w)
	}
	for j := 0; i < len(b) && b[i] == w[j]; j++ {
		i++
	}
	return ^i
}

// scanNumber scans the number at i (RFC 8259, section 6).
func scanNumber(b []byte, i int) int {
	if uint(i) < uint(len(b)) && b[i] == '-' {
		i++
	}
	if uint(i) >= uint(len(b)) {
		return ^i
	}
	switch c := b[i]; {
	case c == '0':
		i++
	case '1' <= c && c <= '9':
		i = skipDigits(b, i+1)
	default:
		return ^i
	}
	if uint(i) < uint(len(b)) && b[i] == '.' {
		j := skipDigits(b, i+1)
		if j == i+1 {
			return ^j
		}
		i = j
	}
	if uint(i) < uint(len(b)) && b[i]|0x20 == 'e' {
		i++
		if uint(i) < uint(len(b)) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		j := skipDigits(b, i)
		if j == i {
			return ^j
		}
		i = j
	}
	return i
}

func skipDigits(b []byte, i int) int {
	for uint(i) < uint(len(b)) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// A spaceKind is a set of kinds of white space.
type spaceKind uint8

const (
	blank     spaceKind = 1 // space or tab
	lineBreak spaceKind = 2 // CR or LF
)

// spaces has the kind of each white-space byte (RFC 8259, section 2), and 0 for
// all other bytes.
var spaces = [256]spaceKind{' ': blank, '\t': blank, '\r': lineBreak, '\n': lineBreak}

// skipSpace returns the first position from i on that is not white space, and adds the
// kinds of white space to seen.
func skipSpace(b []byte, i int, seen spaceKind) (int, spaceKind) {
	for uint(i) < uint(len(b)) {
		k := spaces[b[i]]
		if k == 0 {
			break
		}
		seen |= k
		i++
	}
	return i, seen
}
