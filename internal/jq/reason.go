package jq

import (
	"context"
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"

	"github.com/hark-cli/hark/internal/eventjson"
)

// A Reason finds out why an expression did not match an event, where the value of
// one path decided it: of the terms that "and" joins, all others held.
//
//	.type == "reading" and .data.temp > 21
//	select(.data.alarm) and (.id | startswith("a"))
type Reason struct{ terms []Term }

// A Term is one part of an expression.
type Term struct {
	// path and its text are what the term depends on; the text is "" when that is
	// not one path.
	path []any // of string and int
	text string
	// A term of the form PATH OP CONSTANT, or of a path alone, is looked at
	// without jq.
	op    gojq.Operator
	want  any
	code  *Filter // any other term
	query *gojq.Query
}

// Reason returns nil when there is no path whose value could be the reason.
func (f *Filter) Reason() *Reason {
	q := f.query
	if len(q.FuncDefs) > 0 || len(q.Imports) > 0 {
		return nil // parts would lose the definitions
	}
	r := &Reason{}
	paths := false
	for _, q := range conjuncts(q) {
		t, ok := f.term(q)
		if !ok {
			return nil
		}
		t.query = q
		paths = paths || t.text != ""
		r.terms = append(r.terms, t)
	}
	if !paths {
		return nil
	}
	return r
}

// Needs returns what Missed, and the values of the terms that it returns, require of an
// event; nil stands for all of it. r may be nil.
func (r *Reason) Needs(f *Filter) *eventjson.Selection {
	needs := f.needs
	if r == nil {
		return needs
	}
	for _, t := range r.terms {
		var names []string
		for _, key := range t.path {
			name, ok := key.(string)
			if !ok {
				break
			}
			names = append(names, name)
		}
		if t.text == "" {
			continue
		}
		if len(names) == 0 {
			return nil
		}
		var whole *eventjson.Selection
		for _, name := range slices.Backward(names) {
			s := &eventjson.Selection{}
			s.Add(name, whole)
			whole = s
		}
		needs = needs.Union(whole)
	}
	return needs
}

// conjuncts takes an expression apart at "and".
func conjuncts(q *gojq.Query) []*gojq.Query {
	q = inner(q)
	if q.Term == nil && q.Op == gojq.OpAnd && len(q.FuncDefs) == 0 {
		return append(conjuncts(q.Left), conjuncts(q.Right)...)
	}
	return []*gojq.Query{q}
}

// inner takes parentheses and select away.
func inner(q *gojq.Query) *gojq.Query {
	for len(q.FuncDefs) == 0 && q.Term != nil && len(q.Term.SuffixList) == 0 {
		switch t := q.Term; {
		case t.Type == gojq.TermTypeQuery:
			q = t.Query
		case t.Type == gojq.TermTypeFunc && t.Func.Name == "select" && len(t.Func.Args) == 1:
			q = t.Func.Args[0]
		default:
			return q
		}
	}
	return q
}

func (f *Filter) term(q *gojq.Query) (Term, bool) {
	if path, text, ok := staticPath(q); ok {
		return Term{path: path, text: text}, true
	}
	if q.Term == nil && len(q.FuncDefs) == 0 && len(q.Patterns) == 0 {
		if op, ok := turned(q.Op, false); ok {
			path, text, isPath := staticPath(inner(q.Left))
			want, isConst := f.constant(inner(q.Right))
			if !isPath || !isConst {
				op, _ = turned(q.Op, true)
				path, text, isPath = staticPath(inner(q.Right))
				want, isConst = f.constant(inner(q.Left))
			}
			if isPath && isConst {
				return Term{path: path, text: text, op: op, want: want}, true
			}
		}
	}
	code, err := f.compile(q)
	if err != nil {
		return Term{}, false // it uses what stands outside it
	}
	t := Term{code: &Filter{flag: f.flag, expr: f.expr, code: code, values: f.values}}
	if q.Op == gojq.OpPipe && len(q.FuncDefs) == 0 && len(q.Patterns) == 0 {
		if path, text, ok := staticPath(inner(q.Left)); ok {
			t.path, t.text = path, text
		}
	}
	return t, true
}

// turned returns a comparison operator, or the one for swapped sides.
func turned(op gojq.Operator, swap bool) (gojq.Operator, bool) {
	swapped := map[gojq.Operator]gojq.Operator{
		gojq.OpEq: gojq.OpEq, gojq.OpNe: gojq.OpNe,
		gojq.OpGt: gojq.OpLt, gojq.OpLt: gojq.OpGt, gojq.OpGe: gojq.OpLe, gojq.OpLe: gojq.OpGe,
	}
	other, ok := swapped[op]
	if swap {
		op = other
	}
	return op, ok
}

// staticPath reports whether q is a path without anything computed: .a["b"][0]?
func staticPath(q *gojq.Query) (path []any, text string, ok bool) {
	t := q.Term
	if t == nil || len(q.FuncDefs) > 0 || t.Type != gojq.TermTypeIndex && t.Type != gojq.TermTypeIdentity {
		return nil, "", false
	}
	var parts []*gojq.Index
	if t.Index != nil {
		parts = append(parts, t.Index)
	}
	for _, s := range t.SuffixList {
		switch {
		case s.Index != nil:
			parts = append(parts, s.Index)
		case !s.Optional:
			return nil, "", false
		}
	}
	for _, p := range parts {
		key := indexKey(p)
		if key == nil {
			return nil, "", false
		}
		path = append(path, key)
	}
	return path, pathText(path), true
}

// indexKey returns the name or number of a step, or nil when it is computed.
func indexKey(p *gojq.Index) any {
	switch {
	case p.IsSlice:
	case p.Name != "":
		return p.Name
	case p.Str != nil:
		if p.Str.Queries == nil {
			return p.Str.Str
		}
	case p.Start != nil && len(p.Start.FuncDefs) == 0 && p.Start.Term != nil:
		switch v := literal(p.Start.Term).(type) {
		case string, int:
			return v
		}
	}
	return nil
}

func pathText(path []any) string {
	var b strings.Builder
	for _, key := range path {
		switch key := key.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(key) + "]")
		case string:
			if validName(key) {
				b.WriteString("." + key)
			} else {
				b.WriteString("[" + string(eventjson.AppendString(nil, key)) + "]")
			}
		}
	}
	if text := b.String(); strings.HasPrefix(text, ".") {
		return text
	}
	return "." + b.String()
}

// constant returns the value of a literal or of a variable of the command line.
func (f *Filter) constant(q *gojq.Query) (any, bool) {
	t := q.Term
	if t == nil || len(q.FuncDefs) > 0 || len(t.SuffixList) > 0 {
		return nil, false
	}
	if t.Type == gojq.TermTypeNull {
		return nil, true
	}
	if t.Type == gojq.TermTypeFunc && len(t.Func.Args) == 0 {
		for i, name := range f.names {
			if name == t.Func.Name {
				return f.values[i], true
			}
		}
		return nil, false
	}
	v := literal(t)
	return v, v != nil
}

// literal returns the value of a literal other than null, in the types of
// eventjson.Decoder, or nil.
func literal(t *gojq.Term) any {
	if len(t.SuffixList) > 0 {
		return nil
	}
	switch t.Type {
	case gojq.TermTypeTrue:
		return true
	case gojq.TermTypeFalse:
		return false
	case gojq.TermTypeString:
		if t.Str.Queries == nil {
			return t.Str.Str
		}
	case gojq.TermTypeNumber:
		return number(t.Number)
	case gojq.TermTypeUnary:
		if t.Unary.Term.Type != gojq.TermTypeNumber || len(t.Unary.Term.SuffixList) > 0 {
			return nil
		}
		if t.Unary.Op == gojq.OpSub {
			return number("-" + t.Unary.Term.Number)
		}
		return number(t.Unary.Term.Number)
	}
	return nil
}

func number(text string) any {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	if n, ok := new(big.Int).SetString(text, 10); ok {
		return n
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return f
	}
	return nil
}

// Missed returns the term whose path is the reason that v did not match, or nil.
func (r *Reason) Missed(ctx context.Context, v any) *Term {
	var missed *Term
	for _, native := range []bool{true, false} { // the cheap ones first
		for i := range r.terms {
			t := &r.terms[i]
			if native != (t.code == nil) || t.holds(ctx, v) {
				continue
			}
			if missed != nil {
				return nil // not the only one
			}
			missed = t
		}
	}
	if missed == nil || missed.text == "" {
		return nil
	}
	return missed
}

func (t *Term) holds(ctx context.Context, v any) bool {
	if t.code != nil {
		ok, err := t.code.Matches(ctx, v)
		return ok && err == nil
	}
	v, ok := lookup(v, t.path)
	if !ok {
		return false
	}
	if t.op == 0 {
		return v != nil && v != false
	}
	c := gojq.Compare(v, t.want)
	switch t.op {
	case gojq.OpEq:
		return c == 0
	case gojq.OpNe:
		return c != 0
	case gojq.OpGt:
		return c > 0
	case gojq.OpGe:
		return c >= 0
	case gojq.OpLt:
		return c < 0
	}
	return c <= 0
}

// lookup returns the value of a path: null where there is none, and false where jq
// would say that there cannot be one.
func lookup(v any, path []any) (any, bool) {
	for _, key := range path {
		switch key := key.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok && v != nil {
				return nil, false
			}
			v = m[key]
		case int:
			a, ok := v.([]any)
			if !ok && v != nil {
				return nil, false
			}
			if key < 0 {
				key += len(a)
			}
			if v = nil; 0 <= key && key < len(a) {
				v = a[key]
			}
		}
	}
	return v, true
}

// Path returns the path that t depends on as it is written in jq: .data.temp
func (t *Term) Path() string { return t.text }

// Value returns the value of the path of t in v: null where there is none. ok is false
// where jq would say that there cannot be one.
func (t *Term) Value(v any) (value any, ok bool) { return lookup(v, t.path) }

// Distance returns how far a value is from the number that t compares with; ok is false
// when it is not a number, or not compared with one.
func (t *Term) Distance(value any) (d float64, ok bool) {
	got, isNumber := float(value)
	want, ok := t.wanted()
	return math.Abs(got - want), isNumber && ok
}

// wanted returns the number that t compares with.
func (t *Term) wanted() (want float64, ok bool) {
	want, ok = float(t.want)
	return want, ok && t.op != gojq.OpNe
}

// float returns the value of a number.
func float(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v)
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f, true
	}
	return 0, false
}
