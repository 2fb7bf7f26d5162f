package jq

import (
	"regexp"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// lookups yields the names of the members that are looked up in the variable $name by
// their names; "" stands for any other use of it.
func (p *Program) lookups(name string, yield func(member string)) {
	walk(p.query, func(n node) {
		switch t := n.term; {
		case t != nil && t.Type == gojq.TermTypeFunc && t.Func.Name == "$"+name:
			if len(t.SuffixList) == 0 || t.SuffixList[0].Index == nil {
				yield("")
			} else {
				yield(memberName(t.SuffixList[0].Index))
			}
		case n.member != nil && n.member.Val == nil && n.member.Key == "$"+name: // {$name}
			yield("")
		}
	})
}

// Undeclared returns the error for a member that the expression looks up by its name in
// the variable $name, and that is not declared; nil if there is none.
func (p *Program) Undeclared(name string, declared []string) error {
	var missing []string
	p.lookups(name, func(member string) {
		if member != "" && !slices.Contains(declared, member) {
			missing = append(missing, member)
		}
	})
	if len(missing) == 0 {
		return nil
	}
	member := missing[0]
	msg := "$" + name + "." + member + " is not declared"
	if len(declared) > 0 {
		msg += ": expected one of " + strings.Join(declared, ", ")
	}
	use := regexp.MustCompile(`^\$` + name + `\s*(?:\.\s*)?(?:\[\s*)?"?` + regexp.QuoteMeta(member) + `\b`)
	return &Error{Flag: p.key, Expr: p.expr, Msg: msg, Offset: find(p.expr, func(w word) bool {
		return w.text == "$"+name && use.MatchString(p.expr[w.offset:])
	})}
}

// Keys returns the keys of the objects that the expression yields whose values may
// depend on something: mentions reports whether a part of the expression looks at that
// itself. ok is false if the expression looks at it and its keys are not known, because
// they are not written out.
func (p *Program) Keys(mentions func(*Part) bool) (keys []string, ok bool) {
	k := keyFinder{mentions: func(q *gojq.Query) bool { return mentions(&Part{&Program{query: q}}) }}
	if !k.mentions(p.query) {
		return nil, true
	}
	k.query(p.query, false)
	slices.Sort(k.keys)
	return slices.Compact(k.keys), !k.unknown
}

// A Part is a part of an expression.
type Part struct{ p *Program }

// Mentions is that of a Program.
func (p *Part) Mentions(name, key string) bool { return p.p.Mentions(name, key) }

// A keyFinder finds the keys of the objects that an expression yields.
type keyFinder struct {
	mentions func(*gojq.Query) bool
	keys     []string
	unknown  bool
}

// query looks at a part that yields what the whole expression does. tainted: its input,
// or a variable that it may use, depends on what is mentioned.
func (k *keyFinder) query(q *gojq.Query, tainted bool) {
	if !tainted && !k.mentions(q) {
		return
	}
	switch {
	case len(q.FuncDefs) > 0:
		k.unknown = true
	case q.Term != nil:
		k.term(q.Term, tainted)
	case q.Op == gojq.OpPipe: // also with "as"
		k.query(q.Right, tainted || k.mentions(q.Left))
	case q.Op == gojq.OpComma, q.Op == gojq.OpAdd, q.Op == gojq.OpAlt:
		k.query(q.Left, tainted)
		k.query(q.Right, tainted)
	default:
		k.unknown = true
	}
}

func (k *keyFinder) term(t *gojq.Term, tainted bool) {
	if len(t.SuffixList) > 0 {
		k.unknown = true
		return
	}
	switch t.Type {
	case gojq.TermTypeNull:
	case gojq.TermTypeQuery:
		k.query(t.Query, tainted)
	case gojq.TermTypeIf:
		k.query(t.If.Then, tainted)
		for _, e := range t.If.Elif {
			k.query(e.Then, tainted)
		}
		if t.If.Else != nil {
			k.query(t.If.Else, tainted)
		} else if tainted { // its input
			k.unknown = true
		}
	case gojq.TermTypeFunc:
		if t.Func.Name != "empty" || len(t.Func.Args) > 0 {
			k.unknown = true
		}
	case gojq.TermTypeObject:
		for _, kv := range t.Object.KeyVals {
			k.member(kv, tainted)
		}
	default:
		k.unknown = true
	}
}

func (k *keyFinder) member(kv *gojq.ObjectKeyVal, tainted bool) {
	key := kv.Key
	switch {
	case kv.KeyString != nil && len(kv.KeyString.Queries) == 0:
		key = kv.KeyString.Str
	case key == "": // the key is computed
		k.unknown = k.unknown || tainted || k.mentions(kv.KeyQuery) || kv.Val != nil && k.mentions(kv.Val)
		return
	}
	value := &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeObject, Object: &gojq.Object{KeyVals: []*gojq.ObjectKeyVal{kv}}}}
	if tainted || k.mentions(value) {
		k.keys = append(k.keys, strings.TrimPrefix(key, "$"))
	}
}
