package eventjson

import (
	"fmt"
	"unicode/utf8"
)

// A SyntaxError reports where and why a text is not JSON by the rules of Valid.
type SyntaxError struct {
	// Offset is the position of the first invalid byte, from 0. It is the length of the
	// text if that ended too early.
	Offset int
	msg    string
}

func (e *SyntaxError) Error() string { return e.msg }

func syntaxError(b []byte, offset int, deep bool) *SyntaxError {
	e := &SyntaxError{Offset: offset}
	switch {
	case offset >= len(b):
		e.msg = "unexpected end of JSON"
	case deep:
		e.msg = fmt.Sprintf("nested deeper than %d levels", MaxDepth)
	default:
		r, n := utf8.DecodeRune(b[offset:])
		if r == utf8.RuneError && n == 1 {
			e.msg = fmt.Sprintf("invalid UTF-8 byte 0x%02x in JSON", b[offset])
		} else {
			e.msg = fmt.Sprintf("unexpected character %q in JSON", r)
		}
	}
	return e
}
