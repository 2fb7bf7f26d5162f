package commands

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// statusFlags say who is told about the life of the connection, and what becomes
// of events that were missed.
type statusFlags struct {
	status     string // "" means text, and only what people need who watch
	statusFile string
	onGap      string
}

func newStatusFlags() statusFlags { return statusFlags{onGap: "warn"} }

func (f *statusFlags) flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "status", Essential: true, Group: catStatus, Value: cmdline.String(&f.status), Default: "text on a terminal",
			Usage: "tell on stderr what happens to the connection: `text|json|none`"},
		{Name: "status-file", Group: catStatus, Value: cmdline.String(&f.statusFile),
			Usage: "write what happens to the connection as JSON to `FILE`, one record per line"},
		{Name: "on-gap", Group: catStatus, Value: cmdline.String(&f.onGap),
			Usage: "when a lost connection may have cost events: `warn|fail`"},
	}
}

func (f *statusFlags) check(ctx context.Context, line *cmdline.Line) error {
	for _, choice := range []struct {
		name, value, words string
		ok                 bool
	}{
		{"status", f.status, "text, json or none", f.status == "" || f.status == "text" || f.status == "json" || f.status == "none"},
		{"on-gap", f.onGap, "warn or fail", f.onGap == "warn" || f.onGap == "fail"},
	} {
		if !choice.ok {
			return cmdline.FlagErrorf(line.GivenAs(choice.name), " %q: expected %s", cmdline.Cut(choice.value, 24), choice.words)
		}
	}
	if f.statusFile == "-" {
		e := cmdline.FlagErrorf(line.GivenAs("status-file"), " -: stdout is for events")
		e.Advice = "--status json writes the records to stderr"
		return e
	}
	return nil
}

// An overflow is the value of --overflow.
type overflow proto.Overflow

// overflows are the words for it, by number.
var overflows = []string{proto.OverflowBlock: "block", proto.OverflowDropOldest: "drop-oldest", proto.OverflowFail: "fail"}

// Set implements flag.Value.
func (o *overflow) Set(text string) error {
	i := slices.Index(overflows, text)
	if i < 0 {
		return errors.New("expected block, drop-oldest or fail")
	}
	*o = overflow(i)
	return nil
}

// String implements flag.Value.
func (o *overflow) String() string { return overflows[*o] }

// A gapError ends a stream at the first gap, with --on-gap fail.
type gapError struct {
	from, to time.Time
	why      string
}

func (e *gapError) Error() string {
	if e.why != "" {
		return "events between " + e.from.Format(time.RFC3339) + " and " + e.to.Format(time.RFC3339) + " may be missing: " + e.why
	}
	return "the connection was lost, and events between " + e.from.Format(time.RFC3339) + " and " +
		e.to.Format(time.RFC3339) + " may be missing"
}

// warn prints a warning, unless warnings are not wanted.
func (s *stream) warn(format string, args ...any) {
	if !s.flags.quiet {
		s.say.warning(format, args...)
	}
}

// trace tells people what happens to the connection.
func (s *stream) trace() proto.Trace {
	t := proto.Trace{
		Status:  s.status,
		Warning: func(text string) { s.warn("%s", text) },
		Secret:  func(v string) { s.say.Add(v) },
	}
	if s.flags.verbose {
		t.Note = func(text string) { s.say.note("%s", text) }
	}
	if s.tape != nil {
		t.Frame = s.tape.frame
	}
	return t
}

// status takes note of a turn in the life of the connection and tells about it.
func (s *stream) status(st proto.Status) {
	if _, ok := st.State.(proto.Live); ok { // which is for us
		s.live = true
		return
	}
	s.journal.status(st)
	if s.flags.status == "" || s.flags.status == "text" {
		s.statusText(st)
	}
	switch state := st.State.(type) {
	case proto.Ready:
		if !s.ready {
			s.ready = true
			s.whenReady(st)
			return
		}
		if state.Earlier == 0 || !s.stdin {
			return
		}
		s.stdin = false // once is enough
		s.warn("what came from stdin before the connection was lost is not sent again: if the server needs it on each connection, such as a subscription, use --send TEXT")
	case proto.Gap:
		if !state.Filled && s.flags.onGap == "fail" {
			s.cancel(&gapError{state.From, state.To, state.Unfilled})
		}
	}
}

// statusText prints a turn for people: what they need, and the rest with -v.
func (s *stream) statusText(st proto.Status) {
	switch state := st.State.(type) {
	case proto.Ready:
		s.tell("ready, listening to %s", st.Address)
	case proto.Connecting:
		s.tell("connecting to %s", st.Address)
	case proto.Connected:
		s.tell("connected")
	case proto.Authenticated:
		s.detail("authenticated")
	case proto.Disconnected:
		s.detail("disconnected: %v", state.Err)
	case proto.Retrying:
		s.warn("%v; retrying in %s (%d of %d)", state.Err, state.Delay.Round(100*time.Millisecond), state.Retry, state.Retries)
	case proto.Gap:
		from, to := state.From.Format(time.RFC3339), state.To.Format(time.RFC3339)
		switch {
		case state.Filled:
			s.tell("connected again; what came between %s and %s was fetched", from, to)
		case state.Unfilled != "":
			s.warn("events between %s and %s may be missing: %s", from, to, state.Unfilled)
		default:
			s.warn("connected again; events between %s and %s may be missing", from, to)
		}
	case proto.Unconfirmed:
		s.warn("up to %s that hark sent may not have arrived: the connection ended before the server had answered a ping", plural(state.Messages, "message"))
	case proto.Dropped:
		s.warn("dropped %s, %d in all: the reader of stdout is too slow", plural(int(state.Events), "event"), state.Total)
	}
}

// tell prints a line for those who watch.
func (s *stream) tell(format string, args ...any) {
	if s.watched {
		s.say.note(format, args...)
	}
}

// detail prints a line for those who asked for more.
func (s *stream) detail(format string, args ...any) {
	if s.flags.verbose {
		s.say.note(format, args...)
	}
}

// endedBy says how a stream ended, for people.
func endedBy(condition string) string {
	if condition != "" {
		return "ended by " + condition
	}
	return "ended"
}

// condition names what ended a stream, "" when that was a failure.
func condition(err error) string {
	if e, ok := errors.AsType[output.Ended](err); ok {
		return e.Condition
	}
	switch {
	case is[*output.Failed](err):
		return "fail-if"
	case is[*proto.Failure](err):
		return ""
	case errors.Is(err, proto.ErrIdle):
		return "idle"
	case errors.Is(err, errMaxTime):
		return "max-time"
	case errors.Is(err, errLinger):
		return "linger"
	case errors.Is(err, errHold):
		return "hold"
	case errors.Is(err, errQuit):
		return "quit"
	case errors.Is(err, proto.ErrTapeEnd):
		return "tape-end"
	case errors.Is(err, output.ErrStdoutClosed):
		return "stdout-closed"
	case is[*signalError](err):
		return "signal"
	case err == nil, is[*awaitedError](err):
		return "closed"
	}
	return ""
}
