package jq

import (
	"math"

	"github.com/hark-cli/hark/internal/eventjson"
)

// A NativeReason is a Reason for the events of a Set.
type NativeReason struct {
	set   *Set
	terms []nativeTerm
}

type nativeTerm struct {
	holds  evaluator
	value  evaluator // of the path; nil when the term has none
	missed NativeTerm
}

// AddReason returns the evaluator of r, which is that of f; nil when a part of it is
// outside of the subset.
func (s *Set) AddReason(f *Filter, r *Reason) *NativeReason {
	c := nativeCompiler{f: f, set: s}
	s.path(eventjson.Root, "")
	n := &NativeReason{set: s}
	for i := range r.terms {
		t := &r.terms[i]
		holds, ok := c.query(t.query, eventjson.Root)
		if !ok {
			return nil
		}
		term := nativeTerm{holds: holds.eval, missed: NativeTerm{Term: t, set: s}}
		term.missed.want, term.missed.numeric = t.wanted()
		if t.text != "" {
			at := self(eventjson.Root)
			for _, key := range t.path {
				if at, ok = c.step(at, key); !ok {
					return nil
				}
			}
			term.value = at.eval
		}
		n.terms = append(n.terms, term)
	}
	if s.paths.Len() > maxPaths {
		return nil
	}
	return n
}

// Missed returns the term whose path is the reason that the event did not match, for
// which Native.Matches has said that it does not; or nil. It is valid until the next
// call. When ok is false, only Reason.Missed can say it.
func (n *NativeReason) Missed() (t *NativeTerm, ok bool) {
	missed := -1
	for i := range n.terms {
		if len(n.terms) == 1 { // it is the expression
			missed = i
			break
		}
		v, st := n.terms[i].holds.eval(n.set, value{})
		switch {
		case st == unsure:
			return nil, false
		case st == one && v.truth():
			continue
		case missed >= 0:
			return nil, true // not the only one
		}
		missed = i
	}
	if missed < 0 || n.terms[missed].value == nil {
		return nil, true
	}
	m := &n.terms[missed]
	if at, ok := m.value.(path); ok {
		if sp := n.set.paths.Span(int(at)); sp.Kind != 0 { // as nearly always
			m.missed.value.raw, m.missed.value.kind = n.set.data[sp.Start:sp.End], sp.Kind
			return &m.missed, true
		}
	}
	v, st := m.value.eval(n.set, value{})
	switch st {
	case one:
		m.missed.value = v
		return &m.missed, true
	case unsure:
		return nil, false
	}
	return nil, true // there cannot be a value
}

// A NativeTerm is a Term, and the value of its path in the event.
type NativeTerm struct {
	*Term
	set     *Set
	want    float64
	numeric bool // it compares with a number, want
	value   value
}

// Distance returns how far the value is from the number that the term compares with; ok
// is false when it is not a number, or not compared with one.
func (t *NativeTerm) Distance() (d float64, ok bool) {
	if !t.numeric || t.value.kind != eventjson.KindNumber {
		return 0, false
	}
	n, ok := t.value.number()
	if n.isInt {
		n.float = float64(n.int)
	}
	return math.Abs(n.float - t.want), ok
}

// JSON returns the value as jq writes it; ok is false when it has no JSON form. It is
// valid until the next event.
func (t *NativeTerm) JSON() (b []byte, ok bool) {
	start := len(t.set.made)
	if !t.set.render(t.value) {
		return nil, false
	}
	return t.set.made[start:], true
}
