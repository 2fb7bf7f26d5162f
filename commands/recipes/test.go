package recipes

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/internal/simulate"
	"github.com/hark-cli/hark/internal/transcript"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/recipe"
)

// The limits of a test are those that a stream has by default.
const (
	testAckTimeout = 10 * time.Second
	testJQTimeout  = 10 * time.Second
	testMaxMessage = 64 << 20
	// testRandom is $random.
	testRandom = 0.5
)

func testCommand(p *program.Program) *cmdline.Command {
	return &cmdline.Command{
		Name: "test", Usage: "run a recipe against its transcript",
		Examples: "hark recipe test homeassistant\nhark recipe test ./mine.toml",
		Args:     args,
		Description: "The transcript of mine.toml is mine.txt: what the server and the client say to each other, and what " +
			"hark makes of it, in cases. Each is run without a network and in simulated time. Prints a line for each case, and " +
			"exits with 4 if one fails. docs/recipes.md describes transcripts.",
		Complete: complete(p),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			f, r, err := parsed(ctx, p, line)
			if err != nil {
				return err
			}
			script, err := f.Script(ctx)
			if err != nil {
				return err
			}
			if script == nil {
				return cmdline.Usagef("there is no transcript %s", strings.TrimSuffix(f.Path, ".toml")+".txt")
			}
			return test(ctx, p, r, script)
		},
	}
}

// test runs all cases.
func test(ctx context.Context, p *program.Program, r *recipe.Recipe, script *transcript.File) error {
	w := bufio.NewWriter(p.Stdout)
	failed := 0
	for _, c := range script.Cases {
		err := testCase(ctx, r, script, c)
		m, mismatch := errors.AsType[*simulate.Mismatch](err)
		switch {
		case mismatch:
			failed++
			fmt.Fprintf(w, "FAIL %s\n     %s:%d: %s\n         %s\n", console.Line(c.Name),
				console.Line(m.File), m.Line, console.Line(m.Msg), console.Line(m.Text))
		case err != nil:
			return err
		default:
			fmt.Fprintf(w, "ok   %s\n", console.Line(c.Name))
		}
		if err := program.Flushed(w); err != nil {
			return err
		}
	}
	if failed > 0 {
		return &testError{failed, len(script.Cases)}
	}
	return nil
}

// testCase runs one case. Its error is a *simulate.Mismatch, or that of ctx.
func testCase(ctx context.Context, r *recipe.Recipe, script *transcript.File, c *transcript.Case) error {
	mismatch := func(err error) error {
		return &simulate.Mismatch{File: script.Name, Line: c.Line, Text: "# case " + c.Name, Case: c.Name, Msg: err.Error()}
	}
	o, err := CaseOptions(r, c)
	if err != nil {
		return mismatch(err)
	}
	return simulate.Run(ctx, script, c, simulate.Options{
		Service: func(client *http.Client, now func() time.Time) (proto.Service, error) {
			o.Client, o.Now = client, now
			svc, err := r.Service(o)
			if err != nil {
				return nil, mismatch(err)
			}
			return svc, nil
		},
		Framing:  Framing(r),
		ExitCode: func(err error) int { return ending.Of(err).Code },
	})
}

// Framing is how the messages of a recipe lie in WebSocket messages.
func Framing(r *recipe.Recipe) transcript.Framing {
	return transcript.Framing{Text: r.Texts(), Separator: r.Separator()}
}

// CaseOptions are what the user of a case gives. All values are taken as they are.
func CaseOptions(r *recipe.Recipe, c *transcript.Case) (recipe.Options, error) {
	o := recipe.Options{
		Values: make(map[string]any), Secrets: make(map[string]proto.TokenSource),
		AckTimeout: testAckTimeout, Redirects: true,
		Limits: recipe.Limits{Timeout: testJQTimeout, MaxValue: testMaxMessage, Random: func() float64 { return testRandom }},
	}
	for _, given := range c.Params {
		q, ok := r.Param(given.Name)
		switch {
		case !ok:
			return o, fmt.Errorf("the recipe has no parameter %q", given.Name)
		case q.Secret:
			o.Secrets[q.Name] = func(context.Context) (secret.Value, error) { return secret.Value(given.Value), nil }
			continue
		}
		v, err := q.Value(given.Value)
		if err != nil {
			return o, fmt.Errorf("parameter %s: %w", q.Name, err)
		}
		if list, _ := o.Values[q.Name].([]any); q.Repeat {
			v = append(list, v)
		}
		o.Values[q.Name] = v
	}
	return o, nil
}

// A testError says that cases have failed.
type testError struct{ failed, all int }

func (e *testError) Error() string {
	return fmt.Sprintf("%d of %d cases failed", e.failed, e.all)
}

// Exit implements the interface of errors that know their exit code.
func (e *testError) Exit() int { return ending.Assertion }
