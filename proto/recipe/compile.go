package recipe

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hark-cli/hark/internal/jq"
)

// An expr is the value of a key that is a jq expression: a program, or a number or
// boolean that stands for itself.
type expr struct {
	name     string // of the key, for messages: "[[on]] 2, send"
	text     string
	constant any         // when program is nil
	program  *jq.Program // nil for a constant
	// secret: it looks at a credential, so that what it makes is withheld.
	secret bool
}

// Limits are what an expression may take; see jq.Options.
type Limits struct {
	// Timeout is that of --jq-timeout, 0 for none; MaxValue is the size of a message.
	Timeout  time.Duration
	MaxValue int
	// Random returns the next value of $random, from 0 to 1; nil for a random one.
	Random func() float64
}

// maxOutputs is how many outputs an expression may have.
const maxOutputs = 1000

// A compiler compiles the expressions of keys that see the same variables.
type compiler struct {
	r      *Recipe
	limits Limits
	vars   []string // without the $
	// outline: nothing is compiled.
	outline bool
}

// variables are those that every expression sees, unless its table says otherwise, in
// the order of the values in a run; $random is a function besides.
var variables = []string{"param", "state", "cursor", "now", "now_ms", "attempt"}

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
		if c.outline {
			break
		}
		if err := c.compile(e); err != nil {
			c.mistake(t, key, e, err)
		}
	default:
		t.wrong(key, "expected a jq expression in quotes, a number or a boolean, not %s", typeName(v))
	}
	return e
}

// compile compiles an expression.
func (c compiler) compile(e *expr) (err error) {
	e.program, err = jq.CompileProgram(e.name, e.text, jq.Options{
		Vars:       c.vars,
		Funcs:      map[string]func() any{"random": func() any { return c.limits.Random() }},
		Timeout:    c.limits.Timeout,
		MaxOutputs: maxOutputs,
		MaxValue:   c.limits.MaxValue,
	})
	if err != nil {
		return err
	}
	for _, p := range c.r.Params {
		e.secret = e.secret || p.Secret && e.program.Mentions("param", p.Name)
	}
	for _, key := range c.r.secrets {
		for _, variable := range []string{"state", "cursor"} {
			e.secret = e.secret || slices.Contains(c.vars, variable) && e.program.Mentions(variable, key)
		}
	}
	return nil
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

// run evaluates an expression, and returns its outputs.
func (e *expr) run(v any, vars []any) ([]any, error) {
	if e.program == nil {
		return []any{e.constant}, nil
	}
	if out, ok := e.program.One(v); ok {
		return []any{out}, nil
	}
	return e.program.Run(context.Background(), v, vars...)
}
