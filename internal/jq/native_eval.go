package jq

import (
	"bytes"
	"cmp"
	"strconv"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/eventjson"
)

// The parts of an expression.
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
	holds, st := e.test(s)
	return boolean(holds), st
}

// test implements tester.
func (e *pathComparison) test(s *Set) (holds bool, st status) {
	sp := s.paths.Span(int(e.path))
	var order int
	switch {
	case sp.Kind == 0:
		v, st := e.comparison.eval(s, value{})
		return v.truth(), st
	case sp.Kind != e.with.kind:
		order = cmp.Compare(sp.Kind, e.with.kind)
	case sp.Kind == eventjson.KindNumber:
		n, ok := parseNumber(s.data[sp.Start:sp.End])
		if !ok {
			return false, unsure
		}
		order = n.compare(e.with.constant.num)
	case sp.Kind == eventjson.KindString:
		text := s.data[sp.Start+1 : sp.End-1]
		if bytes.IndexByte(text, '\\') >= 0 {
			v, st := e.comparison.eval(s, value{})
			return v.truth(), st
		}
		order = bytes.Compare(text, e.with.constant.text)
	}
	return e.holds.has(order), one
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
