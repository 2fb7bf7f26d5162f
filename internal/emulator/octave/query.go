package octave

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/octave/wire"
)

// An object is an event, a stream or a device, for filter and sort.
type object map[string]any

// member returns a member by a dotted path; the prefix elems. is optional.
func (o object) member(path string) (any, bool) {
	if v, ok := dotted(map[string]any(o), path); ok {
		return v, true
	}
	return dotted(o["elems"], path)
}

func dotted(v any, path string) (any, bool) {
	for name := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[name]; !ok {
			return nil, false
		}
	}
	return v, true
}

// compareValues compares two values of the same type; ok is false if they cannot be
// compared.
func compareValues(a, b any) (n int, ok bool) {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return compareNumbers(a, b), ok
	case string:
		b, ok := b.(string)
		return strings.Compare(a, b), ok
	case bool:
		b, ok := b.(bool)
		if ok && a == b {
			return 0, true
		}
		return 1, false
	case nil:
		return 0, b == nil
	}
	return 0, false
}

// compareNumbers compares without loss: integers beyond 2^53 occur.
func compareNumbers(a, b json.Number) int {
	i, errA := a.Int64()
	j, errB := b.Int64()
	if errA == nil && errB == nil {
		return cmp.Compare(i, j)
	}
	x, _, errA := big.ParseFloat(a.String(), 10, 256, big.ToNearestEven)
	y, _, errB := big.ParseFloat(b.String(), 10, 256, big.ToNearestEven)
	if errA != nil || errB != nil {
		return cmp.Compare(a.String(), b.String())
	}
	return x.Cmp(y)
}

// A query has the query parameters of a listing (Octave documentation,
// "Octave.Event.find").
type query struct {
	filter       filter
	start, limit int
	sort         string
	descending   bool
	only         []string
}

func parseQuery(q url.Values) (query, error) {
	o := query{limit: wire.Limit, sort: "creationDate", descending: true}
	for _, n := range []struct {
		name string
		to   *int
	}{{"start", &o.start}, {"limit", &o.limit}} {
		if text := q.Get(n.name); text != "" {
			v, err := strconv.ParseUint(text, 10, 31)
			if err != nil {
				return o, fmt.Errorf("%s: %q is not a number", n.name, text)
			}
			*n.to = int(v)
		}
	}
	switch order := q.Get("order"); order {
	case "", "desc":
	case "asc":
		o.descending = false
	default:
		return o, fmt.Errorf("order: %q is neither asc nor desc", order)
	}
	if s := q.Get("sort"); s != "" {
		o.sort = s
	}
	if only := q.Get("only"); only != "" {
		o.only = strings.Split(only, ",")
	}
	var err error
	o.filter, err = parseFilter(q.Get("filter"))
	return o, err
}

// apply filters, sorts and pages objects, which are ordered from the oldest. Objects
// without the member to sort by are first in ascending order.
func (q query) apply(all []json.RawMessage) ([]json.RawMessage, error) {
	type row struct {
		object object
		text   json.RawMessage
	}
	rows := make([]row, 0, len(all))
	for _, text := range all {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var o object
		if err := d.Decode(&o); err != nil {
			return nil, err
		}
		if q.filter(o) {
			rows = append(rows, row{o, text})
		}
	}
	if q.descending {
		slices.Reverse(rows)
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		v, okA := a.object.member(q.sort)
		w, okB := b.object.member(q.sort)
		n, ok := compareValues(v, w)
		if !okA || !okB || !ok {
			n = rank(v, okA) - rank(w, okB)
		}
		if q.descending {
			n = -n
		}
		return n
	})
	rows = rows[min(q.start, len(rows)):]
	rows = rows[:min(q.limit, len(rows))]
	texts := make([]json.RawMessage, len(rows))
	for i, r := range rows {
		texts[i] = r.text
		if len(q.only) > 0 {
			texts[i] = r.object.pick(q.only)
		}
	}
	return texts, nil
}

// rank orders values of different types.
func rank(v any, ok bool) int {
	switch v.(type) {
	case nil:
		if ok {
			return 1
		}
		return 0
	case bool:
		return 2
	case json.Number:
		return 3
	case string:
		return 4
	}
	return 5
}

// pick returns the object with only the named members.
func (o object) pick(names []string) json.RawMessage {
	picked := make(map[string]any)
	for _, path := range names {
		v, ok := dotted(map[string]any(o), path)
		if !ok {
			continue
		}
		at := picked
		parts := strings.Split(path, ".")
		for _, part := range parts[:len(parts)-1] {
			next, ok := at[part].(map[string]any)
			if !ok {
				next = make(map[string]any)
				at[part] = next
			}
			at = next
		}
		at[parts[len(parts)-1]] = v
	}
	return emulator.MustJSON(picked)
}
