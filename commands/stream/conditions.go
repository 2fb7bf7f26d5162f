package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// EndFlags define when a stream ends.
type EndFlags struct {
	count   uint64
	until   []string
	failIf  []string
	expect  []string
	idle    time.Duration
	MaxTime time.Duration
}

// Flags declares them.
func (f *EndFlags) Flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "count", Aliases: []string{"n"}, Group: program.CatEnd, Value: cmdline.Uint64(&f.count),
			Usage: "exit after `N` events", Detail: "; only events of which something was printed count"},
		{Name: "until", Group: program.CatEnd, Value: cmdline.Strings(&f.until),
			Usage: "exit after the first event that matches `EXPR`", Detail: " (which is printed)"},
		{Name: "expect", Group: program.CatEnd, Value: cmdline.Strings(&f.expect),
			Usage: "require an event that matches `EXPR`", Detail: "; exit 0 once all have been seen, 4 if not (7 when --idle ended it)"},
		{Name: "fail-if", Group: program.CatEnd, Value: cmdline.Strings(&f.failIf),
			Usage: "exit 4 at the first event that matches `EXPR`", Detail: " (which is printed)"},
		{Name: "idle", Group: program.CatEnd, Value: cmdline.Duration(&f.idle),
			Usage: "exit if no event arrives for `D`", Detail: "; events that --jq drops count as well"},
		{Name: "max-time", Aliases: []string{"m"}, Group: program.CatEnd, Value: cmdline.Duration(&f.MaxTime),
			Usage: "exit after `D`"},
	}
}

// Check returns an error for an invalid value.
func (f *EndFlags) Check(ctx context.Context, line *cmdline.Line) error {
	if as := line.GivenAs("count"); as != "" && f.count == 0 {
		return cmdline.ValueErrorf(as, "0", "must be at least 1")
	}
	if err := program.CheckDuration(line, "idle", f.idle, false); err != nil {
		return err
	}
	return program.CheckDuration(line, "max-time", f.MaxTime, false)
}

// conditions returns the conditions of the flags by precedence: for one event, a
// failure takes precedence over a success. acknowledged, if not nil, is how many events
// count for --count.
func (f *EndFlags) conditions(vars jq.Vars, acknowledged func() uint64) ([]output.Condition, error) {
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
	switch {
	case f.count > 0 && acknowledged != nil:
		all = append(all, output.CountAcknowledged(f.count, acknowledged))
	case f.count > 0:
		all = append(all, output.Count(f.count))
	}
	return all, nil
}

// An unmetError is the end of a stream before everything expected of it has happened.
type unmetError struct {
	Err     error    // why it ended; nil if the server closed it
	Stream  []string // what was expected of the stream itself
	Unmet   []output.Outcome
	expects int // number of assertions by --expect
}

// withUnmet returns the error for a stream that ended with err: an *unmetError if
// something expected has not happened, otherwise err. stream lists what was expected of
// the stream itself, apart from conditions.
func (s *Stream) withUnmet(err error, stream []string, w *output.Writer) error {
	e := &unmetError{Err: err, Stream: stream, expects: len(s.Flags.expect)}
	switch {
	case ending.Is[*proto.UnwrittenError](err), ending.Is[*output.WriteError](err):
		return err
	case ending.Is[*RecordedFailure](err): // the conditions of this run take precedence over the recorded end
		e.Stream, e.Unmet = nil, w.Unmet()
	case errors.Is(err, proto.ErrIdle):
		e.Err, e.Unmet = &idleError{s.Flags.idle}, w.Unmet()
	case err == nil, errors.Is(err, ending.ErrMaxTime), errors.Is(err, ending.ErrLinger), errors.Is(err, ending.ErrHold), errors.Is(err, proto.ErrRecordingEnd):
		e.Unmet = w.Unmet()
	case ending.Is[output.Ended](err), ending.Is[*proto.Failure](err) && s.live:
		// Another condition ended the stream, or it failed; only unmet assertions
		// are worth reporting.
		e.Stream, e.Unmet = nil, assertions(w.Unmet())
	default:
		return err
	}
	if len(e.Stream)+len(e.Unmet) == 0 {
		return err
	}
	return e
}

func assertions(all []output.Outcome) []output.Outcome {
	var out []output.Outcome
	for _, o := range all {
		if o.Condition == "expect" {
			out = append(out, o)
		}
	}
	return out
}

// Error has a line for each unmet assertion.
func (e *unmetError) Error() string {
	return strings.Join(append([]string{e.summary()}, e.unmet()...), "\n")
}

// Lines returns the summary, and a line for each unmet assertion.
func (e *unmetError) Lines() (text string, below []string) { return e.summary(), e.unmet() }

// Closed reports whether the server closed the connection.
func (e *unmetError) Closed() bool { return e.Err == nil }

// summary says why the stream ended and what was unmet.
func (e *unmetError) summary() string {
	unmet := slices.Clone(e.Stream)
	for _, o := range e.Unmet {
		if o.Condition != "expect" {
			unmet = append(unmet, o.Missing())
		}
	}
	switch n := len(assertions(e.Unmet)); {
	case n == e.expects && n > 0:
		unmet = append(unmet, program.Plural(n, "assertion"))
	case n > 0:
		unmet = append(unmet, fmt.Sprintf("%d of %s", n, program.Plural(e.expects, "assertion")))
	}
	return e.reason() + "; unmet: " + strings.Join(unmet, ", ")
}

// unmet returns a line for each unmet assertion.
func (e *unmetError) unmet() (lines []string) {
	for _, o := range assertions(e.Unmet) {
		lines = append(lines, "    "+o.Missing())
	}
	return lines
}

func (e *unmetError) reason() string {
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

// has reports whether o is unmet.
func (e *unmetError) has(o output.Outcome) bool {
	return slices.ContainsFunc(e.Unmet, func(u output.Outcome) bool { return u.Condition == o.Condition && u.Expr == o.Expr })
}

func (e *unmetError) Unwrap() error { return e.Err }

// Exit returns the exit code: a failed assertion, a time limit, a stream that never
// became ready, and a lost connection have different ones.
func (e *unmetError) Exit() int {
	expected := len(assertions(e.Unmet)) > 0
	if f, ok := errors.AsType[*proto.Failure](e.Err); ok {
		return ending.FailureCode(f)
	}
	switch {
	case errors.Is(e.Err, proto.ErrIdle):
		return ending.TimedOut
	case expected && len(e.Stream) == 0:
		return ending.Assertion
	case e.Err == nil:
		return ending.Lost
	}
	return ending.TimedOut
}
