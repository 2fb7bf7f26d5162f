package jq

import (
	"strings"

	"github.com/itchyny/gojq"

	"github.com/hark-cli/hark/internal/eventjson"
)

// Most expressions look at a few members of an event and at nothing else. To make
// values only of those is most of the way to a fast filter. needs finds out which
// ones an expression looks at; where it is not sure it takes everything.
//
// It follows the values that are, or may be, a part of the event through the
// expression. What is done to them says what must be there: a member that is
// asked for, or the whole value when it is compared, printed, put into another or
// given to a function. To ask whether a value is true or to pass it on takes
// nothing of it. The event itself may come out as well: it is printed from its
// bytes.

// needs returns what an expression looks at in its input; nil stands for all of it.
func needs(q *gojq.Query) *eventjson.Selection {
	event := &part{}
	n := &needed{}
	for _, p := range n.query(q, []*part{event}) {
		if p != event {
			p.all = true
		}
	}
	if n.unknown || event.all {
		return nil
	}
	return event.selection()
}

// maxNeeds is how many members may be asked for. With more, a selection would take
// longer to look through than it saves.
const maxNeeds = 16

// A part is a value within the event, found by the names of members.
type part struct {
	all     bool // it is needed as a whole
	names   []string
	members []*part
}

func (p *part) member(name string) *part {
	for i, n := range p.names {
		if n == name {
			return p.members[i]
		}
	}
	m := &part{}
	p.names, p.members = append(p.names, name), append(p.members, m)
	return m
}

func (p *part) selection() *eventjson.Selection {
	if p.all {
		return nil
	}
	s := &eventjson.Selection{}
	for i, name := range p.names {
		s.Add(name, p.members[i].selection())
	}
	return s
}

// A needed is the state of one call of needs.
type needed struct {
	unknown bool // there is something in the expression that is not followed
	names   int
}

// The methods below return the parts of the event that may come out of what they
// are called for, when in are those that may go in. A value that the expression
// makes itself is none of them, and neither is what lies inside a part that is
// needed as a whole.

func (n *needed) query(q *gojq.Query, in []*part) []*part {
	switch {
	case q == nil:
		return nil
	case q.Meta != nil || len(q.Imports) > 0 || len(q.FuncDefs) > 0 || len(q.Patterns) > 0:
		return n.fail()
	case q.Term != nil:
		return n.term(q.Term, in)
	}
	switch q.Op {
	case gojq.OpPipe:
		return n.query(q.Right, n.query(q.Left, in))
	case gojq.OpComma, gojq.OpAlt:
		return join(n.query(q.Left, in), n.query(q.Right, in))
	case gojq.OpAnd, gojq.OpOr:
		n.query(q.Left, in)
		n.query(q.Right, in)
		return nil
	case gojq.OpAdd, gojq.OpSub, gojq.OpMul, gojq.OpDiv, gojq.OpMod,
		gojq.OpEq, gojq.OpNe, gojq.OpGt, gojq.OpLt, gojq.OpGe, gojq.OpLe:
		n.use(q.Left, in)
		n.use(q.Right, in)
		return nil
	}
	return n.fail()
}

// join is a and b, in a slice of its own.
func join(a, b []*part) []*part { return append(append([]*part(nil), a...), b...) }

func (n *needed) fail() []*part {
	n.unknown = true
	return nil
}

// use says that all that comes out of q is needed as a whole.
func (n *needed) use(q *gojq.Query, in []*part) { whole(n.query(q, in)) }

func whole(parts []*part) {
	for _, p := range parts {
		p.all = true
	}
}

func (n *needed) term(t *gojq.Term, in []*part) []*part {
	out := n.head(t, in)
	for _, s := range t.SuffixList {
		switch {
		case s.Index != nil:
			out = n.index(s.Index, out, in)
		case s.Iter:
			whole(out)
			out = nil
		case s.Optional:
		default:
			return n.fail()
		}
	}
	return out
}

func (n *needed) head(t *gojq.Term, in []*part) []*part {
	switch t.Type {
	case gojq.TermTypeIdentity:
		return in
	case gojq.TermTypeNull, gojq.TermTypeTrue, gojq.TermTypeFalse, gojq.TermTypeNumber:
		return nil
	case gojq.TermTypeIndex:
		return n.index(t.Index, in, in)
	case gojq.TermTypeFunc:
		return n.call(t.Func, in)
	case gojq.TermTypeObject:
		for _, kv := range t.Object.KeyVals {
			n.pair(kv, in)
		}
		return nil
	case gojq.TermTypeArray:
		n.use(t.Array.Query, in)
		return nil
	case gojq.TermTypeUnary:
		whole(n.term(t.Unary.Term, in))
		return nil
	case gojq.TermTypeString:
		n.text(t.Str, in)
		return nil
	case gojq.TermTypeIf:
		return n.branches(t.If, in)
	case gojq.TermTypeTry:
		// what is caught is made: a message
		return join(n.query(t.Try.Body, in), n.query(t.Try.Catch, nil))
	case gojq.TermTypeQuery:
		return n.query(t.Query, in)
	}
	return n.fail()
}

// index is an index of the values of. in is the input of the expressions in it.
func (n *needed) index(x *gojq.Index, of, in []*part) []*part {
	name := memberName(x)
	if name == "" {
		whole(of)
		if x.Str != nil {
			n.text(x.Str, in)
		}
		n.use(x.Start, in)
		n.use(x.End, in)
		return nil
	}
	var out []*part
	for _, p := range of {
		out = append(out, n.member(p, name))
	}
	return out
}

// memberName is the name in .name, ."name" and .["name"], or "".
func memberName(x *gojq.Index) string {
	str := x.Str
	if q := x.Start; q != nil && !x.IsSlice && len(q.FuncDefs) == 0 && q.Term != nil &&
		q.Term.Type == gojq.TermTypeString && len(q.Term.SuffixList) == 0 {
		str = q.Term.Str
	}
	if str != nil && len(str.Queries) == 0 {
		return str.Str
	}
	return x.Name
}

func (n *needed) member(p *part, name string) *part {
	if p.all {
		return p
	}
	if n.names++; n.names > maxNeeds {
		n.unknown = true
	}
	return p.member(name)
}

func (n *needed) call(f *gojq.Func, in []*part) []*part {
	switch {
	case strings.HasPrefix(f.Name, "$"), f.Name == "empty" && len(f.Args) == 0:
		return nil
	case f.Name == "not" && len(f.Args) == 0:
		return nil
	case f.Name == "select" && len(f.Args) == 1:
		n.query(f.Args[0], in)
		return in
	}
	// Whatever it does, with whatever arguments, is done to its input.
	whole(in)
	return nil
}

func (n *needed) pair(kv *gojq.ObjectKeyVal, in []*part) {
	name := kv.Key
	if kv.KeyString != nil {
		n.text(kv.KeyString, in)
		name = kv.KeyString.Str
		if len(kv.KeyString.Queries) > 0 && kv.Val == nil {
			whole(in)
			return
		}
	}
	n.use(kv.KeyQuery, in)
	switch {
	case kv.Val != nil:
		n.use(kv.Val, in)
	case strings.HasPrefix(kv.Key, "$"): // {$name}
	case kv.KeyQuery != nil:
		n.fail()
	default: // {name}
		for _, p := range in {
			n.member(p, name).all = true
		}
	}
}

// text is a string with the expressions in it.
func (n *needed) text(s *gojq.String, in []*part) {
	for _, q := range s.Queries {
		n.use(q, in)
	}
}

func (n *needed) branches(x *gojq.If, in []*part) []*part {
	n.query(x.Cond, in)
	out := n.query(x.Then, in)
	for _, e := range x.Elif {
		n.query(e.Cond, in)
		out = join(out, n.query(e.Then, in))
	}
	if x.Else == nil {
		return join(out, in)
	}
	return join(out, n.query(x.Else, in))
}
