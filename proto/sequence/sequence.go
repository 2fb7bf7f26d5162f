// Package sequence follows the numbers of events, which rise by one, and finds out which
// are missing, have come again, or have come late. It has no connection and no clock.
package sequence

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
)

// A Number is the number of an event.
type Number struct {
	// By names its sequence, such as a symbol; "" if there is only one.
	By    string
	Value int64
}

// A Kind is how a number relates to those before it in its sequence.
type Kind int

const (
	// InOrder: it is the next one, or the first.
	InOrder Kind = iota
	// Hole: numbers are missing before it.
	Hole
	// Late: it was missing in the last hole.
	Late
	// Repeat: it is the same as the last one.
	Repeat
	// StepBack: it is lower than the last one.
	StepBack
)

var kinds = []string{InOrder: "in-order", Hole: "hole", Late: "late", Repeat: "repeat", StepBack: "step-back"}

// String returns its name in status records.
func (k Kind) String() string { return kinds[k] }

// A Finding is what a number tells about its sequence.
type Finding struct {
	Kind Kind
	By   string
	// After is the highest number before it, or the last one after a step back; Number is
	// its own.
	After, Number int64
	// Missing is how many numbers are between them. It is 0 unless Kind is Hole.
	Missing uint64
	// Since is when After came.
	Since time.Time
	// Across: the connection was lost between them.
	Across bool
}

// Max is how many sequences a Tracker follows. Beyond that, it forgets the one whose last
// event is the longest ago.
const Max = 10_000

// maxName is the longest name of a sequence that is kept, in bytes; a longer one is kept
// as its hash.
const maxName = 256

// A Tracker follows sequences. The zero value follows none yet.
type Tracker struct {
	known     map[string]*list.Element
	recent    list.List // of *state, the least recent first
	epoch     int       // counts the interruptions
	awaited   int       // sequences without a number since the last one
	forgotten int       // in all
}

// A state is one sequence.
type state struct {
	key       string
	last      int64
	at        time.Time
	low, high int64 // the last hole; low is above high if there is none
	epoch     int
}

// Next takes the number of the next event, which came at a time. The first number of a
// sequence is InOrder.
func (t *Tracker) Next(n Number, at time.Time) Finding {
	key := n.By
	if len(key) > maxName {
		sum := sha256.Sum256([]byte(key))
		key = "sha256 " + hex.EncodeToString(sum[:])
	}
	e := t.known[key]
	if e == nil {
		t.add(&state{key: key, last: n.Value, at: at, low: 1, epoch: t.epoch})
		return Finding{By: n.By, Number: n.Value}
	}
	t.recent.MoveToBack(e)
	s := e.Value.(*state)
	f := Finding{By: n.By, After: s.last, Number: n.Value, Since: s.at, Across: s.epoch != t.epoch}
	if f.Across {
		s.epoch = t.epoch
		t.awaited--
	}
	switch {
	case n.Value > s.last:
		if f.Missing = uint64(n.Value) - uint64(s.last) - 1; f.Missing > 0 {
			f.Kind = Hole
			s.low, s.high = s.last+1, n.Value-1
		}
	case n.Value == s.last:
		f.Kind = Repeat
		return f
	case !f.Across && n.Value >= s.low && n.Value <= s.high:
		f.Kind = Late
		return f
	default:
		f.Kind = StepBack
		s.low, s.high = 1, 0
	}
	s.last, s.at = n.Value, at
	return f
}

// add adds a sequence, and forgets one if there are too many.
func (t *Tracker) add(s *state) {
	if t.known == nil {
		t.known = make(map[string]*list.Element)
	}
	if len(t.known) >= Max {
		oldest := t.recent.Front()
		gone := t.recent.Remove(oldest).(*state)
		delete(t.known, gone.key)
		t.forgotten++
		if gone.epoch != t.epoch {
			t.awaited--
		}
	}
	t.known[s.key] = t.recent.PushBack(s)
}

// Interrupt is called when a connection is lost: the next number of each sequence tells
// what was missed.
func (t *Tracker) Interrupt() {
	t.epoch++
	t.awaited = len(t.known)
}

// Sequences returns how many sequences are followed.
func (t *Tracker) Sequences() int { return len(t.known) }

// Awaited returns how many of them have had no number since Interrupt.
func (t *Tracker) Awaited() int { return t.awaited }

// Forgotten returns how many sequences were forgotten.
func (t *Tracker) Forgotten() int { return t.forgotten }

// ValueOf returns the number that a value of jq is; ok is false if it is not an integer
// of 64 bits.
func ValueOf(v any) (n int64, ok bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<63
	case *big.Int:
		return v.Int64(), v.IsInt64()
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n, true
		}
		f, err := v.Float64()
		return int64(f), err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<63
	}
	return 0, false
}

// NameOf returns the name of a sequence that a value of jq gives it: a string is as it
// is, anything else as JSON.
func NameOf(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int, float64, json.Number:
		if n, ok := ValueOf(v); ok { // 1 and 1.0
			return strconv.FormatInt(n, 10), nil
		}
	}
	b, err := eventjson.AppendValue(nil, v)
	return string(b), err
}
