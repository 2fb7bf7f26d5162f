package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// endFlags say when a stream ends.
type endFlags struct {
	count   uint64
	until   []string
	failIf  []string
	expect  []string
	idle    time.Duration
	maxTime time.Duration
}

func (f *endFlags) flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "count", Aliases: []string{"n"}, Group: catEnd, Value: cmdline.Uint64(&f.count),
			Usage: "end after `N` events were printed"},
		{Name: "until", Group: catEnd, Value: cmdline.Strings(&f.until),
			Usage: "end after the event for which the jq expression `EXPR` is true; it is printed"},
		{Name: "expect", Group: catEnd, Value: cmdline.Strings(&f.expect),
			Usage: "end when the jq expression `EXPR` was true for some event; given several times, when each was, in any order"},
		{Name: "fail-if", Group: catEnd, Value: cmdline.Strings(&f.failIf),
			Usage: "end with exit code 4 after the event for which the jq expression `EXPR` is true; it is printed"},
		{Name: "idle", Group: catEnd, Value: cmdline.Duration(&f.idle),
			Usage: "end when no event has come for `D`; events that --jq drops count"},
		{Name: "max-time", Aliases: []string{"m"}, Group: catEnd, Value: cmdline.Duration(&f.maxTime),
			Usage: "end after `D` in any case"},
	}
}

func (f *endFlags) check(ctx context.Context, line *cmdline.Line) error {
	if as := line.GivenAs("count"); as != "" && f.count == 0 {
		return cmdline.FlagErrorf(as, " 0: the number of events must be at least 1")
	}
	if err := checkDuration(line, "idle", f.idle, false); err != nil {
		return err
	}
	return checkDuration(line, "max-time", f.maxTime, false)
}

// conditions are what the flags ask for, the weightiest first: by one event, a
// failure beats a success.
func (f *endFlags) conditions(vars jq.Vars) ([]output.Condition, error) {
	var all []output.Condition
	for _, list := range []struct {
		flag  string
		exprs []string
		make  func(*jq.Filter) output.Condition
	}{{"--fail-if", f.failIf, output.FailIf}, {"--until", f.until, output.Until}} {
		for _, expr := range list.exprs {
			filter, err := jq.CompileCondition(list.flag, expr, vars)
			if err != nil {
				return nil, err
			}
			all = append(all, list.make(filter))
		}
	}
	var expected []*jq.Filter
	for _, expr := range f.expect {
		filter, err := jq.CompileCondition("--expect", expr, vars)
		if err != nil {
			return nil, err
		}
		expected = append(expected, filter)
	}
	if len(expected) > 0 {
		all = append(all, output.Expect(expected...))
	}
	if f.count > 0 {
		all = append(all, output.Count(f.count))
	}
	return all, nil
}

// An awaitedError is the end of a stream on which something was still awaited.
type awaitedError struct {
	Err     error // why it ended; nil when the server closed it
	Stream  []string
	Unmet   []output.Outcome
	expects int // how many expectations there were
}

// awaited makes the error for the end of a stream: err itself when nothing was
// awaited, or when that is not what matters. stream lists what was awaited of the
// stream itself, apart from conditions.
func (s *stream) awaited(err error, stream []string, w *output.Writer) error {
	e := &awaitedError{Err: err, Stream: stream, expects: len(s.flags.expect)}
	switch {
	case is[*proto.UnwrittenError](err), is[*output.WriteError](err):
		return err
	case is[*recordedFailure](err): // what is awaited here decides, or else what it ended with
		e.Stream, e.Unmet = nil, w.Unmet()
	case errors.Is(err, proto.ErrIdle):
		e.Err, e.Unmet = &idleError{s.flags.idle}, w.Unmet()
	case err == nil, errors.Is(err, errMaxTime), errors.Is(err, errLinger), errors.Is(err, errHold), errors.Is(err, proto.ErrTapeEnd):
		e.Unmet = w.Unmet()
	case is[output.Ended](err), is[*proto.Failure](err) && s.live:
		// Another condition came first, or the failure says enough; but what was
		// expected was not seen.
		e.Stream, e.Unmet = nil, expectations(w.Unmet())
	default:
		return err
	}
	if len(e.Stream)+len(e.Unmet) == 0 {
		return err
	}
	return e
}

func expectations(all []output.Outcome) []output.Outcome {
	var out []output.Outcome
	for _, o := range all {
		if o.Condition == "expect" {
			out = append(out, o)
		}
	}
	return out
}

// Error has a line of its own for each expectation.
func (e *awaitedError) Error() string {
	return strings.Join(append([]string{e.summary()}, e.unmet()...), "\n")
}

// summary says why the stream ended and what was awaited.
func (e *awaitedError) summary() string {
	awaited := slices.Clone(e.Stream)
	for _, o := range e.Unmet {
		if o.Condition != "expect" {
			awaited = append(awaited, o.Missing())
		}
	}
	switch n := len(expectations(e.Unmet)); {
	case n == e.expects && n > 0:
		awaited = append(awaited, plural(n, "expectation"))
	case n > 0:
		awaited = append(awaited, fmt.Sprintf("%d of %s", n, plural(e.expects, "expectation")))
	}
	return e.reason() + ", still awaited: " + strings.Join(awaited, ", ")
}

// unmet has a line for each expectation.
func (e *awaitedError) unmet() (lines []string) {
	for _, o := range expectations(e.Unmet) {
		lines = append(lines, "    "+o.Missing())
	}
	return lines
}

func (e *awaitedError) reason() string {
	ended, _ := errors.AsType[output.Ended](e.Err)
	switch {
	case e.Err == nil:
		return "the server closed the connection"
	case ended.Condition == "halt":
		return "ended by halt"
	case ended.Condition != "":
		return "ended by --" + ended.Condition
	}
	return e.Err.Error()
}

// has tells whether o was awaited.
func (e *awaitedError) has(o output.Outcome) bool {
	return slices.ContainsFunc(e.Unmet, func(u output.Outcome) bool { return u.Condition == o.Condition && u.Expr == o.Expr })
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (e *awaitedError) Unwrap() error { return e.Err }

// exitCode follows the table: an expectation that failed is told from a time
// limit, a stream that was never there, and a connection that was lost.
func (e *awaitedError) exitCode() int {
	expected := len(expectations(e.Unmet)) > 0
	if f, ok := errors.AsType[*proto.Failure](e.Err); ok {
		return failureCode(f)
	}
	switch {
	case errors.Is(e.Err, proto.ErrIdle):
		return exitOverdue
	case expected && len(e.Stream) == 0:
		return exitExpectation
	case e.Err == nil:
		return exitLost
	}
	return exitOverdue
}
