package transcript

import (
	"context"
	"time"

	"github.com/hark-cli/hark/internal/jq"
)

// A Predicate is a jq expression about what the client does. A transcript may be a
// stranger's, so it sees nothing else, and is bounded.
type Predicate struct{ program *jq.Program }

// The limits of a Predicate.
const (
	predicateTime    = 10 * time.Second
	predicateOutputs = 1000
	predicateValue   = 16 << 20
)

// newPredicate compiles an expression. Its error is a *jq.Error.
func newPredicate(expr string) (*Predicate, error) {
	// What is true of everything, or of nothing, tests nothing.
	if _, err := jq.CompileCondition("", expr, jq.Vars{}); err != nil {
		return nil, err
	}
	p, err := jq.CompileProgram("", expr, jq.Options{Timeout: predicateTime, MaxOutputs: predicateOutputs, MaxValue: predicateValue})
	if err != nil {
		return nil, err
	}
	return &Predicate{p}, nil
}

// String returns the expression.
func (p *Predicate) String() string { return p.program.String() }

// Matches reports whether the expression yields something that is true.
func (p *Predicate) Matches(ctx context.Context, v any) (bool, error) {
	outputs, err := p.program.Run(ctx, v)
	for _, out := range outputs {
		if out != nil && out != false {
			return true, nil
		}
	}
	return false, err
}
