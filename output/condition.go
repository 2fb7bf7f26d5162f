package output

import (
	"fmt"
	"strings"

	"github.com/itchyny/gojq"

	"github.com/hark-cli/hark/internal/jsontext"
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
		msg := fmt.Sprintf("an assignment (%s) is no condition: its result counts as true for every event", op)
		if op == gojq.OpAssign {
			msg += "; compare with =="
		}
		return nil, &ExprError{Flag: flag, Expr: expr, Offset: findOperator(expr, op.String()), Msg: msg}
	}
	if constantQuery(f.query) {
		start := len(expr) - len(strings.TrimLeft(expr, " \t\r\n"))
		return nil, &ExprError{Flag: flag, Expr: expr, Offset: start, Msg: "a constant is no condition: it does not depend on the event"}
	}
	return f, nil
}

// assignment returns the operator of an assignment whose result decides whether q is
// true, or 0.
func assignment(q *gojq.Query) gojq.Operator {
	q = inner(q)
	switch q.Op {
	case gojq.OpAssign, gojq.OpModify, gojq.OpUpdateAdd, gojq.OpUpdateSub, gojq.OpUpdateMul,
		gojq.OpUpdateDiv, gojq.OpUpdateMod, gojq.OpUpdateAlt:
		return q.Op
	case gojq.OpAnd, gojq.OpOr:
		if op := assignment(q.Left); op != 0 {
			return op
		}
		return assignment(q.Right)
	case gojq.OpPipe:
		// What a later stage makes of the result of an assignment is its matter, but
		// for those that keep it or turn it around.
		if t := q.Right.Term; t != nil && t.Type == gojq.TermTypeFunc && (t.Func.Name == "not" || t.Func.Name == "select") {
			if op := assignment(q.Left); op != 0 {
				return op
			}
		}
		return assignment(q.Right)
	}
	return 0
}

// constantQuery reports whether q is made of literals and variables alone.
func constantQuery(q *gojq.Query) bool {
	if q == nil || len(q.FuncDefs) > 0 || len(q.Imports) > 0 || len(q.Patterns) > 0 {
		return false
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
	case gojq.TermTypeFunc:
		return strings.HasPrefix(t.Func.Name, "$")
	}
	return false
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

// decidedByTypes explains that a comparison of values of different types made an
// event match; "" when none did. jq has an order of all values: null, false, true,
// numbers, strings, arrays, objects.
func (r *reason) decidedByTypes(v any) string {
	for i := range r.terms {
		t := &r.terms[i]
		switch t.op {
		case gojq.OpLt, gojq.OpLe, gojq.OpGt, gojq.OpGe:
		default:
			continue
		}
		value, ok := lookup(v, t.path)
		got, want := gojq.TypeOf(value), gojq.TypeOf(t.want)
		if !ok || got == want {
			continue
		}
		constant, err := jsontext.AppendValue(nil, t.want)
		if err != nil {
			continue
		}
		return fmt.Sprintf("%s is %s and %s is %s: jq orders values of different types by their types, so the comparison says nothing about them",
			t.text, typeName(got), clean(string(constant)), typeName(want))
	}
	return ""
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
