package eventjson

import (
	"encoding/base64"
	"unicode/utf8"
)

// A Form is the encoding of bytes in a JSON value.
type Form int

const (
	// Quoted: as by AppendText.
	Quoted Form = iota
	// Base64: in the standard alphabet, with padding (RFC 4648, section 4).
	Base64
	// Verbatim: they are JSON already.
	Verbatim
)

// A Tail is the rest of an unfinished JSON value: bytes in a form, then End. A long
// value can thus be written in pieces, without having all of its encoding in memory,
// which may be six times as large. The zero value is empty.
type Tail struct {
	Data []byte
	Form Form
	End  string
}

// short is the length of the data, in bytes, up to which it is not split into pieces.
const short = 4 << 10

// piece is the minimum size of the data in a piece, in bytes, unless it is the last
// one.
const piece = 1 << 10

// Finish appends all of r to dst if it is short. Otherwise it returns dst and r
// unchanged, and r is not done.
func (r Tail) Finish(dst []byte) ([]byte, Tail) {
	if len(r.Data) > short {
		return dst, r
	}
	return r.AppendAll(dst), Tail{}
}

// Done reports whether nothing is left.
func (r *Tail) Done() bool { return len(r.Data) == 0 && r.End == "" }

// Len is how many bytes AppendAll would append.
func (r Tail) Len() int {
	n := len(r.End)
	switch r.Form {
	case Verbatim:
		return n + len(r.Data)
	case Base64:
		return n + base64.StdEncoding.EncodedLen(len(r.Data))
	}
	var buf [short * len(`\u0000`)]byte
	for b := r.Data; len(b) > 0; {
		part := b[:CutText(b, short)]
		n += len(AppendText(buf[:0], part))
		b = b[len(part):]
	}
	return n
}

// AppendAll appends all of r to dst.
func (r Tail) AppendAll(dst []byte) []byte {
	return append(r.data(dst, r.Data), r.End...)
}

// Append appends a piece of r of at most room bytes to dst, and removes it from r. It
// appends nothing if a small piece might not fit; 8 KiB are always enough.
func (r *Tail) Append(dst []byte, room int) []byte {
	if room -= len(r.End); room < 0 {
		return dst
	}
	n := len(r.Data)
	if most := r.Form.most(room); n > most {
		if n = r.cut(most); n < piece {
			return dst
		}
	}
	dst = r.data(dst, r.Data[:n])
	if r.Data = r.Data[n:]; len(r.Data) == 0 {
		dst = append(dst, r.End...)
		*r = Tail{}
	}
	return dst
}

// most returns how many bytes of data certainly fit.
func (f Form) most(room int) int {
	switch f {
	case Quoted:
		return room / len(`\u0000`)
	case Base64:
		return room / 4 * 3
	}
	return room
}

// cut returns where to split the data, after at most n bytes, so that both parts have
// the form of the whole.
func (r *Tail) cut(n int) int {
	switch r.Form {
	case Base64:
		return n - n%3
	}
	return CutText(r.Data, n)
}

func (r *Tail) data(dst, b []byte) []byte {
	switch r.Form {
	case Quoted:
		return AppendText(dst, b)
	case Base64:
		return base64.StdEncoding.AppendEncode(dst, b)
	}
	return append(dst, b...)
}

// CutText returns where to split b, after at most n bytes, so that no character is
// split.
func CutText[T string | []byte](b T, n int) int {
	if len(b) <= n {
		return len(b)
	}
	for i := n; i > max(n-utf8.UTFMax, 0); i-- {
		if utf8.RuneStart(b[i]) {
			return i
		}
	}
	return max(n, 0) // it is not UTF-8 anyway
}
