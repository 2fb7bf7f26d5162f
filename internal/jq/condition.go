package jq

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// CompileCondition is Compile for the expression of a condition. It refuses what is
// true for every event, or for none: an assignment where a comparison was meant, and
// a constant.
func CompileCondition(flag, expr string, vars Vars) (*Filter, error) {
	f, err := Compile(flag, expr, vars)
	if err != nil {
		return nil, err
	}
	if op := assignment(f.query); op != 0 {
		msg := fmt.Sprintf("an assignment (%s) is not a condition: its result counts as true for every event", op)
		if op == gojq.OpAssign {
			msg += "; compare with =="
		}
		return nil, &Error{Flag: flag, Expr: expr, Offset: findOperator(expr, op.String()), Msg: msg}
	}
	if constantQuery(f.query) {
		start := len(expr) - len(strings.TrimLeft(expr, " \t\r\n"))
		return nil, &Error{Flag: flag, Expr: expr, Offset: start, Msg: "a constant is not a condition: it does not depend on the event"}
	}
	return f, nil
}

// assignment returns the operator of an assignment whose result decides whether q is
// true, or 0: the result itself, or an operand of what is made of truths or values.
func assignment(q *gojq.Query) gojq.Operator {
	return assigned(q, nil)
}

// assigned is assignment for a query in which defs are defined.
func assigned(q *gojq.Query, defs []*gojq.FuncDef) gojq.Operator {
	if q == nil {
		return 0
	}
	defs = append(defs[:len(defs):len(defs)], q.FuncDefs...)
	if q.Term != nil {
		return assignedTerm(q.Term, defs)
	}
	switch q.Op {
	case gojq.OpAssign, gojq.OpModify, gojq.OpUpdateAdd, gojq.OpUpdateSub, gojq.OpUpdateMul,
		gojq.OpUpdateDiv, gojq.OpUpdateMod, gojq.OpUpdateAlt:
		return q.Op
	case gojq.OpPipe:
		// What a later stage looks up in the result of an assignment is its matter, but
		// for those that keep it or turn it around.
		if t := q.Right.Term; t != nil && t.Type == gojq.TermTypeFunc && (t.Func.Name == "not" || t.Func.Name == "select") {
			if op := assigned(q.Left, defs); op != 0 {
				return op
			}
		}
		return assigned(q.Right, defs)
	}
	if op := assigned(q.Left, defs); op != 0 {
		return op
	}
	return assigned(q.Right, defs)
}

// deciding are the functions of jq whose arguments decide.
var deciding = []string{"select", "any", "all", "first", "last", "isempty"}

func assignedTerm(t *gojq.Term, defs []*gojq.FuncDef) gojq.Operator {
	var parts []*gojq.Query
	switch {
	case len(t.SuffixList) > 0: // something is looked up in it
	case t.Type == gojq.TermTypeQuery:
		parts = append(parts, t.Query)
	case t.Type == gojq.TermTypeIf:
		parts = append(parts, t.If.Cond, t.If.Then, t.If.Else)
		for _, e := range t.If.Elif {
			parts = append(parts, e.Cond, e.Then)
		}
	case t.Type == gojq.TermTypeFunc:
		i := slices.IndexFunc(defs, func(d *gojq.FuncDef) bool {
			return d.Name == t.Func.Name && len(d.Args) == len(t.Func.Args)
		})
		if i >= 0 {
			// Without those that come after it: it may call itself.
			return assigned(defs[i].Body, defs[:i])
		}
		if slices.Contains(deciding, t.Func.Name) {
			parts = t.Func.Args
		}
	}
	for _, p := range parts {
		if op := assigned(p, defs); op != 0 {
			return op
		}
	}
	return 0
}

// constantQuery reports whether q is made of literals and variables alone.
func constantQuery(q *gojq.Query) bool {
	if q == nil || len(q.FuncDefs) > 0 || len(q.Imports) > 0 || len(q.Patterns) > 0 {
		return false
	}
	if q.Op == gojq.OpPipe {
		return constantQuery(q.Left) && keepsConstant(q.Right)
	}
	if q.Term == nil {
		return constantQuery(q.Left) && constantQuery(q.Right)
	}
	t := q.Term
	if len(t.SuffixList) > 0 {
		return false
	}
	switch t.Type {
	case gojq.TermTypeNull, gojq.TermTypeTrue, gojq.TermTypeFalse, gojq.TermTypeNumber:
		return true
	case gojq.TermTypeString:
		return t.Str.Queries == nil
	case gojq.TermTypeUnary:
		return constantQuery(&gojq.Query{Term: t.Unary.Term})
	case gojq.TermTypeQuery:
		return constantQuery(t.Query)
	case gojq.TermTypeArray:
		return t.Array.Query == nil || constantQuery(t.Array.Query)
	case gojq.TermTypeObject:
		return !slices.ContainsFunc(t.Object.KeyVals, func(kv *gojq.ObjectKeyVal) bool { return !constantMember(kv) })
	case gojq.TermTypeFunc:
		return strings.HasPrefix(t.Func.Name, "$")
	}
	return false
}

// keepsConstant reports whether q makes a constant of one.
func keepsConstant(q *gojq.Query) bool {
	if q.Op == gojq.OpPipe {
		return keepsConstant(q.Left) && keepsConstant(q.Right)
	}
	t := q.Term
	return t != nil && t.Type == gojq.TermTypeFunc && t.Func.Name == "not" || constantQuery(q)
}

func constantMember(kv *gojq.ObjectKeyVal) bool {
	switch {
	case kv.KeyQuery != nil && !constantQuery(kv.KeyQuery), kv.KeyString != nil && kv.KeyString.Queries != nil:
		return false
	case kv.Val == nil: // {a} is {a: .a}, but {$a} is a variable
		return strings.HasPrefix(kv.Key, "$")
	}
	return constantQuery(kv.Val)
}

// findOperator returns the offset of the first operator op of expr, or -1.
func findOperator(expr, op string) int {
	code := masked(expr)
	for i := 0; i < len(code); i++ {
		n := 0
		for n < len(code)-i && n < 3 && strings.IndexByte("=!<>|+-*/%?", code[i+n]) >= 0 {
			n++
		}
		if code[i:i+n] == op {
			return i
		}
		i += max(n-1, 0)
	}
	return -1
}

// DecidedByTypes explains that a comparison of values of different types made v match;
// "" when none did.
func (f *Filter) DecidedByTypes(ctx context.Context, v any) string {
	if c := newTypeCheck(f); c != nil {
		return c.decided(ctx, v)
	}
	return ""
}

// A typeCheck finds out whether the types of operands decided a comparison. jq has an
// order of all values: null, false, true, numbers, strings, arrays, objects.
type typeCheck struct {
	filter *Filter // with comparisons that take note
	noted  string
}

// newTypeCheck returns nil for an expression that compares nothing.
func newTypeCheck(f *Filter) *typeCheck {
	query, err := gojq.Parse(f.expr) // of its own, to be changed
	if err != nil || !instrument(reflect.ValueOf(query)) {
		return nil
	}
	c := &typeCheck{}
	var options []gojq.CompilerOption
	for op, name := range ordering {
		options = append(options, gojq.WithFunction(name, 2, 2, func(_ any, operands []any) any {
			return c.compare(op, operands[0], operands[1])
		}))
	}
	code, err := f.compile(query, options...)
	if err != nil {
		return nil
	}
	c.filter = &Filter{flag: f.flag, expr: f.expr, code: code, values: f.values}
	return c
}

// ordering are the comparisons that ask for an order, and the functions that do them
// instead of the operators.
var ordering = map[gojq.Operator]string{
	gojq.OpLt: "hark_lt", gojq.OpLe: "hark_le", gojq.OpGt: "hark_gt", gojq.OpGe: "hark_ge",
}

// instrument replaces the comparisons below v by calls, and reports whether there are
// any.
func instrument(v reflect.Value) (found bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return false
		}
		found = instrument(v.Elem())
		if q, ok := v.Interface().(*gojq.Query); ok && ordering[q.Op] != "" {
			*q = gojq.Query{FuncDefs: q.FuncDefs, Term: &gojq.Term{
				Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: ordering[q.Op], Args: []*gojq.Query{q.Left, q.Right}},
			}}
			found = true
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			found = instrument(field) || found
		}
	case reflect.Slice:
		for i := range v.Len() {
			found = instrument(v.Index(i)) || found
		}
	}
	return found
}

func (c *typeCheck) compare(op gojq.Operator, a, b any) bool {
	order := gojq.Compare(a, b)
	holds := order < 0 && op != gojq.OpGt && op != gojq.OpGe || order > 0 && op != gojq.OpLt && op != gojq.OpLe ||
		order == 0 && (op == gojq.OpLe || op == gojq.OpGe)
	if left, right := gojq.TypeOf(a), gojq.TypeOf(b); left != right && c.noted == "" {
		c.noted = fmt.Sprintf("%s compared %s with %s", op, typeName(left), typeName(right))
	}
	return holds
}

// decided is DecidedByTypes.
func (c *typeCheck) decided(ctx context.Context, v any) string {
	c.noted = ""
	if ok, err := c.filter.Matches(ctx, v); !ok || err != nil || c.noted == "" {
		return ""
	}
	return c.noted + ": jq orders values of different types by their types, so it says nothing about them"
}

// typeName is a type of jq with its article.
func typeName(name string) string {
	switch name {
	case "null":
		return name
	case "array", "object":
		return "an " + name
	}
	return "a " + name
}
