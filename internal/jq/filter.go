package jq

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"

	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/eventjson"
)

// A Filter is a jq expression, compiled. It may be used by several goroutines.
type Filter struct {
	flag, expr string
	query      *gojq.Query
	code       *gojq.Code
	names      []string // of the variables, with the $, in the order of their compilation
	values     []any
	within     compiler             // compiles an expression that this one is a part of
	compile    compiler             // compiles a part of this one
	needs      *eventjson.Selection // what it looks at
}

// A compiler compiles expressions that see what a Filter sees.
type compiler = func(*gojq.Query, ...gojq.CompilerOption) (*gojq.Code, error)

// Vars is what an expression sees alongside its input. The zero value is ready.
type Vars struct {
	// Named contains the variables of --arg and --argjson. The first of a name
	// counts, as in jq.
	Named []Var
	// Environ is where $ENV and env come from, in the form of os.Environ, which
	// it should be; nil stands for an empty environment. Variables that begin
	// with HARK_ are withheld: hark's own credentials are among them, and a
	// filter that prints env must not print those. All others are there, as jq
	// users expect.
	Environ func() []string
	// Stderr gets what the expression says by way of debug and stderr: debug writes
	// ["DEBUG:",value], stderr the text as one line, in which nothing acts; both end
	// with a line feed, for the text may be a peer's.
	// It must be safe for use by several goroutines if the Filter is used so.
	// nil discards.
	Stderr io.Writer
}

// A Var is a named value. Make it with Arg or ArgJSON.
type Var struct {
	name  string
	value any
}

// Name returns the name, without the $.
func (v Var) Name() string { return v.name }

// Value returns the value, of the types of eventjson.Decoder.
func (v Var) Value() any { return v.value }

// Arg is the variable $name with a string as its value: --arg.
func Arg(name, value string) (Var, error) {
	if !validName(name) {
		return Var{}, &Error{Flag: "--arg", Expr: name, Offset: -1, Msg: badName(name)}
	}
	return Var{name, strings.ToValidUTF8(value, "\uFFFD")}, nil
}

// ArgJSON is the variable $name with the value of a JSON text: --argjson. The
// error is an *Error.
func ArgJSON(name, text string) (Var, error) {
	if !validName(name) {
		return Var{}, &Error{Flag: "--argjson", Expr: name, Offset: -1, Msg: badName(name)}
	}
	var d eventjson.Decoder // of its own: its maps live as long as the variable
	v, err := d.Decode([]byte(text))
	if err != nil {
		e := &Error{Flag: "--argjson " + name, Expr: text, Offset: -1, Msg: err.Error()}
		if se, ok := errors.AsType[*eventjson.SyntaxError](err); ok {
			e.Offset = se.Offset
		}
		return Var{}, e
	}
	return Var{name, v}, nil
}

func badName(name string) string {
	return fmt.Sprintf("%q cannot be the name of a variable: use letters, digits and _, with no digit in front", name)
}

// Compile compiles a jq expression. flag is the flag that it came from, for
// messages: "--jq". The error is an *Error.
//
// The language is gojq's, with debug and stderr. input and inputs do not exist,
// because the expression is run once for each event; modules neither.
func Compile(flag, expr string, vars Vars) (f *Filter, err error) {
	defer func() {
		// A bug of the compiler must be no worse than an expression that it does
		// not know.
		if r := recover(); r != nil {
			f, err = nil, &Error{Flag: flag, Expr: expr, Offset: -1, Msg: fmt.Sprintf("cannot be compiled: %v", r)}
		}
	}()
	query, err := gojq.Parse(expr)
	if err != nil {
		return nil, parseError(flag, expr, err)
	}
	if err := checkFormats(flag, expr); err != nil {
		return nil, err
	}
	names, values := vars.bind()
	stderr := vars.Stderr
	if stderr == nil {
		stderr = io.Discard
	}
	compile := func(stderr io.Writer) compiler {
		return func(query *gojq.Query, more ...gojq.CompilerOption) (*gojq.Code, error) {
			return gojq.Compile(query, append(more,
				gojq.WithVariables(names),
				gojq.WithEnvironLoader(vars.environ),
				gojq.WithFunction("debug", 0, 0, func(v any, _ []any) any { return debug(stderr, v) }),
				gojq.WithFunction("stderr", 0, 0, func(v any, _ []any) any { return printTo(stderr, v) }),
			)...)
		}
	}
	code, err := compile(stderr)(query)
	if err != nil {
		return nil, compileError(flag, expr, err)
	}
	return &Filter{
		flag: flag, expr: expr, query: query, code: code, names: names, values: values,
		needs:   needs(query),
		within:  compile(stderr),
		compile: compile(io.Discard), // parts are run again, and have said it already
	}, nil
}

// String returns the expression.
func (f *Filter) String() string { return f.expr }

// Flag returns the flag that the expression came from: "--jq".
func (f *Filter) Flag() string { return f.flag }

// Needs returns what the expression looks at in its input; nil stands for all of it.
// With nothing but that the expression yields the same values, except that its input
// itself may come out.
func (f *Filter) Needs() *eventjson.Selection { return f.needs }

// Pure reports whether f only yields values, so that it may be evaluated before its turn,
// or twice: it does not print, as debug and stderr do.
func (f *Filter) Pure() bool {
	pure := true
	walk(f.query, func(n node) {
		if n.term != nil && n.term.Type == gojq.TermTypeFunc {
			switch n.term.Func.Name {
			case "debug", "stderr":
				pure = false
			}
		}
	})
	return pure
}

// bind returns the variables as gojq requires them: $name for each, and $ARGS.
func (v Vars) bind() (names []string, values []any) {
	named := make(map[string]any, len(v.Named))
	for _, nv := range v.Named {
		if _, taken := named[nv.name]; taken {
			continue
		}
		named[nv.name] = nv.value
		names = append(names, "$"+nv.name)
		values = append(values, nv.value)
	}
	names = append(names, "$ARGS")
	values = append(values, map[string]any{"named": named, "positional": []any{}})
	return names, values
}

// Values returns the names of the variables, without the $, and their values, for
// Options.Vars and Program.Run.
func (v Vars) Values() (names []string, values []any) {
	names, values = v.bind()
	for i := range names {
		names[i] = strings.TrimPrefix(names[i], "$")
	}
	return names, values
}

func (v Vars) environ() []string {
	if v.Environ == nil {
		return nil
	}
	var seen []string
	for _, kv := range v.Environ() {
		if !strings.HasPrefix(kv, "HARK_") {
			seen = append(seen, kv)
		}
	}
	return seen
}

func debug(w io.Writer, v any) any {
	line, err := eventjson.AppendValue([]byte(`["DEBUG:",`), v)
	if err != nil {
		return err
	}
	if _, err := w.Write(append(line, "]\n"...)); err != nil {
		return err
	}
	return v
}

func printTo(w io.Writer, v any) any {
	text, ok := v.(string)
	if !ok {
		b, err := eventjson.AppendValue(nil, v)
		if err != nil {
			return err
		}
		text = string(b)
	}
	if _, err := io.WriteString(w, harmlessLine(text)+"\n"); err != nil {
		return err
	}
	return v
}

// harmlessLine returns text as one line. What could pass for a line of hark or for a
// command to a CI system is quoted.
func harmlessLine(text string) string {
	line := console.Line(text)
	for _, prefix := range []string{"hark:", "::", "##"} {
		if strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), prefix) {
			return strconv.Quote(line)
		}
	}
	return line
}

// ErrHalt is what Pipeline.Next returns for the expression's halt.
var ErrHalt = errors.New("halt")

// An Interrupted is what Pipeline.Next and Filter.Matches return when the context has
// ended, whose cause it has.
type Interrupted struct{ Cause error }

func (e Interrupted) Error() string { return e.Cause.Error() }

// A results is one run of a Filter, which goes on as its values are asked for.
type results struct {
	ctx  context.Context
	iter gojq.Iter
	f    *Filter
	dog  *Watchdog
}

// run applies f to v, which must be of the types of eventjson.Decoder and is not
// changed. When ctx ends, so does the run, at the next step of the expression: a
// native function that takes long, such as gsub on a long text, is not
// interrupted.
func (f *Filter) run(ctx context.Context, v any) results {
	return results{ctx, f.code.RunWithContext(ctx, v, f.values...), f, WatchdogOf(ctx)}
}

// next returns the next value; ok is false when there are no more. After an error
// the run is over, as in the jq command. ErrHalt and interrupted are not failures;
// all other errors, that of halt_error too, are about the expression and this
// input.
func (r results) next() (v any, ok bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, ok, err = nil, false, fmt.Errorf("internal error of the expression: %v", p)
		}
	}()
	r.dog.enter(r.f)
	defer r.dog.leave()
	v, ok = r.iter.Next()
	if !ok {
		return nil, false, nil
	}
	if err, failed := v.(error); failed {
		return nil, false, runError(r.ctx, err)
	}
	return v, true, nil
}

// runError says what an error of gojq means.
func runError(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return Interrupted{context.Cause(ctx)}
	}
	if h, halted := errors.AsType[*gojq.HaltError](err); halted && h.ExitCode() == 0 && h.Value() == nil {
		return ErrHalt
	}
	// its text is made now: it may quote the input, which does not stay
	return errors.New(console.Brief(err.Error()))
}

// Matches reports whether f yields anything but false and null for v. It stops at
// the first such value, as "first(f | select(.))" does.
func (f *Filter) Matches(ctx context.Context, v any) (bool, error) {
	r := f.run(ctx, v)
	for {
		out, ok, err := r.next()
		if err != nil || !ok {
			return false, err
		}
		if out != nil && out != false {
			return true, nil
		}
	}
}
