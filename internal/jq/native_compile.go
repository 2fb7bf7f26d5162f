package jq

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/itchyny/gojq"

	"github.com/hark-cli/hark/internal/eventjson"
)

// A compiled is an evaluator, and the path that its output is the value of, or -1 when
// that is not known.
type compiled struct {
	eval evaluator
	path int
}

type nativeCompiler struct {
	f   *Filter
	set *Set
}

const (
	// dynamic is the path of what is not a value of a path.
	dynamic = -1
	// maxOutputs is how many outputs an expression may have.
	maxOutputs = 32
)

// outputs compiles q, whose input is the value of a path, or dynamic, into one
// evaluator for each of its outputs.
func (c *nativeCompiler) outputs(q *gojq.Query, in int) ([]compiled, bool) {
	if !simple(q) {
		return nil, false
	}
	switch {
	case q.Term != nil && q.Term.Type == gojq.TermTypeQuery && len(q.Term.SuffixList) == 0:
		return c.outputs(q.Term.Query, in)
	case q.Term == nil && q.Op == gojq.OpComma:
		left, ok := c.outputs(q.Left, in)
		right, both := c.outputs(q.Right, in)
		return append(left, right...), ok && both && len(left)+len(right) <= maxOutputs
	case q.Term == nil && q.Op == gojq.OpPipe:
		if miscompiled(q) {
			return nil, false
		}
		var all []compiled
		left, ok := c.outputs(q.Left, in)
		if !ok {
			return nil, false
		}
		for _, l := range left {
			right, ok := c.outputs(q.Right, l.path)
			if !ok || len(all)+len(right) > maxOutputs {
				return nil, false
			}
			for _, r := range right {
				all = append(all, piped(l, r))
			}
		}
		return all, true
	}
	e, ok := c.query(q, in)
	return []compiled{e}, ok
}

// piped is l | r. r alone will do when it begins with what l is.
func piped(l, r compiled) compiled {
	if at, pure := l.eval.(path); pure {
		var of evaluator
		switch e := r.eval.(type) {
		case *textTest:
			of = e.of
		case *typeOf:
			of = e.of
		case *length:
			of = e.of
		case *negation:
			of = e.of
		}
		if same, ok := of.(path); ok && same == at {
			return r
		}
	}
	return compiled{&pipe{l.eval, r.eval}, r.path}
}

// simple reports whether q defines nothing and binds nothing.
func simple(q *gojq.Query) bool {
	return q != nil && q.Meta == nil && len(q.Imports) == 0 && len(q.FuncDefs) == 0 && len(q.Patterns) == 0
}

// query compiles what has one output.
func (c *nativeCompiler) query(q *gojq.Query, in int) (compiled, bool) {
	if !simple(q) {
		return compiled{}, false
	}
	if q.Term != nil {
		return c.term(q.Term, q.Term.SuffixList, in)
	}
	if q.Op == gojq.OpPipe {
		if miscompiled(q) {
			return compiled{}, false
		}
		l, ok := c.query(q.Left, in)
		if !ok {
			return compiled{}, false
		}
		r, ok := c.query(q.Right, l.path)
		if !ok {
			return compiled{}, false
		}
		return piped(l, r), true
	}
	op, isComparison := comparisons[q.Op]
	if !isComparison && q.Op != gojq.OpAnd && q.Op != gojq.OpOr && q.Op != gojq.OpAlt {
		return compiled{}, false
	}
	l, ok := c.query(q.Left, in)
	r, both := c.query(q.Right, in)
	if !ok || !both {
		return compiled{}, false
	}
	switch q.Op {
	case gojq.OpAlt:
		return compiled{&alternative{l.eval, r.eval}, dynamic}, true
	case gojq.OpAnd, gojq.OpOr:
		return compiled{&logic{l.eval, r.eval, q.Op == gojq.OpOr}, dynamic}, true
	}
	e := &comparison{l.eval, r.eval, op}
	if at, isPath := l.eval.(path); isPath {
		if k, isConstant := r.eval.(constant); isConstant {
			return compiled{&pathComparison{*e, at, k.v}, dynamic}, true
		}
	}
	return compiled{e, dynamic}, true
}

// miscompiled reports whether gojq 0.12.20 may not do what jq does for the pipe q, for a
// fault in its optimizer, which drops what is in front of a constant although a jump leads
// there: {a: (if .b then 1 else 2 end | 3)} fails, and so does {a: ({b} // 1 | 2)}. The same expression must not come out differently, depending
// on what is next to it.
func miscompiled(q *gojq.Query) bool {
	branches := false
	walkQueries(q.Left, func(q *gojq.Query) {
		switch q.Op {
		case gojq.OpAnd, gojq.OpOr, gojq.OpAlt, gojq.OpComma:
			branches = true
		}
		if t := q.Term; t != nil {
			branches = branches || t.Type == gojq.TermTypeIf || t.Type == gojq.TermTypeTry ||
				slices.ContainsFunc(t.SuffixList, func(s *gojq.Suffix) bool { return s.Optional })
		}
	})
	if !branches {
		return false
	}
	for _, t := range steps(nil, q.Right) {
		switch {
		case t == nil:
			return false
		case t.Type == gojq.TermTypeIdentity && len(t.SuffixList) == 0:
			continue // it leaves no code
		case t.Type == gojq.TermTypeFunc:
			return strings.HasPrefix(t.Func.Name, "$")
		}
		switch t.Type {
		case gojq.TermTypeNull, gojq.TermTypeTrue, gojq.TermTypeFalse, gojq.TermTypeNumber, gojq.TermTypeString,
			gojq.TermTypeUnary, gojq.TermTypeArray, gojq.TermTypeObject:
			return true
		}
		return false
	}
	return false
}

// steps appends the parts of a pipe; nil stands for one that is no term.
func steps(all []*gojq.Term, q *gojq.Query) []*gojq.Term {
	switch {
	case q.Term == nil && q.Op == gojq.OpPipe:
		return steps(steps(all, q.Left), q.Right)
	case q.Term != nil && q.Term.Type == gojq.TermTypeQuery && len(q.Term.SuffixList) == 0:
		return steps(all, q.Term.Query)
	}
	return append(all, q.Term)
}

// comparisons are what the order of two values must be among.
var comparisons = map[gojq.Operator]orders{
	gojq.OpEq: equal, gojq.OpNe: less | greater, gojq.OpLt: less, gojq.OpLe: less | equal,
	gojq.OpGt: greater, gojq.OpGe: greater | equal,
}

// term compiles the head of t with suffixes.
func (c *nativeCompiler) term(t *gojq.Term, suffixes []*gojq.Suffix, in int) (compiled, bool) {
	n := len(suffixes)
	if n == 0 {
		return c.head(t, in)
	}
	last, rest := suffixes[n-1], suffixes[:n-1]
	if last.Index != nil {
		e, ok := c.term(t, rest, in)
		if !ok {
			return compiled{}, false
		}
		return c.index(e, last.Index)
	}
	if !last.Optional {
		return compiled{}, false
	}
	// As in gojq, ? is about the step before it; about all there is when there is none.
	if n > 1 && rest[n-2].Index != nil {
		e, ok := c.term(t, rest[:n-2], in)
		if !ok {
			return compiled{}, false
		}
		step, ok := c.index(compiled{current{}, e.path}, rest[n-2].Index)
		return compiled{&pipe{e.eval, &attempt{step.eval}}, step.path}, ok
	}
	e, ok := c.term(t, rest, in)
	return compiled{&attempt{e.eval}, e.path}, ok
}

// index compiles a step from what e yields.
func (c *nativeCompiler) index(e compiled, x *gojq.Index) (compiled, bool) {
	return c.step(e, indexKey(x))
}

// step compiles a step to a name or a number.
func (c *nativeCompiler) step(e compiled, key any) (compiled, bool) {
	switch key := key.(type) {
	case string:
		if strings.Contains(key, `\`) || !utf8.ValidString(key) || key == "" || c.set.paths.Len() > maxPaths {
			return compiled{}, false
		}
		if e.path == dynamic {
			return compiled{&member{e.eval, key}, dynamic}, true
		}
		id := c.set.path(e.path, key)
		if _, pure := e.eval.(path); pure {
			return compiled{path(id), id}, true
		}
		return compiled{&pipe{e.eval, path(id)}, id}, true
	case int:
		return compiled{&element{e.eval, key}, dynamic}, key >= 0
	}
	return compiled{}, false
}

// self is the input.
func self(in int) compiled {
	if in == dynamic {
		return compiled{current{}, dynamic}
	}
	return compiled{path(in), in}
}

func (c *nativeCompiler) head(t *gojq.Term, in int) (compiled, bool) {
	switch t.Type {
	case gojq.TermTypeIdentity:
		return self(in), true
	case gojq.TermTypeIndex:
		return c.index(self(in), t.Index)
	case gojq.TermTypeQuery:
		return c.query(t.Query, in)
	case gojq.TermTypeTry:
		if t.Try.Catch != nil {
			return compiled{}, false
		}
		e, ok := c.query(t.Try.Body, in)
		return compiled{&attempt{e.eval}, e.path}, ok
	case gojq.TermTypeIf:
		return c.branches(t.If, in)
	case gojq.TermTypeFunc:
		return c.call(t.Func, in)
	case gojq.TermTypeArray:
		return c.array(t.Array, in)
	case gojq.TermTypeObject:
		return c.object(t.Object, in)
	}
	return c.literal(t)
}

func (c *nativeCompiler) literal(t *gojq.Term) (compiled, bool) {
	bare := *t
	bare.SuffixList = nil
	v, ok := c.f.constant(&gojq.Query{Term: &bare})
	if !ok {
		return compiled{}, false
	}
	k, ok := constantOf(v)
	return compiled{k, dynamic}, ok
}

func (c *nativeCompiler) branches(x *gojq.If, in int) (compiled, bool) {
	cond, ok := c.query(x.Cond, in)
	then, both := c.query(x.Then, in)
	if !ok || !both {
		return compiled{}, false
	}
	other, ok := self(in), true
	switch {
	case len(x.Elif) > 0:
		other, ok = c.branches(&gojq.If{Cond: x.Elif[0].Cond, Then: x.Elif[0].Then, Elif: x.Elif[1:], Else: x.Else}, in)
	case x.Else != nil:
		other, ok = c.query(x.Else, in)
	}
	at := then.path
	if at != other.path {
		at = dynamic
	}
	return compiled{&branch{cond.eval, then.eval, other.eval}, at}, ok
}

func (c *nativeCompiler) call(f *gojq.Func, in int) (compiled, bool) {
	me := self(in)
	switch name := f.Name; {
	case strings.HasPrefix(name, "$"):
		return c.literal(&gojq.Term{Type: gojq.TermTypeFunc, Func: f})
	case name == "select" && len(f.Args) == 1:
		cond, ok := c.query(f.Args[0], in)
		return compiled{&selection{cond.eval, me.eval}, me.path}, ok
	case name == "empty" && len(f.Args) == 0:
		return compiled{nothing{}, dynamic}, true
	case name == "not" && len(f.Args) == 0:
		return compiled{&negation{me.eval}, dynamic}, true
	case name == "length" && len(f.Args) == 0:
		return compiled{&length{me.eval}, dynamic}, true
	case name == "type" && len(f.Args) == 0:
		return compiled{&typeOf{me.eval}, dynamic}, true
	}
	var args []string
	for _, a := range f.Args {
		v, ok := c.f.constant(inner(a))
		text, isText := v.(string)
		if !ok || !isText {
			return compiled{}, false
		}
		args = append(args, text)
	}
	var want []byte
	if len(args) > 0 {
		want = []byte(args[0])
	}
	var holds func(text []byte) bool
	switch {
	case f.Name == "test" && (len(args) == 1 || len(args) == 2):
		re, ok := regex(args)
		if !ok {
			return compiled{}, false
		}
		holds = re.Match
	case f.Name == "startswith" && len(args) == 1:
		holds = func(text []byte) bool { return bytes.HasPrefix(text, want) }
	case f.Name == "endswith" && len(args) == 1:
		holds = func(text []byte) bool { return bytes.HasSuffix(text, want) }
	case f.Name == "contains" && len(args) == 1:
		holds = func(text []byte) bool { return bytes.Contains(text, want) }
	default:
		return compiled{}, false
	}
	return compiled{&textTest{me.eval, holds}, dynamic}, true
}

// regex compiles the arguments of test as gojq does.
func regex(args []string) (*regexp.Regexp, bool) {
	re := args[0]
	if len(args) == 2 {
		if strings.Trim(args[1], "gim") != "" {
			return nil, false
		}
		if strings.Contains(args[1], "i") {
			re = "(?i)" + re
		}
		if strings.Contains(args[1], "m") {
			re = "(?s)" + re
		}
	}
	r, err := regexp.Compile(re)
	return r, err == nil
}

func (c *nativeCompiler) array(a *gojq.Array, in int) (compiled, bool) {
	e := &arrayOf{}
	if a.Query == nil {
		return compiled{e, dynamic}, true
	}
	outs, ok := c.outputs(a.Query, in)
	for _, o := range outs {
		e.elements = append(e.elements, o.eval)
	}
	return compiled{e, dynamic}, ok
}

func (c *nativeCompiler) object(o *gojq.Object, in int) (compiled, bool) {
	e := &objectOf{}
	names := map[string]int{}
	for _, kv := range o.KeyVals {
		name, val, ok := c.pair(kv, in)
		if !ok || !utf8.ValidString(name) || len(e.values) == maxOutputs {
			return compiled{}, false
		}
		names[name] = len(e.values) // the last of a name counts
		e.values = append(e.values, val.eval)
	}
	sorted := make([]string, 0, len(names))
	for name := range names {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		e.members = append(e.members, namedValue{append(eventjson.AppendString(nil, name), ':'), names[name]})
	}
	return compiled{e, dynamic}, true
}

func (c *nativeCompiler) pair(kv *gojq.ObjectKeyVal, in int) (name string, val compiled, ok bool) {
	name = kv.Key
	switch {
	case kv.KeyQuery != nil, kv.KeyString != nil && kv.KeyString.Queries != nil:
		return "", compiled{}, false
	case kv.KeyString != nil:
		name = kv.KeyString.Str
	case strings.HasPrefix(name, "$"):
		val, ok = c.literal(&gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name}})
		return name[1:], val, ok && kv.Val == nil
	}
	if kv.Val != nil {
		val, ok = c.query(kv.Val, in)
	} else {
		val, ok = c.index(self(in), &gojq.Index{Name: name})
	}
	return name, val, ok
}

// constantOf is the evaluator of a scalar, of the types that Filter.constant returns.
func constantOf(v any) (constant, bool) {
	k := &constantValue{}
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return constant{}, false
		}
		k.text = []byte(v)
	case int:
		k.num = number64{int: v, isInt: true}
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return constant{}, false
		}
		k.num = number64{float: v}
	case json.Number:
		if n, ok := parseNumber([]byte(v)); ok {
			k.num = n
		} else {
			return constant{}, false
		}
	case []any, map[string]any, *big.Int:
		return constant{}, false
	}
	raw, err := eventjson.AppendValue(nil, v)
	if err != nil {
		return constant{}, false
	}
	return constant{value{raw: raw, kind: eventjson.KindOf(raw), constant: k}}, true
}
