package eventjson

import (
	"encoding/base64"
	"unicode/utf8"
)

// A Form says how bytes stand in a JSON value.
type Form int

const (
	// Quoted: as in AppendText.
	Quoted Form = iota
	// Base64: in the standard alphabet, with padding (RFC 4648, section 4).
	Base64
	// Verbatim: they are JSON already.
	Verbatim
)

// A Tail is what has still to be appended to an unfinished JSON value: bytes in a
// form, then End. A long value can so be written piece by piece, and need not be
// held as a whole in its form, which may take six times the room. The zero value is
// nothing.
type Tail struct {
	Data []byte
	Form Form
	End  string
}

// short is the length of the data, in bytes, up to which pieces are not worth their
// trouble.
const short = 4 << 10

// piece is how much of the data goes into a piece at least, in bytes, unless it is
// the last one.
const piece = 1 << 10

// Finish appends all of r to dst when it is short. Otherwise dst and r come back as
// they are, and r is not done.
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

// Append appends a piece of r to dst that takes room bytes at most, and takes it
// from r. It appends nothing when not even a small piece is sure to have room, which
// it has in 8 KiB.
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

// most is how many bytes of data are sure to have room.
func (f Form) most(room int) int {
	switch f {
	case Quoted:
		return room / len(`\u0000`)
	case Base64:
		return room / 4 * 3
	}
	return room
}

// cut is where to cut the data, at most n bytes in, so that the forms of both parts
// are that of the whole.
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

// CutText returns where to cut b, at most n bytes in, so that no character is cut in
// two.
func CutText[T string | []byte](b T, n int) int {
	if len(b) <= n {
		return len(b)
	}
	for i := n; i > max(n-utf8.UTFMax, 0); i-- {
		if utf8.RuneStart(b[i]) {
			return i
		}
	}
	return max(n, 0) // that is no UTF-8 anyway
}
