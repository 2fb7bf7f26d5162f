package output

import (
	"errors"

	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
)

// maxNear is how long a value may be that is kept, in bytes.
const maxNear = 200

// A nearest keeps the value that came nearest. A candidate is found first, and then
// taken note of, because what finds it may take long.
type nearest struct {
	term     *jq.Term
	value    []byte
	number   bool
	distance float64

	candidate candidate
}

// A candidate is the value of a path that was the reason why an event did not match.
type candidate struct {
	term     *jq.Term // nil when there is none
	number   bool
	distance float64        // of a number from the one that was asked for
	native   *jq.NativeTerm // the term, if it was evaluated natively
	value    any            // otherwise
}

// native makes a candidate of a term which was evaluated natively, if there is one.
func (n *nearest) native(t *jq.NativeTerm) {
	if c := &n.candidate; t != nil {
		c.term, c.native = t.Term, t
		c.distance, c.number = t.Distance()
	}
}

// decoded makes a candidate of the value of t in v, if there is one.
func (n *nearest) decoded(t *jq.Term, v any) {
	if t == nil {
		return
	}
	if v, ok := t.Value(v); ok {
		n.candidate = candidate{term: t, value: v}
		n.candidate.distance, n.candidate.number = t.Distance(v)
	}
}

// note takes the candidate, if there is one. A number beats what is none when the
// comparison is with a number.
func (n *nearest) note(redact func([]byte) []byte) {
	c := &n.candidate
	if c.term == nil {
		return
	}
	if !n.number || c.number && c.distance < n.distance {
		if value, ok := c.json(n.value[:0]); ok {
			n.term, n.value, n.number, n.distance = c.term, value, c.number, c.distance
			if len(value) > maxNear {
				n.value = append([]byte(nil), cutText(redact(value), maxNear)...)
			}
		}
	}
	c.term, c.native, c.value = nil, nil, nil
}

// json appends the value, or at least its start, as JSON; ok is false when it has none.
func (c *candidate) json(dst []byte) (out []byte, ok bool) {
	if c.native != nil {
		b, ok := c.native.JSON()
		return append(dst, b...), ok
	}
	if eventjson.Check(c.value) != nil {
		return dst, false
	}
	out, _ = eventjson.StreamValue(dst, c.value, func(b []byte) ([]byte, error) {
		if len(b) > maxNear+maxRedacted {
			return b, errEnough
		}
		return b, nil
	})
	return out, true
}

// errEnough ends the making of a value of which only the start is wanted.
var errEnough = errors.New("enough")

func (n *nearest) result() Near {
	if n.term == nil {
		return Near{}
	}
	return Near{Path: n.term.Path(), Value: console.Brief(string(n.value)), Nearest: n.number}
}
