package jq

import (
	"math"

	"github.com/hark-cli/hark/internal/eventjson"
)

// A NativeReason is a Reason for the events of a Set.
type NativeReason struct {
	set    *Set
	reason *Reason
	terms  []nativeTerm
	missed NativeTerm
}

type nativeTerm struct {
	holds evaluator
	value evaluator // of the path; nil when the term has none
}

// AddReason returns the evaluator of r, which is that of f; nil when a part of it is
// outside of the subset.
func (s *Set) AddReason(f *Filter, r *Reason) *NativeReason {
	c := nativeCompiler{f: f, set: s}
	s.path(eventjson.Root, "")
	n := &NativeReason{set: s, reason: r}
	for i := range r.terms {
		t := &r.terms[i]
		holds, ok := c.query(t.query, eventjson.Root)
		if !ok {
			return nil
		}
		term := nativeTerm{holds: holds.eval}
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
	v, st := n.terms[missed].value.eval(n.set, value{})
	switch st {
	case one:
		n.missed = NativeTerm{Term: &n.reason.terms[missed], set: n.set, value: v}
		return &n.missed, true
	case unsure:
		return nil, false
	}
	return nil, true // there cannot be a value
}

// A NativeTerm is a Term, and the value of its path in the event.
type NativeTerm struct {
	*Term
	set   *Set
	value value
}

// Distance returns how far the value is from the number that the term compares with; ok
// is false when it is no number, or not compared with one.
func (t *NativeTerm) Distance() (d float64, ok bool) {
	want, ok := t.wanted()
	if !ok || t.value.kind != eventjson.KindNumber {
		return 0, false
	}
	n, ok := t.value.number()
	if n.isInt {
		n.float = float64(n.int)
	}
	return math.Abs(n.float - want), ok
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
