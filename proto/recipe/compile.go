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
	vars   []string // that it sees
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
var variables = []string{"param", "state", "cursor", "now", "now_ms", "attempt", "moved"}

// need reads a key that must be there.
func (c compiler) need(t *table, key string) *expr {
	if _, ok := t.m[key]; !ok {
		t.fault(t.doc.Position(t.path...), "%s: missing key: %s", t.title, key)
	}
	return c.expr(t, key)
}

// address reads a key that must be there and yield an address, which is a string.
func (c compiler) address(t *table, key string) *expr {
	e := c.need(t, key)
	if e != nil && e.constant != nil {
		t.wrong(key, "expected a jq expression that yields an address, not %s", typeName(t.m[key]))
	}
	return e
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
	names := make([]string, len(c.r.Params))
	for i, p := range c.r.Params {
		names[i] = p.Name
	}
	if err := e.program.Undeclared("param", names); err != nil {
		return err
	}
	e.vars = c.vars
	e.secret = c.r.mentionsSecret(e, e.program)
	c.r.compiled = append(c.r.compiled, e)
	return nil
}

// mentionsSecret reports whether a part of an expression looks at a credential.
func (r *Recipe) mentionsSecret(e *expr, part interface{ Mentions(name, key string) bool }) bool {
	for _, p := range r.Params {
		if p.Secret && part.Mentions("param", p.Name) {
			return true
		}
	}
	for _, key := range r.secrets {
		for _, variable := range []string{"state", "cursor"} {
			if slices.Contains(e.vars, variable) && part.Mentions(variable, key) {
				return true
			}
		}
	}
	return false
}

// set reads a key whose expression makes members of the state or the cursor.
func (c compiler) set(t *table, key string) *expr {
	e := c.expr(t, key)
	if e != nil && e.program != nil {
		c.r.sets = append(c.r.sets, setting{e, func() {
			t.wrong(key, "it copies a credential, so its keys must be written out, such as {key: $param.token}")
		}})
	}
	return e
}

// A setting is an expression that makes members of the state or the cursor.
type setting struct {
	*expr
	wrong func() // notes that it is not known which members get a credential
}

// taint makes credentials of the keys that credentials are copied into.
func (r *Recipe) taint() {
	for more := true; more; {
		more = false
		for _, s := range r.sets {
			keys, _ := s.program.Keys(func(p *jq.Part) bool { return r.mentionsSecret(s.expr, p) })
			for _, key := range keys {
				if !slices.Contains(r.secrets, key) {
					r.secrets, more = append(r.secrets, key), true
				}
			}
		}
	}
	for _, e := range r.compiled {
		e.secret = r.mentionsSecret(e, e.program)
	}
	for _, s := range r.sets {
		if _, ok := s.program.Keys(func(p *jq.Part) bool { return r.mentionsSecret(s.expr, p) }); !ok {
			s.wrong()
		}
	}
	r.compiled, r.sets = nil, nil
}

// mistake notes a mistake in an expression where it stands.
func (c compiler) mistake(t *table, key string, e *expr, err error) {
	m, ok := errors.AsType[*jq.Error](err)
	if !ok {
		t.wrong(key, "%v", err)
		return
	}
	for _, variable := range variables {
		if m.Msg == "variable not defined: $"+variable && !slices.Contains(c.vars, variable) {
			m.Msg = "$" + variable + " cannot be used here: the event and $param are all that " + t.title + " sees"
		}
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
