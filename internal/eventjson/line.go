package eventjson

import "bytes"

// AppendLine appends the JSON value in b to dst as one line, and reports whether b is
// one by the rules of Valid; if not, it returns dst unchanged.
//
// The line is b byte for byte, except for raw line breaks: a CR or LF between tokens
// becomes a space, and line breaks at the beginning and end of b are removed, because
// they only terminate the sender's line.
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
