package prompt

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
)

// dialogOutputs is how many outputs an expression may have for one message.
const dialogOutputs = 1000

// An expression is a jq program of a line, with the variables of --arg, and $now and
// $now_ms, which are what they are in recipes.
type expression struct {
	*jq.Program
	values []any // of the variables of --arg
}

// expression compiles an expression of a command.
func (t *talk) expression(command, expr string) (*expression, error) {
	_, vars, err := t.Options(t.dead)
	if err != nil {
		return nil, err
	}
	names, values := vars.Values()
	p, err := jq.CompileProgram(command, expr, jq.Options{
		Vars:       append(names, "now", "now_ms"),
		Funcs:      map[string]func() any{"random": func() any { return rand.Float64() }},
		Timeout:    t.Timeout,
		MaxOutputs: dialogOutputs,
		MaxValue:   t.MaxValue,
	})
	if err != nil {
		return nil, err
	}
	return &expression{p, values}, nil
}

// run returns the outputs for a value.
func (e *expression) run(ctx context.Context, v any) ([]any, error) {
	now := time.Now()
	return e.Run(ctx, v, append(slices.Clip(e.values), float64(now.UnixMilli())/1000, int(now.UnixMilli()))...)
}

// holds reports whether an output is neither null nor false. An error counts as false,
// as in the rules of a recipe.
func (e *expression) holds(ctx context.Context, v any) bool {
	outputs, err := e.run(ctx, v)
	return err == nil && slices.ContainsFunc(outputs, func(out any) bool { return out != nil && out != false })
}

// messages returns the messages that an expression yields for a value.
func (e *expression) messages(ctx context.Context, v any) (frames []proto.Frame, err error) {
	outputs, err := e.run(ctx, v)
	if err != nil {
		return nil, err
	}
	for _, out := range outputs {
		data, binary, ok, err := eventjson.ValueMessage(out)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		f := proto.Frame{Opcode: frame.OpText, Payload: data}
		if binary {
			f.Opcode = frame.OpBinary
		}
		frames = append(frames, f)
	}
	return frames, nil
}
