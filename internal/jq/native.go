package jq

import "github.com/hark-cli/hark/internal/eventjson"

// Most expressions ask for a few members, compare them and put them into an object. Such
// ones are evaluated on the bytes of an event: one pass finds the members that all
// expressions ask for, and no values are made of them. What comes out is what gojq
// makes, byte for byte; FuzzNative compares them. Where an expression fails, and where
// this evaluator is not sure, gojq evaluates it anew for that event, and says what is
// wrong.
//
// The subset is: paths of names and of indexes from the start, select, comparisons, and,
// or, not, //, ?, try, if, literals, variables of the command line, objects and arrays
// made of these, commas at the top of the expression or of an array, pipes, empty,
// length, type, test, startswith, endswith and contains with constants. So each part of
// it has at most one output.

// A Set is expressions that are evaluated together on one event after another, each
// of them by a Native. It is for one goroutine. The zero value is ready.
type Set struct {
	paths eventjson.Paths
	up    []int // the parent of each path
	data  []byte
	made  []byte // what was made of the current event
	dec   eventjson.Decoder
	outs  []Output
}

// MaxNative is the size of the largest event that a Set takes, in bytes. For larger ones
// the memory that values take is to be watched, as gojq's is.
const MaxNative = 256 << 10

// maxPaths is how many paths a Set looks for at most.
const maxPaths = 32

// Load takes the next event. ok is false when data is not a JSON object or too large;
// nothing can be asked then. breaks reports whether a raw CR or LF occurs in it.
// data must not change until the next call.
func (s *Set) Load(data []byte) (ok, breaks bool) {
	s.data, s.made = nil, s.made[:0]
	if cap(s.made) > MaxNative {
		s.made = nil
	}
	if len(data) > MaxNative {
		return false, false
	}
	if ok, breaks = s.paths.Find(data); ok {
		s.data = data
	}
	return ok, breaks
}

// A Native evaluates an expression on the events of a Set.
type Native struct {
	set  *Set
	outs []evaluator
	test tester // the only one, if it is one
}

// Add returns the evaluator of f, or nil when f is outside of the subset.
func (s *Set) Add(f *Filter) *Native {
	c := nativeCompiler{f: f, set: s}
	s.path(eventjson.Root, "")
	outs, ok := c.outputs(f.query, eventjson.Root)
	if !ok || s.paths.Len() > maxPaths {
		return nil
	}
	n := &Native{set: s}
	for _, o := range outs {
		n.outs = append(n.outs, o.eval)
	}
	if len(outs) == 1 {
		n.test, _ = outs[0].eval.(tester)
	}
	return n
}

// path returns the path of a member; of the document itself when name is "".
func (s *Set) path(parent int, name string) int {
	if len(s.up) == 0 {
		s.up = append(s.up, 0)
	}
	if name == "" {
		return eventjson.Root
	}
	id := s.paths.Add(parent, name)
	if id == len(s.up) {
		s.up = append(s.up, parent)
	}
	return id
}

// Matches reports what Filter.Matches says of the event. When ok is false, only that
// can say it.
func (n *Native) Matches() (matched, ok bool) {
	if n.test != nil {
		holds, st := n.test.test(n.set)
		return holds && st == one, st <= none
	}
	for _, e := range n.outs {
		switch v, st := e.eval(n.set, value{}); {
		case st > none:
			return false, false
		case st == one && v.truth():
			return true, true
		}
	}
	return false, true
}

// An Output is a value that an expression yields.
type Output struct {
	// Whole: it is the event itself.
	Whole bool
	// Kind and JSON are the value, on one line; not of the event. They are valid until
	// the next event.
	Kind eventjson.Kind
	JSON []byte
}

// Text returns the text of a string.
func (o Output) Text() string {
	return string(eventjson.AppendUnescaped(nil, o.JSON[1:len(o.JSON)-1]))
}

// Outputs returns what the expression yields for the event, valid until the next call.
// When ok is false, only a Pipeline can say it.
func (n *Native) Outputs() (outs []Output, ok bool) {
	s := n.set
	s.outs = s.outs[:0]
	for _, e := range n.outs {
		v, st := e.eval(s, value{})
		switch {
		case st > none:
			return nil, false
		case st == none:
			continue
		case v.root:
			s.outs = append(s.outs, Output{Whole: true})
			continue
		}
		out := Output{Kind: v.kind, JSON: v.raw}
		if !v.canonical() {
			start := len(s.made)
			if !s.render(v) {
				return nil, false
			}
			out.JSON = s.made[start:]
		}
		s.outs = append(s.outs, out)
	}
	return s.outs, true
}

// A status says what came out of a part of an expression.
type status int

const (
	one    status = iota
	none          // no output
	failed        // an error
	unsure        // what only gojq can say
)

// A tester is an evaluator whose output is a truth about the event, whatever its input.
type tester interface {
	test(s *Set) (holds bool, st status)
}

// An evaluator is a part of an expression. in is its input; those whose input is a path
// of the event do not look at it.
type evaluator interface {
	eval(s *Set, in value) (value, status)
}
