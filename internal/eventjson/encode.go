package eventjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrTooDeep is returned by AppendValue for a value nested deeper than MaxDepth, which
// this package would not accept.
var ErrTooDeep = errors.New("value is nested too deeply for JSON")

// AppendValue appends v to dst as JSON in the format of jq -c: members sorted by name,
// nothing escaped for HTML, NaN as null, infinities as the largest numbers, the text of
// a json.Number unchanged. v may be nil, bool, int, float64, *big.Int, json.Number,
// string, []any or map[string]any, and contain the same; for anything else, and for a
// json.Number that is not a JSON number, it returns an error. After an error it returns
// dst unchanged.
func AppendValue(dst []byte, v any) ([]byte, error) {
	out, err := appendValue(dst, v, 0)
	if err != nil {
		return dst, err
	}
	return out, nil
}

func appendValue(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case float64:
		return appendFloat(dst, v), nil
	case *big.Int:
		return v.Append(dst, 10), nil
	case json.Number:
		n := len(dst)
		dst = append(dst, v...)
		if scanNumber(dst, n) != len(dst) {
			return nil, fmt.Errorf("%q is not a JSON number", string(v))
		}
		return dst, nil
	case string:
		return AppendString(dst, v), nil
	case []any:
		return appendArray(dst, v, depth)
	case map[string]any:
		return appendObject(dst, v, depth)
	}
	return nil, fmt.Errorf("a value of type %T has no JSON form", v)
}

func appendArray(dst []byte, a []any, depth int) ([]byte, error) {
	if depth == MaxDepth {
		return nil, ErrTooDeep
	}
	dst = append(dst, '[')
	for i, v := range a {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendValue(dst, v, depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func appendObject(dst []byte, m map[string]any, depth int) ([]byte, error) {
	if depth == MaxDepth {
		return nil, ErrTooDeep
	}
	var few [16]string // so that small objects need no allocation
	names := few[:0]
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, name)
		dst = append(dst, ':')
		var err error
		if dst, err = appendValue(dst, m[name], depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// appendFloat appends the shortest text that parses as f, with an exponent where
// ECMAScript has one.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) {
		return append(dst, "null"...)
	}
	f = min(max(f, -math.MaxFloat64), math.MaxFloat64)
	abs := math.Abs(f)
	if abs == 0 || 1e-6 <= abs && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	// strconv writes at least two digits of exponent: e-07 becomes e-7
	if n := len(dst); n >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// AppendString appends s to dst as a JSON string, quotes included, escaped as jq
// does: control characters, DEL, quotes and backslashes; a byte that is not part
// of valid UTF-8 becomes \ufffd.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	dst = AppendText(dst, s)
	return append(dst, '"')
}

// AppendText is AppendString without the quotes. A long string can be written in
// parts, as long as no character is split between two.
func AppendText[T string | []byte](dst []byte, s T) []byte {
	for i := 0; i < len(s); {
		end := verbatimEnd(s, i)
		dst = append(dst, s[i:end]...)
		if end == len(s) {
			break
		}
		dst = appendEscape(dst, s[end])
		i = end + 1
	}
	return dst
}

// verbatimEnd returns the first position from i on whose byte needs an escape, or
// len(s).
func verbatimEnd[T string | []byte](s T, i int) int {
	for i < len(s) {
		if len(s)-i >= stride {
			w := load(s, i)
			m := special(w) | ((w^0x7F*everyByte)-everyByte)&highBits
			if m == 0 {
				i += stride
				continue
			}
			i += bits.TrailingZeros64(m) / 8
		}
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := decodeRune(s, i)
			if r == utf8.RuneError && n == 1 {
				return i
			}
			i += n
			continue
		}
		if !plain(c) || c == 0x7F {
			return i
		}
		i++
	}
	return i
}

// load is binary.LittleEndian.Uint64 for strings too; the compiler turns it into one
// instruction.
func load[T string | []byte](s T, i int) uint64 {
	s = s[i : i+stride]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func decodeRune[T string | []byte](s T, i int) (rune, int) {
	return utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
}

func appendEscape(dst []byte, c byte) []byte {
	if i := strings.IndexByte("\"\\\b\f\n\r\t", c); i >= 0 {
		return append(dst, '\\', `"\bfnrt`[i])
	}
	if c >= utf8.RuneSelf {
		return append(dst, `\ufffd`...)
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xF])
}
