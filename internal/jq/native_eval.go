package jq

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"
	"unicode/utf8"

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

type (
	path     int // of the event
	current  struct{}
	constant struct{ v value }
	nothing  struct{}

	pipe        struct{ left, right evaluator }
	attempt     struct{ body evaluator }
	selection   struct{ cond, of evaluator }
	negation    struct{ of evaluator }
	length      struct{ of evaluator }
	typeOf      struct{ of evaluator }
	alternative struct{ left, right evaluator }
	branch      struct{ cond, then, other evaluator }
	arrayOf     struct{ elements []evaluator }

	member struct {
		of   evaluator
		name string
	}
	element struct {
		of    evaluator
		index int
	}
	logic struct {
		left, right evaluator
		or          bool
	}
	comparison struct {
		left, right evaluator
		holds       orders
	}
	// pathComparison is a comparison of a path with a constant.
	pathComparison struct {
		comparison
		path path
		with value
	}
	textTest struct {
		of    evaluator
		holds func(text []byte) bool
	}
	objectOf struct {
		values  []evaluator  // in the order of the expression
		members []namedValue // in that of the result
	}
	namedValue struct {
		name  []byte // as JSON, with the colon
		value int
	}
)

func (p path) eval(s *Set, _ value) (value, status) {
	sp := s.paths.Span(int(p))
	if sp.Kind != 0 {
		return value{raw: s.data[sp.Start:sp.End], kind: sp.Kind, root: p == eventjson.Root}, one
	}
	for up := s.up[p]; ; up = s.up[up] {
		switch s.paths.Span(up).Kind {
		case 0:
		case eventjson.KindNull, eventjson.KindObject:
			return nullValue, one
		default:
			return value{}, failed // it has no members
		}
	}
}

func (current) eval(_ *Set, in value) (value, status) { return in, one }
func (k constant) eval(*Set, value) (value, status)   { return k.v, one }
func (nothing) eval(*Set, value) (value, status)      { return value{}, none }
func (e *negation) eval(s *Set, in value) (value, status) {
	v, st := e.of.eval(s, in)
	return boolean(!v.truth()), st
}

func (e *pipe) eval(s *Set, in value) (value, status) {
	v, st := e.left.eval(s, in)
	if st != one {
		return value{}, st
	}
	return e.right.eval(s, v)
}

func (e *attempt) eval(s *Set, in value) (value, status) {
	v, st := e.body.eval(s, in)
	if st == failed {
		st = none
	}
	return v, st
}

func (e *selection) eval(s *Set, in value) (value, status) {
	v, st := e.cond.eval(s, in)
	if st != one {
		return value{}, st
	}
	if !v.truth() {
		return value{}, none
	}
	return e.of.eval(s, in)
}

func (e *alternative) eval(s *Set, in value) (value, status) {
	v, st := e.left.eval(s, in)
	if st > none || st == one && v.truth() {
		return v, st
	}
	return e.right.eval(s, in)
}

func (e *branch) eval(s *Set, in value) (value, status) {
	v, st := e.cond.eval(s, in)
	switch {
	case st != one:
		return value{}, st
	case v.truth():
		return e.then.eval(s, in)
	}
	return e.other.eval(s, in)
}

func (e *logic) eval(s *Set, in value) (value, status) {
	v, st := e.left.eval(s, in)
	switch {
	case st != one:
		return value{}, st
	case v.truth() == e.or:
		return boolean(e.or), one
	}
	v, st = e.right.eval(s, in)
	return boolean(v.truth()), st
}

func (e *comparison) eval(s *Set, in value) (value, status) {
	r, st := e.right.eval(s, in) // first, as in gojq
	if st != one {
		return value{}, st
	}
	l, st := e.left.eval(s, in)
	if st != one {
		return value{}, st
	}
	order, ok := s.compare(&l, &r)
	if !ok {
		return value{}, unsure
	}
	return boolean(e.holds.has(order)), one
}

func (e *pathComparison) eval(s *Set, in value) (value, status) {
	sp := s.paths.Span(int(e.path))
	var order int
	switch {
	case sp.Kind == 0:
		return e.comparison.eval(s, in)
	case sp.Kind != e.with.kind:
		order = cmp.Compare(sp.Kind, e.with.kind)
	case sp.Kind == eventjson.KindNumber:
		n, ok := parseNumber(s.data[sp.Start:sp.End])
		if !ok {
			return value{}, unsure
		}
		order = n.compare(e.with.constant.num)
	case sp.Kind == eventjson.KindString:
		text := s.data[sp.Start+1 : sp.End-1]
		if bytes.IndexByte(text, '\\') >= 0 {
			return e.comparison.eval(s, in)
		}
		order = bytes.Compare(text, e.with.constant.text)
	}
	return boolean(e.holds.has(order)), one
}

func (e *textTest) eval(s *Set, in value) (value, status) {
	v, st := e.of.eval(s, in)
	if st != one {
		return value{}, st
	}
	if v.kind != eventjson.KindString {
		return value{}, failed
	}
	return boolean(e.holds(s.text(&v))), one
}

var typeNames = [...]value{
	eventjson.KindNull: typeText("null"), eventjson.KindFalse: typeText("boolean"), eventjson.KindTrue: typeText("boolean"),
	eventjson.KindNumber: typeText("number"), eventjson.KindString: typeText("string"),
	eventjson.KindArray: typeText("array"), eventjson.KindObject: typeText("object"),
}

func typeText(name string) value {
	return value{raw: []byte(`"` + name + `"`), kind: eventjson.KindString}
}

func (e *typeOf) eval(s *Set, in value) (value, status) {
	v, st := e.of.eval(s, in)
	if st != one {
		return value{}, st
	}
	return typeNames[v.kind], one
}

func (e *length) eval(s *Set, in value) (value, status) {
	v, st := e.of.eval(s, in)
	if st != one {
		return value{}, st
	}
	n := 0
	switch v.kind {
	case eventjson.KindNull:
	case eventjson.KindNumber:
		return value{raw: bytes.TrimPrefix(v.raw, []byte("-")), kind: v.kind}, one
	case eventjson.KindString:
		n = utf8.RuneCount(s.text(&v))
	case eventjson.KindArray:
		eventjson.Elements(v.raw, func([]byte) bool { n++; return true })
	case eventjson.KindObject:
		object, err := s.dec.Decode(v.raw) // names may stand in it twice
		if err != nil {
			return value{}, unsure
		}
		n = len(object.(map[string]any))
	default:
		return value{}, failed
	}
	start := len(s.made)
	s.made = strconv.AppendInt(s.made, int64(n), 10)
	return value{raw: s.made[start:], kind: eventjson.KindNumber}, one
}

func (e *member) eval(s *Set, in value) (value, status) {
	v, st := e.of.eval(s, in)
	switch {
	case st != one:
		return value{}, st
	case v.kind == eventjson.KindNull:
		return nullValue, one
	case v.made:
		return value{}, unsure
	case v.kind != eventjson.KindObject:
		return value{}, failed
	}
	out := nullValue
	eventjson.Members(v.raw, func(name, raw []byte) bool {
		if bytes.IndexByte(name, '\\') >= 0 {
			start := len(s.made)
			s.made = eventjson.AppendUnescaped(s.made, name)
			name = s.made[start:]
		}
		if string(name) == e.name {
			out = value{raw: raw, kind: eventjson.KindOf(raw)}
		}
		return true
	})
	return out, one
}

func (e *element) eval(s *Set, in value) (value, status) {
	v, st := e.of.eval(s, in)
	switch {
	case st != one:
		return value{}, st
	case v.kind == eventjson.KindNull:
		return nullValue, one
	case v.made || v.kind == eventjson.KindString:
		return value{}, unsure
	case v.kind != eventjson.KindArray:
		return value{}, failed
	}
	out, left := nullValue, e.index
	eventjson.Elements(v.raw, func(raw []byte) bool {
		if left == 0 {
			out = value{raw: raw, kind: eventjson.KindOf(raw)}
		}
		left--
		return left >= 0
	})
	return out, one
}

func (e *arrayOf) eval(s *Set, in value) (value, status) {
	var few [8]value
	values := few[:0]
	for _, x := range e.elements {
		v, st := x.eval(s, in)
		if st > none {
			return value{}, st
		}
		if st == one {
			values = append(values, v)
		}
	}
	start := len(s.made)
	s.made = append(s.made, '[')
	for i, v := range values {
		if i > 0 {
			s.made = append(s.made, ',')
		}
		if !s.render(v) {
			return value{}, unsure
		}
	}
	s.made = append(s.made, ']')
	return value{raw: s.made[start:], kind: eventjson.KindArray, made: true}, one
}

func (e *objectOf) eval(s *Set, in value) (value, status) {
	var few [8]value
	values := few[:0]
	for _, x := range e.values {
		v, st := x.eval(s, in)
		if st != one {
			return value{}, st
		}
		values = append(values, v)
	}
	start := len(s.made)
	s.made = append(s.made, '{')
	for i, m := range e.members {
		if i > 0 {
			s.made = append(s.made, ',')
		}
		s.made = append(s.made, m.name...)
		if !s.render(values[m.value]) {
			return value{}, unsure
		}
	}
	s.made = append(s.made, '}')
	return value{raw: s.made[start:], kind: eventjson.KindObject, made: true}, one
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
