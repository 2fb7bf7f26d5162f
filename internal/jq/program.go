package jq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/itchyny/gojq"

	"github.com/hark-cli/hark/internal/console"
)

// Options says what a Program sees and how much it may take. The zero value has no
// variables and no limits.
type Options struct {
	// Vars are the names of the variables, without the $. Their values are given to
	// each Run, in this order.
	Vars []string
	// Funcs are variables whose value is made anew at each use, by name without the $.
	// Such a variable cannot be bound again by the expression.
	Funcs map[string]func() any

	// Timeout limits the time of one Run; 0 is no limit. A single native call, such as
	// a regular expression on a long text, is not interrupted.
	Timeout time.Duration
	// MaxOutputs limits how many values one Run yields; 0 is no limit.
	MaxOutputs int
	// MaxValue limits the size of each value that a Run makes, those that only appear
	// on the way to its outputs included, and the size of all outputs together; in
	// bytes, about as many as the value has as JSON. 0 is no limit.
	MaxValue int
}

// A Program is an expression from a file, which is less trusted than one from a command
// line: it sees only its input and its variables, reads and writes nothing, and has
// limits. Its runs follow one another; it may be used by several goroutines.
type Program struct {
	key, expr string
	options   Options
	query     *gojq.Query // as it was written
	quick     quick       // nil when it takes a run
	code      *gojq.Code

	mu    sync.Mutex
	meter *meter // of the current run
}

// A LimitError is what Program.Run returns when the expression has reached a limit.
type LimitError struct {
	// Key and Expr are the expression and where it came from.
	Key, Expr string
	// Limit is the limit that was reached: "time", "outputs", "size" or "memory".
	Limit string
	// Msg says what happened.
	Msg string
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Key, e.Msg, console.Brief(e.Expr))
}

// forbidden are the functions and variables that a Program cannot use: they read what
// is not its input, write, or end the program.
var forbidden = []string{
	"env", "$ENV", "input", "inputs", "halt", "halt_error", "debug", "stderr",
	"input_filename", "$__prog_args", "modulemeta", "get_search_list",
}

// CompileProgram compiles an expression. key is where it came from, for messages:
// `[[on]] "send"`. The error is an *Error.
func CompileProgram(key, expr string, o Options) (p *Program, err error) {
	defer func() {
		if r := recover(); r != nil { // a bug of the compiler
			p, err = nil, &Error{Flag: key, Expr: expr, Offset: -1, Msg: fmt.Sprintf("cannot be compiled: %v", r)}
		}
	}()
	for name := range o.Funcs {
		if !validName(name) {
			return nil, &Error{Flag: key, Expr: name, Offset: -1, Msg: badName(name)}
		}
	}
	names := make([]string, len(o.Vars))
	for i, name := range o.Vars {
		if !validName(name) {
			return nil, &Error{Flag: key, Expr: name, Offset: -1, Msg: badName(name)}
		}
		names[i] = "$" + name
	}
	query, err := gojq.Parse(expr)
	if err != nil {
		return nil, parseError(key, expr, err)
	}
	if err := checkFormats(key, expr); err != nil {
		return nil, err
	}
	p = &Program{key: key, expr: expr, options: o, query: query, quick: quickQuery(query)}
	limited, err := gojq.Parse(expr) // of its own, to be changed
	if err != nil {
		return nil, parseError(key, expr, err)
	}
	rewrite := rewriter{options: o}
	if rewrite.query(limited); rewrite.msg != "" {
		return nil, &Error{Flag: key, Expr: expr, Offset: find(expr, rewrite.where), Msg: rewrite.msg}
	}
	limited.FuncDefs = append(loopDefs()[:len(loopDefs()):len(loopDefs())], limited.FuncDefs...)
	functions := []gojq.CompilerOption{gojq.WithVariables(names)}
	for name, f := range o.Funcs {
		functions = append(functions, gojq.WithFunction(funcPrefix+name, 0, 0, func(any, []any) any { return f() }))
	}
	if p.code, err = gojq.Compile(limited, append(functions, p.checks()...)...); err != nil {
		return nil, compileError(key, expr, err)
	}
	return p, nil
}

// String returns the expression.
func (p *Program) String() string { return p.expr }

// Key returns where the expression came from.
func (p *Program) Key() string { return p.key }

// Run applies the expression to v, which must be of the types of eventjson.Decoder, as
// the values of the variables must be, and is not changed. It returns the outputs,
// which may share memory with v and the variables; Clone makes a copy that lasts.
//
// The error is a *LimitError, an Interrupted when ctx has ended, or about the
// expression and this input. There are no outputs then.
func (p *Program) Run(ctx context.Context, v any, vars ...any) (outputs []any, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.newMeter(ctx)
	p.meter = m
	defer func() {
		if r := recover(); r != nil {
			outputs, err = nil, fmt.Errorf("internal error of the expression: %v", r)
		}
		p.meter = nil
	}()
	if len(vars) != len(p.options.Vars) {
		return nil, fmt.Errorf("internal error: %d values for %d variables", len(vars), len(p.options.Vars))
	}
	total := 0
	iter := p.code.RunWithContext(m, v, vars...)
	for {
		out, ok := iter.Next()
		switch failure, failed := out.(error); {
		case m.err != nil:
			return nil, m.err
		case !ok:
			return outputs, nil
		case failed:
			return nil, errors.New(console.Brief(failure.Error()))
		case p.options.MaxOutputs > 0 && len(outputs) == p.options.MaxOutputs:
			return nil, m.exceed("outputs", fmt.Sprintf("more than %d outputs", p.options.MaxOutputs))
		case p.options.MaxValue > 0:
			size, ok := m.size(out)
			if total += size; !ok || total > p.options.MaxValue {
				return nil, m.tooLarge()
			}
		}
		outputs = append(outputs, out)
	}
}

// Mentions reports whether the expression may look at the member key of the variable
// $name. It does not only when all it looks up in $name are other members by their
// names, as in $name.other.
func (p *Program) Mentions(name, key string) bool {
	found := false
	p.lookups(name, func(member string) { found = found || member == "" || member == key })
	return found
}

// Uses reports whether the expression uses the variable $name.
func (p *Program) Uses(name string) bool {
	found := false
	walk(p.query, func(n node) {
		found = found || n.term != nil && n.term.Type == gojq.TermTypeFunc && n.term.Func.Name == "$"+name ||
			n.member != nil && n.member.Key == "$"+name
	})
	return found
}

// Clone returns a copy of v, of the types of eventjson.Decoder or gojq, that shares no
// map and no slice with it.
func Clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = Clone(e)
		}
		return m
	case []any:
		a := make([]any, len(v))
		for i, e := range v {
			a[i] = Clone(e)
		}
		return a
	}
	return v
}

// refused returns what is wrong with using name in a Program, or "".
func refused(name string) string {
	if slices.Contains(forbidden, name) {
		return name + " cannot be used here: an expression sees only its input and its variables"
	}
	if strings.HasPrefix(name, "_") {
		return "function not defined: " + name
	}
	return ""
}
