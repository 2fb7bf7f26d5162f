package jq

import (
	"github.com/itchyny/gojq"

	"github.com/hark-cli/hark/internal/eventjson"
)

// Identity reports whether the expression is a lone dot.
func (p *Program) Identity() bool {
	q := p.query
	return q.Term != nil && q.Term.Type == gojq.TermTypeIdentity && len(q.Term.SuffixList) == 0 && len(q.FuncDefs) == 0 && len(q.Imports) == 0
}

// NeedsOf returns what programs look at in the input that they have in common, and what
// of it comes out of them; nil stands for all of it.
func NeedsOf(programs ...*Program) *eventjson.Selection {
	event := &part{}
	for _, p := range programs {
		n := &needed{}
		whole(n.query(p.query, []*part{event}))
		if n.unknown {
			return nil
		}
	}
	if event.all || event.count() > maxNeeds {
		return nil
	}
	return event.selection()
}

// count returns how many members are asked for.
func (p *part) count() int {
	n := len(p.members)
	for _, m := range p.members {
		n += m.count()
	}
	return n
}

// A quick is an expression that is evaluated without a run of gojq, because it has one
// output and makes no value: paths of members, constants, comparisons of them for
// equality, and what "and", "or" and "not" make of those. ok is false when only a run
// can say what the output is: an error.
type quick func(v any) (out any, ok bool)

// True is Run for a condition: whether an output is anything but null and false. ok is
// false when it takes Run to find that out.
func (p *Program) True(v any) (holds, ok bool) {
	if p.quick == nil {
		return false, false
	}
	out, ok := p.quick(v)
	return out != nil && out != false, ok
}

// quickQuery returns nil for an expression of another kind.
func quickQuery(q *gojq.Query) quick {
	if q == nil || q.Meta != nil || len(q.Imports) > 0 || len(q.FuncDefs) > 0 || len(q.Patterns) > 0 {
		return nil
	}
	if q.Term != nil {
		return quickTerm(q.Term)
	}
	l, r := quickQuery(q.Left), quickQuery(q.Right)
	if q.Op == gojq.OpPipe && l != nil && q.Right.Term != nil && isNot(q.Right.Term) {
		return func(v any) (any, bool) {
			out, ok := l(v)
			return out == nil || out == false, ok
		}
	}
	if l == nil || r == nil {
		return nil
	}
	switch q.Op {
	case gojq.OpPipe:
		return func(v any) (any, bool) {
			out, ok := l(v)
			if !ok {
				return nil, false
			}
			return r(out)
		}
	case gojq.OpEq, gojq.OpNe:
		return quickCompare(l, r, q.Op == gojq.OpNe)
	case gojq.OpAnd:
		return quickLogic(l, r, false)
	case gojq.OpOr:
		return quickLogic(l, r, true)
	}
	return nil
}

// isNot reports whether t is "not".
func isNot(t *gojq.Term) bool {
	return t.Type == gojq.TermTypeFunc && t.Func.Name == "not" && len(t.Func.Args) == 0 && len(t.SuffixList) == 0
}

// quickCompare compares for equality, or the opposite.
func quickCompare(l, r quick, not bool) quick {
	return func(v any) (any, bool) {
		a, ok := l(v)
		b, both := r(v)
		if !ok || !both {
			return nil, false
		}
		if x, text := a.(string); text {
			y, text := b.(string)
			return (text && x == y) != not, true
		}
		return (gojq.Compare(a, b) == 0) != not, true
	}
}

// quickLogic is "and", or "or" when decided is true: the left operand may decide.
func quickLogic(l, r quick, decided bool) quick {
	return func(v any) (any, bool) {
		out, ok := l(v)
		if !ok {
			return nil, false
		}
		if truth := out != nil && out != false; truth == decided {
			return decided, true
		}
		out, ok = r(v)
		return out != nil && out != false, ok
	}
}

func quickTerm(t *gojq.Term) quick {
	head := quickHead(t)
	if head == nil {
		return nil
	}
	for _, s := range t.SuffixList {
		if s.Index == nil {
			return nil
		}
		name := memberName(s.Index)
		if name == "" {
			return nil
		}
		head = quickMember(head, name)
	}
	return head
}

func quickHead(t *gojq.Term) quick {
	constant := func(c any) quick { return func(any) (any, bool) { return c, true } }
	switch t.Type {
	case gojq.TermTypeIdentity:
		return func(v any) (any, bool) { return v, true }
	case gojq.TermTypeIndex:
		if name := memberName(t.Index); name != "" {
			return quickMember(func(v any) (any, bool) { return v, true }, name)
		}
	case gojq.TermTypeNull:
		return constant(nil)
	case gojq.TermTypeTrue:
		return constant(true)
	case gojq.TermTypeFalse:
		return constant(false)
	case gojq.TermTypeNumber:
		var d eventjson.Decoder
		if v, err := d.Decode([]byte(t.Number)); err == nil {
			return constant(v)
		}
	case gojq.TermTypeString:
		if len(t.Str.Queries) == 0 {
			return constant(t.Str.Str)
		}
	case gojq.TermTypeQuery:
		return quickQuery(t.Query)
	}
	return nil
}

// quickMember is a member of what of yields.
func quickMember(of quick, name string) quick {
	return func(v any) (any, bool) {
		v, ok := of(v)
		if !ok {
			return nil, false
		}
		switch v := v.(type) {
		case map[string]any:
			return v[name], true
		case nil:
			return nil, true
		}
		return nil, false
	}
}

// One is Run for an expression whose only output is found without a run; ok is false for
// every other. The output may be a part of v.
func (p *Program) One(v any) (out any, ok bool) {
	if p.quick == nil {
		return nil, false
	}
	return p.quick(v)
}
