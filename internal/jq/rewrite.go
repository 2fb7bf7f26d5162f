package jq

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"
)

// A Program limits the size of values, and gojq looks at nothing while one of its
// native functions runs: "a" * 1e9 is a single step. So the expression is rewritten
// before it is compiled:
//
//	a + b          _check_add(a; b) as [$l, $r] | $l + $r
//	tojson         tojson | _check
//	{a: .b}        {a: .b} | _check
//	[f]            [foreach f as $x (0; _check_grow($x); $x)]
//	.a[5] = f      the loop that this stands for, with a check at each step
//
// Where the parts are small enough so is what an operator makes of them, for the check
// before it knows how. What goes on inside functions that are written in jq, such as
// map, is not seen; what comes out of them is checked, and the meter looks at memory.

// funcPrefix begins the names of the functions that Options.Funcs gives; see refused.
const funcPrefix = "_func_"

// A rewriter rewrites the expression of a Program.
type rewriter struct {
	options Options
	// msg is the first thing in the expression that is refused, and where finds it.
	msg   string
	where func(word) bool
	vars  int // how many variables it has added
}

// checkedAfter are the functions whose results are checked, by name and number of
// arguments.
var checkedAfter = names(`map/1 map_values/1 to_entries/0 from_entries/0 with_entries/1
	walk/1 combinations/0 combinations/1 INDEX/1 INDEX/2 JOIN/2 JOIN/3 JOIN/4 tostream/0
	fromstream/1 truncate_stream/1 pick/1 sub/2 sub/3 gsub/2 gsub/3 explode/0 implode/0
	split/1 split/2 tojson/0 tostring/0 format/1 fromjson/0 indices/1 strftime/1
	strflocaltime/1 keys/0 add/0`)

// checkedBefore are the functions whose input and arguments are checked, with the check.
var checkedBefore = map[string]string{
	"join/1": "_check_join", "setpath/2": "_check_setpath", "transpose/0": "_check_transpose",
	"contains/1": "_check_pairs", "inside/1": "_check_pairs", "indices/1": "_check_pairs",
	"index/1": "_check_pairs", "rindex/1": "_check_pairs",
}

// matching are the functions that make an object of each match of a regular expression.
var matching = names(`match/1 match/2 capture/1 capture/2 scan/1 scan/2 split/2 splits/1
	splits/2 sub/2 sub/3 gsub/2 gsub/3`)

func names(text string) map[string]bool {
	m := make(map[string]bool)
	for name := range strings.FieldsSeq(text) {
		m[name] = true
	}
	return m
}

// operators are the checks of operands, and of what an assignment does.
var (
	operators = map[gojq.Operator]string{
		gojq.OpAdd: "_check_add", gojq.OpMul: "_check_multiply", gojq.OpSub: "_check_subtract",
		gojq.OpDiv: "_check_numbers", gojq.OpMod: "_check_numbers",
	}
	updates = map[gojq.Operator]gojq.Operator{
		gojq.OpUpdateAdd: gojq.OpAdd, gojq.OpUpdateSub: gojq.OpSub, gojq.OpUpdateMul: gojq.OpMul,
		gojq.OpUpdateDiv: gojq.OpDiv, gojq.OpUpdateMod: gojq.OpMod, gojq.OpUpdateAlt: gojq.OpAlt,
	}
)

func (r *rewriter) refuse(msg string, where func(word) bool) {
	if r.msg == "" {
		r.msg, r.where = msg, where
	}
}

// query rewrites q in place, and all that is in it.
func (r *rewriter) query(q *gojq.Query) {
	if q == nil {
		return
	}
	if q.Meta != nil || len(q.Imports) > 0 {
		r.refuse("modules cannot be used", func(w word) bool {
			return w.text == "import" || w.text == "include" || w.text == "module"
		})
		return
	}
	for _, d := range q.FuncDefs {
		r.define(d)
	}
	r.query(q.Left)
	r.query(q.Right)
	r.patterns(q.Patterns)
	if q.Term != nil {
		q.Term = r.term(q.Term)
		return
	}
	if r.options.MaxValue == 0 {
		return
	}
	defs := q.FuncDefs
	switch check, base := operators[q.Op], updates[q.Op]; {
	case check != "":
		*q = *r.operator(check, q.Op, q.Left, q.Right)
	case q.Op == gojq.OpAssign:
		*q = *callQuery("_checked_assign", q.Left, q.Right)
	case q.Op == gojq.OpModify:
		*q = *callQuery("_checked_modify", q.Left, q.Right)
	case base != 0:
		operand := r.variable()
		update := &gojq.Query{Left: identity(), Op: base, Right: callQuery(operand)}
		if check := operators[base]; check != "" {
			update = r.operator(check, base, update.Left, update.Right)
		}
		*q = gojq.Query{
			Left: q.Right, Patterns: []*gojq.Pattern{{Name: operand}}, Op: gojq.OpPipe,
			Right: callQuery("_checked_modify", q.Left, update),
		}
	}
	q.FuncDefs = defs
}

// operator is left op right, with a check of both before it and one of the result.
func (r *rewriter) operator(check string, op gojq.Operator, left, right *gojq.Query) *gojq.Query {
	a, b := r.variable(), r.variable()
	result := &gojq.Query{Left: callQuery(a), Op: op, Right: callQuery(b)}
	if op == gojq.OpDiv || op == gojq.OpMul { // it splits a string, or merges objects
		result = checked(result)
	}
	return &gojq.Query{
		Left: callQuery(check, left, right), Patterns: []*gojq.Pattern{{Array: []*gojq.Pattern{{Name: a}, {Name: b}}}},
		Op: gojq.OpPipe, Right: result,
	}
}

// variable is the name of a new variable. No expression can have one of the kind.
func (r *rewriter) variable() string {
	r.vars++
	return "$%" + strconv.Itoa(r.vars)
}

func (r *rewriter) define(d *gojq.FuncDef) {
	r.name(d.Name, len(d.Args))
	for _, arg := range d.Args {
		if strings.HasPrefix(arg, "$") {
			r.bound(arg)
		}
		r.name(arg, 0)
	}
	r.query(d.Body)
}

// name refuses the definition of a function that the rewriter has a use for.
func (r *rewriter) name(name string, args int) {
	key := fmt.Sprintf("%s/%d", name, args)
	if checkedAfter[key] || matching[key] || checkedBefore[key] != "" || name == "add" && args == 1 {
		r.refuse(name+" cannot be defined again", func(w word) bool { return w.text == name })
	}
	if strings.HasPrefix(name, "_") {
		r.refuse("the name of a function cannot begin with _", func(w word) bool { return w.text == name })
	}
}

// bound refuses to bind a variable of Options.Funcs.
func (r *rewriter) bound(name string) {
	if r.options.Funcs[strings.TrimPrefix(name, "$")] != nil {
		r.refuse(name+" cannot be bound again", func(w word) bool { return w.text == name })
	}
}

func (r *rewriter) patterns(patterns []*gojq.Pattern) {
	for _, p := range patterns {
		r.bound(p.Name)
		r.patterns(p.Array)
		for _, o := range p.Object {
			r.bound(o.Key)
			r.text(o.KeyString)
			r.query(o.KeyQuery)
			if o.Val != nil {
				r.patterns([]*gojq.Pattern{o.Val})
			}
		}
	}
}

// term returns what t is replaced by, which may be t.
func (r *rewriter) term(t *gojq.Term) *gojq.Term {
	for _, s := range t.SuffixList {
		r.index(s.Index)
	}
	suffixes := t.SuffixList
	t.SuffixList = nil
	out := r.head(t)
	if out != t && len(suffixes) > 0 {
		out = &gojq.Term{Type: gojq.TermTypeQuery, Query: &gojq.Query{Term: out}}
	}
	out.SuffixList = suffixes
	return out
}

func (r *rewriter) head(t *gojq.Term) *gojq.Term {
	switch t.Type {
	case gojq.TermTypeIndex:
		r.index(t.Index)
	case gojq.TermTypeFunc:
		return r.call(t)
	case gojq.TermTypeObject:
		for _, kv := range t.Object.KeyVals {
			r.member(kv)
		}
		return r.checkedTerm(t)
	case gojq.TermTypeArray:
		return r.array(t)
	case gojq.TermTypeUnary:
		t.Unary.Term = r.term(t.Unary.Term)
	case gojq.TermTypeFormat:
		if t.Str != nil {
			return r.interpolated(t, &gojq.Term{Type: gojq.TermTypeFormat, Format: t.Format})
		}
		return r.checkedTerm(t)
	case gojq.TermTypeString:
		return r.interpolated(t, callQuery("tostring").Term)
	case gojq.TermTypeIf:
		r.query(t.If.Cond)
		r.query(t.If.Then)
		r.query(t.If.Else)
		for _, e := range t.If.Elif {
			r.query(e.Cond)
			r.query(e.Then)
		}
	case gojq.TermTypeTry:
		r.query(t.Try.Body)
		r.query(t.Try.Catch)
	case gojq.TermTypeReduce:
		r.query(t.Reduce.Query)
		r.patterns(t.Reduce.Patterns)
		r.query(t.Reduce.Start)
		r.query(t.Reduce.Update)
	case gojq.TermTypeForeach:
		r.query(t.Foreach.Query)
		r.patterns(t.Foreach.Patterns)
		r.query(t.Foreach.Start)
		r.query(t.Foreach.Update)
		r.query(t.Foreach.Extract)
	case gojq.TermTypeLabel:
		r.query(t.Label.Body)
	case gojq.TermTypeQuery:
		r.query(t.Query)
	}
	return t
}

func (r *rewriter) index(x *gojq.Index) {
	if x != nil {
		r.text(x.Str)
		r.query(x.Start)
		r.query(x.End)
	}
}

// text rewrites what is interpolated in a string that stays one: the key of a member.
func (r *rewriter) text(s *gojq.String) {
	if s != nil {
		for _, q := range s.Queries {
			r.query(q)
		}
	}
}

func (r *rewriter) member(kv *gojq.ObjectKeyVal) {
	r.text(kv.KeyString)
	r.query(kv.KeyQuery)
	r.query(kv.Val)
	if name, ok := strings.CutPrefix(kv.Key, "$"); ok {
		if msg := refused(kv.Key); msg != "" {
			r.refuse(msg, func(w word) bool { return w.text == kv.Key })
		}
		if r.options.Funcs[name] != nil && kv.Val == nil { // {$now}
			kv.Key, kv.Val = name, callQuery(funcPrefix+name)
		}
	}
}

func (r *rewriter) call(t *gojq.Term) *gojq.Term {
	f := t.Func
	if msg := refused(f.Name); msg != "" {
		r.refuse(msg, func(w word) bool { return w.text == f.Name && !w.field })
		return t
	}
	if name, ok := strings.CutPrefix(f.Name, "$"); ok {
		if r.options.Funcs[name] != nil {
			return callQuery(funcPrefix + name).Term
		}
		return t
	}
	for _, a := range f.Args {
		r.query(a)
	}
	if r.options.MaxValue == 0 {
		return t
	}
	key := fmt.Sprintf("%s/%d", f.Name, len(f.Args))
	q := &gojq.Query{Term: t}
	switch check := checkedBefore[key]; {
	case key == "add/1":
		q = callQuery("_checked_add", f.Args...)
	case check != "":
		var params []*gojq.Pattern
		var args []*gojq.Query
		for range f.Args {
			name := r.variable()
			params = append(params, &gojq.Pattern{Name: name})
			args = append(args, callQuery(name))
		}
		if len(params) == 0 {
			params = []*gojq.Pattern{{Name: r.variable()}}
		} else {
			params = []*gojq.Pattern{{Array: params}}
		}
		q = &gojq.Query{
			Left: callQuery(check, f.Args...), Patterns: params,
			Op: gojq.OpPipe, Right: checked(callQuery(f.Name, args...)),
		}
	case matching[key]:
		q = checked(&gojq.Query{Left: callQuery("_check_text"), Op: gojq.OpPipe, Right: q})
	case checkedAfter[key]:
		q = checked(q)
	default:
		return t
	}
	return &gojq.Term{Type: gojq.TermTypeQuery, Query: q}
}

// array rewrites [f] so that it cannot grow beyond the limit.
func (r *rewriter) array(t *gojq.Term) *gojq.Term {
	r.query(t.Array.Query)
	if r.options.MaxValue == 0 || t.Array.Query == nil {
		return t
	}
	x := r.variable()
	t.Array.Query = &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeForeach, Foreach: &gojq.Foreach{
		Query: t.Array.Query, Patterns: []*gojq.Pattern{{Name: x}},
		Start:   &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeNumber, Number: "0"}},
		Update:  callQuery("_check_grow", callQuery(x)),
		Extract: callQuery(x),
	}}}
	return t
}

// interpolated rewrites a string with expressions in it as gojq does, as a sum of
// strings, of which each is what format makes of a value.
func (r *rewriter) interpolated(t, format *gojq.Term) *gojq.Term {
	r.text(t.Str)
	if r.options.MaxValue == 0 || len(t.Str.Queries) == 0 {
		return t
	}
	var sum *gojq.Query
	for _, q := range t.Str.Queries {
		if q.Term == nil || q.Term.Str == nil || q.Term.Type != gojq.TermTypeString {
			q = checked(&gojq.Query{Left: q, Op: gojq.OpPipe, Right: &gojq.Query{Term: format}})
		}
		if sum == nil {
			sum = q
		} else {
			sum = r.operator("_check_add", gojq.OpAdd, sum, q)
		}
	}
	return &gojq.Term{Type: gojq.TermTypeQuery, Query: sum}
}

// checkedTerm is t with a check of what comes out of it.
func (r *rewriter) checkedTerm(t *gojq.Term) *gojq.Term {
	if r.options.MaxValue == 0 {
		return t
	}
	return &gojq.Term{Type: gojq.TermTypeQuery, Query: checked(&gojq.Query{Term: t})}
}

func checked(q *gojq.Query) *gojq.Query {
	return &gojq.Query{Left: q, Op: gojq.OpPipe, Right: callQuery("_check")}
}

func identity() *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIdentity}}
}

// callQuery is the call of a function, or the use of a variable.
func callQuery(name string, args ...*gojq.Query) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name, Args: args}}}
}

// A node is a part of an expression: one of its members is not nil.
type node struct {
	query  *gojq.Query
	term   *gojq.Term
	member *gojq.ObjectKeyVal
}

// walk calls visit for all queries, terms and members of objects in q.
func walk(q *gojq.Query, visit func(node)) { walkValue(reflect.ValueOf(q), visit) }

// walkQueries calls visit for q and all queries in it.
func walkQueries(q *gojq.Query, visit func(*gojq.Query)) {
	walk(q, func(n node) {
		if n.query != nil {
			visit(n.query)
		}
	})
}

func walkValue(v reflect.Value, visit func(node)) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		switch p := v.Interface().(type) {
		case *gojq.Query:
			visit(node{query: p})
		case *gojq.Term:
			visit(node{term: p})
		case *gojq.ObjectKeyVal:
			visit(node{member: p})
		}
		walkValue(v.Elem(), visit)
	case reflect.Struct:
		for _, field := range v.Fields() {
			walkValue(field, visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walkValue(v.Index(i), visit)
		}
	}
}
