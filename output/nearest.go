package output

import (
	"errors"

	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
)

// maxNear is how long a value may be that is kept, in bytes.
const maxNear = 200

// A nearest keeps the value that came nearest.
type nearest struct {
	term     *jq.Term
	value    []byte
	number   bool
	distance float64
}

// note takes the value of the path of t, which was the reason. A number beats what
// is none when the comparison is with a number.
func (n *nearest) note(t *jq.Term, v any, redact func([]byte) []byte) {
	v, ok := t.Value(v)
	if !ok {
		return
	}
	distance, isNumber := t.Distance(v)
	if n.number && (!isNumber || distance >= n.distance) {
		return
	}
	if eventjson.Check(v) != nil {
		return
	}
	value, _ := eventjson.StreamValue(n.value[:0], v, func(b []byte) ([]byte, error) {
		if len(b) > maxNear+maxRedacted {
			return b, errEnough
		}
		return b, nil
	})
	n.term, n.value, n.number, n.distance = t, value, isNumber, distance
	if len(value) > maxNear {
		n.value = append([]byte(nil), cutText(redact(value), maxNear)...)
	}
}

// errEnough ends the making of a value of which only the start is wanted.
var errEnough = errors.New("enough")

func (n *nearest) result() Near {
	if n.term == nil {
		return Near{}
	}
	return Near{Path: n.term.Path(), Value: console.Brief(string(n.value)), Nearest: n.number}
}
