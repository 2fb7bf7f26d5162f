package recipe

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/jq"
)

// An expr is the value of a key that is a jq expression: a program, or a number or
// boolean that stands for itself.
type expr struct {
	name     string // of the key, for messages: "[[on]] 2, send"
	text     string
	constant any // when filter is nil
	filter   *jq.Filter
}

// A compiler compiles the expressions of keys that see the same variables.
type compiler struct {
	r     *Recipe
	event bool     // they see $event
	only  []string // what they see instead of everything; nil for everything
}

// variables are those that every expression sees, unless its table says otherwise.
var variables = []string{"$param", "$state", "$cursor", "$now", "$now_ms", "$random", "$attempt"}

// need reads a key that must be there.
func (c compiler) need(t *table, key string) *expr {
	if _, ok := t.m[key]; !ok {
		t.fault(t.doc.Position(t.path...), "%s: missing key: %s", t.title, key)
	}
	return c.expr(t, key)
}

// expr reads a key whose value is an expression; nil if it is not there.
func (c compiler) expr(t *table, key string) *expr {
	v, ok := t.get(key)
	if !ok {
		return nil
	}
	e := &expr{name: t.name(key)}
	switch v := v.(type) {
	case int64:
		e.constant = int(v)
	case float64, bool:
		e.constant = v
	case string:
		e.text = v
		c.compile(t, key, e)
	default:
		t.wrong(key, "expected a jq expression in quotes, a number or a boolean, not %s", typeName(v))
	}
	return e
}

// compile compiles an expression.
func (c compiler) compile(t *table, key string, e *expr) {
	names := c.only
	if names == nil {
		names = variables
	}
	if c.event {
		names = append(slices.Clone(names), "$event")
	}
	var vars jq.Vars
	for _, name := range names {
		v, err := jq.ArgJSON(strings.TrimPrefix(name, "$"), "null")
		if err != nil {
			panic(fmt.Sprintf("the variable %s: %v", name, err)) // they are all valid
		}
		vars.Named = append(vars.Named, v)
	}
	f, err := jq.Compile(e.name, e.text, vars)
	if err != nil {
		c.mistake(t, key, e, err)
		return
	}
	e.filter = f
}

// mistake notes a mistake in an expression where it stands.
func (c compiler) mistake(t *table, key string, e *expr, err error) {
	m, ok := errors.AsType[*jq.Error](err)
	if !ok {
		t.wrong(key, "%v", err)
		return
	}
	at := t.doc.Value(t.keys(key)...)
	if m.Offset >= 0 {
		at = t.doc.Within(e.text, m.Offset, t.keys(key)...)
	}
	t.fault(at, "%s: %s", e.name, m.Msg)
}
