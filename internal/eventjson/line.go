package eventjson

import "bytes"

// AppendLine appends the JSON value in b to dst so that it takes one line, and
// reports whether b is one by the rules of Scan; if not, dst comes back as it was.
//
// What is on the line is b byte for byte, with two exceptions that touch raw
// line breaks alone: a CR or LF between tokens becomes a space, and line breaks
// at the very beginning and end of b are left out. The latter are not between
// tokens: they end the sender's line, as the line that the caller makes of it
// will be ended, and a trailing space in their place would serve nobody.
func AppendLine(dst, b []byte) (out []byte, ok bool) {
	ok, breaks := Valid(b)
	if !ok {
		return dst, false
	}
	if !breaks {
		return append(dst, b...), true
	}
	n := len(dst)
	dst = append(dst, TrimBreaks(b)...)
	FoldBreaks(dst[n:])
	return dst, true
}

// TrimBreaks returns b without the CR and LF bytes at its beginning and end.
func TrimBreaks(b []byte) []byte { return bytes.Trim(b, "\r\n") }

// FoldBreaks replaces each CR and LF in b by a space. In valid JSON, or any part
// of it, this changes insignificant white space only.
func FoldBreaks(b []byte) {
	for _, c := range []byte("\r\n") {
		rest := b
		for {
			i := bytes.IndexByte(rest, c)
			if i < 0 {
				break
			}
			rest[i] = ' '
			rest = rest[i+1:]
		}
	}
}
