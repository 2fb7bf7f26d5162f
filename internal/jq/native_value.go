package jq

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"

	"github.com/hark-cli/hark/internal/eventjson"
)

// A value is one of the event, or one that an expression has made.
type value struct {
	raw  []byte // its JSON
	kind eventjson.Kind
	root bool // it is the event
	made bool // an array or object that the expression has made, and its JSON is jq's
	// constant is what else is known of a scalar of the expression; nil for others.
	constant *constantValue
}

type constantValue struct {
	text []byte   // of a string
	num  number64 // of a number
}

func (v *value) truth() bool { return v.kind > eventjson.KindFalse }

var (
	trueValue  = value{raw: []byte("true"), kind: eventjson.KindTrue}
	falseValue = value{raw: []byte("false"), kind: eventjson.KindFalse}
	nullValue  = value{raw: []byte("null"), kind: eventjson.KindNull}
)

func boolean(b bool) value {
	if b {
		return trueValue
	}
	return falseValue
}

// canonical reports whether the JSON of v is what jq writes.
func (v *value) canonical() bool {
	switch {
	case v.made || v.constant != nil:
		return true
	case v.kind == eventjson.KindString:
		return bytes.IndexByte(v.raw, '\\') < 0 && bytes.IndexByte(v.raw, 0x7F) < 0
	}
	return v.kind < eventjson.KindString
}

// render adds v to what is made, as jq writes it.
func (s *Set) render(v value) bool {
	switch {
	case v.canonical():
		s.made = append(s.made, v.raw...)
	case v.kind == eventjson.KindString:
		start := len(s.made)
		s.made = eventjson.AppendUnescaped(s.made, v.raw[1:len(v.raw)-1])
		end := len(s.made)
		s.made = eventjson.AppendString(s.made, s.made[start:end:end])
		s.made = append(s.made[:start], s.made[end:]...)
	default:
		decoded, err := s.dec.Decode(v.raw)
		if err != nil {
			return false
		}
		if s.made, err = eventjson.AppendValue(s.made, decoded); err != nil {
			return false
		}
	}
	return true
}

// text is the text of a string.
func (s *Set) text(v *value) []byte {
	if v.constant != nil {
		return v.constant.text
	}
	t := v.raw[1 : len(v.raw)-1]
	if bytes.IndexByte(t, '\\') < 0 {
		return t
	}
	start := len(s.made)
	s.made = eventjson.AppendUnescaped(s.made, t)
	return s.made[start:len(s.made):len(s.made)]
}

// orders is a set of results of a comparison.
type orders uint8

const (
	less orders = 1 << iota
	equal
	greater
)

func (o orders) has(order int) bool { return o&(equal>>1<<(order+1)) != 0 }

// compare is gojq.Compare; ok is false when only gojq can say it.
func (s *Set) compare(a, b *value) (order int, ok bool) {
	if a.kind != b.kind {
		return cmp.Compare(a.kind, b.kind), true
	}
	switch a.kind {
	case eventjson.KindNumber:
		l, ok := a.number()
		r, both := b.number()
		if !ok || !both {
			return 0, false
		}
		return l.compare(r), true
	case eventjson.KindString:
		return bytes.Compare(s.text(a), s.text(b)), true
	case eventjson.KindArray, eventjson.KindObject:
		return s.compareLarge(a, b)
	}
	return 0, true
}

// compareLarge compares arrays and objects.
func (s *Set) compareLarge(a, b *value) (order int, ok bool) {
	if a.made || b.made {
		return 0, false // numbers may have been others before they were written
	}
	var other eventjson.Decoder
	l, err := s.dec.Decode(a.raw)
	if err != nil {
		return 0, false
	}
	r, err := other.Decode(b.raw)
	if err != nil {
		return 0, false
	}
	return gojq.Compare(l, r), true
}

// A number64 is a number as gojq compares it: an int, or a float64.
type number64 struct {
	int   int
	float float64
	isInt bool
}

func (v *value) number() (number64, bool) {
	if v.constant != nil {
		return v.constant.num, true
	}
	return parseNumber(v.raw)
}

// exactDigits is how many decimal digits every integer has that is exact as a float64,
// and tens are the powers of ten that are; the quotient of two such ones is the nearest
// to the true one.
const exactDigits = 15

var tens = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// parseNumber returns the value of a JSON number. ok is false when it is neither an
// int nor a float64: it has too many digits.
func parseNumber(raw []byte) (n number64, ok bool) {
	digits := raw
	if raw[0] == '-' {
		digits = raw[1:]
	}
	if len(digits) <= exactDigits+1 {
		i, point := 0, -1
		for at, c := range digits {
			if c -= '0'; c <= 9 {
				i = i*10 + int(c)
			} else if digits[at] == '.' {
				point = at
			} else {
				return parseFloat(raw)
			}
		}
		if len(digits) < len(raw) {
			i = -i
		}
		switch {
		case point < 0:
			return number64{int: i, isInt: true}, true
		case i != 0: // there is a -0.0
			return number64{float: float64(i) / tens[len(digits)-1-point]}, true
		}
	}
	return parseFloat(raw)
}

func parseFloat(raw []byte) (n number64, ok bool) {
	text := string(raw)
	if !strings.ContainsAny(text, ".eE") {
		i, err := strconv.Atoi(text)
		return number64{int: i, isInt: true}, err == nil
	}
	f, err := strconv.ParseFloat(text, 64)
	return number64{float: f}, err == nil
}

func (n number64) compare(m number64) int {
	if n.isInt && m.isInt {
		return cmp.Compare(n.int, m.int)
	}
	l, r := n.float, m.float
	if n.isInt {
		l = float64(n.int)
	}
	if m.isInt {
		r = float64(m.int)
	}
	return cmp.Compare(l, r)
}
