package stream

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/sequence"
)

// StatusFlags define how the connection status is reported, and the policy for missed
// events.
type StatusFlags struct {
	status     string // "" means text, without details
	statusFile string
	onGap      string
	sequence   string // expression
	sequenceBy string // expression
}

func newStatusFlags() StatusFlags { return StatusFlags{onGap: "warn"} }

// Flags declares them.
func (f *StatusFlags) Flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "status", Essential: true, Group: program.CatStatus, Value: cmdline.String(&f.status), Default: "text on a terminal",
			Usage: "log connection status to stderr: `text|json|none`"},
		{Name: "status-file", Group: program.CatStatus, Value: cmdline.String(&f.statusFile),
			Usage: "write connection status to `FILE`, one JSON record per line"},
		{Name: "on-gap", Group: program.CatStatus, Value: cmdline.String(&f.onGap),
			Usage: "when events may have been lost: `warn|fail`"},
		{Name: "sequence", Group: program.CatStatus, Value: cmdline.String(&f.sequence),
			Usage: "report events that are missing or repeated in the numbers `EXPR`", Detail: ", which rise by one"},
		{Name: "sequence-by", Group: program.CatStatus, Value: cmdline.String(&f.sequenceBy),
			Usage: "each value of `EXPR` has its own --sequence", Detail: ", of at most 10,000 values"},
	}
}

// Check returns an error for an invalid value.
func (f *StatusFlags) Check(ctx context.Context, line *cmdline.Line) error {
	for _, choice := range []struct {
		name, value, words string
		ok                 bool
	}{
		{"status", f.status, "text, json or none", f.status == "" || f.status == "text" || f.status == "json" || f.status == "none"},
		{"on-gap", f.onGap, "warn or fail", f.onGap == "warn" || f.onGap == "fail"},
	} {
		if !choice.ok {
			return cmdline.ValueErrorf(line.GivenAs(choice.name), cmdline.Cut(choice.value, 24), "expected %s", choice.words)
		}
	}
	if as := line.TypedAs("sequence"); as != "" && f.sequence == "" {
		return cmdline.FlagErrorf(as, ": the expression is empty")
	}
	if f.sequence == "" && f.sequenceBy != "" {
		return cmdline.FlagErrorf(line.GivenAs("sequence-by"), " requires --sequence")
	}
	if f.statusFile == "-" {
		e := cmdline.FlagErrorf(line.GivenAs("status-file"), " -: stdout is used for events")
		e.Advice = "--status json writes the records to stderr"
		return e
	}
	return nil
}

// An overflow is the value of --overflow.
type overflow proto.Overflow

// overflows are its names, by value.
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
type gapError struct{ proto.Gap }

// Exit returns the exit code for lost events.
func (e *gapError) Exit() int { return ending.Missed }

func (e *gapError) Error() string {
	if e.Counted || e.Unfilled != "" || e.Reason == proto.NotRunning {
		return strings.TrimPrefix(gapText(e.Gap), "reconnected; ")
	}
	return "the connection was lost, and events between " + e.From.Format(time.RFC3339) + " and " +
		e.To.Format(time.RFC3339) + " may have been lost"
}

// Warn prints a warning, unless warnings are disabled.
func (s *Stream) Warn(format string, args ...any) {
	if !s.Flags.Quiet {
		s.Say.Warning(format, args...)
	}
}

// trace returns the trace that reports the connection status.
func (s *Stream) trace() proto.Trace {
	t := proto.Trace{
		Status:  s.status,
		Warning: func(text string) { s.Warn("%s", text) },
		Secret:  func(v string) { s.Say.Add(v) },
	}
	if s.Flags.Verbose {
		t.Note = func(text string) { s.Say.Note("%s", text) }
	}
	if s.recording != nil {
		t.Frame = s.recording.frame
	}
	return t
}

// status records and reports a change of state of the connection.
func (s *Stream) status(st proto.Status) {
	if _, ok := st.State.(proto.Live); ok { // which is internal
		s.live = true
		return
	}
	s.journal.status(st)
	if s.Flags.status == "" || s.Flags.status == "text" {
		s.statusText(st)
	}
	switch state := st.State.(type) {
	case proto.Disconnected:
		s.attached = false
	case proto.Ready:
		s.attached = true
		if s.tracking != nil && s.tracking.keeper != nil {
			s.tracking.keeper.Alive(st.Time)
		}
		if !s.ready {
			s.ready = true
			s.whenReady(st)
			return
		}
		if state.Earlier == 0 || !s.stdin {
			return
		}
		s.stdin = false // report it once
		s.Warn("lines of stdin are not sent again after a reconnect: use --send TEXT for messages that the server needs on each connection, such as a subscription")
	case proto.Gap:
		if !state.Filled && !s.postponed(state) {
			s.deliverGap(state)
			s.missing(&gapError{state})
		}
	case proto.OutOfSequence:
		if f := state.Finding; f.Kind == sequence.Hole {
			s.deliverGap(proto.Gap{From: f.Since, To: st.Time, Reason: sequenceText(f), Counted: true, Missing: f.Missing})
		}
		s.missing(&sequenceError{sequenceText(state.Finding)})
	case proto.OutOfSequenceSum:
		if state.Holes > 0 {
			s.deliverGap(proto.Gap{From: state.From, To: state.To, Reason: sumText(state), Counted: true, Missing: state.Missing})
		}
		s.missing(&sequenceError{sumText(state)})
	}
}

// deliverGap delivers a gap, with --to-gaps.
func (s *Stream) deliverGap(g proto.Gap) {
	if v := s.delivering; v != nil && v.gaps != nil {
		v.gaps.report(g)
	}
}

// postponed reports whether the events of a gap come after the stored position, so that the
// next process fetches what this one had no time for.
func (s *Stream) postponed(g proto.Gap) bool {
	return g.Unfilled == proto.EndedUnfilled && s.tracking != nil && s.tracking.keeper != nil
}

// missing ends the stream with err, with --on-gap fail.
func (s *Stream) missing(err error) {
	if s.Flags.onGap == "fail" {
		s.missed = cmp.Or(s.missed, err)
		s.cancel(err)
	}
}

// statusText prints a change of state as text; minor ones with -v only.
func (s *Stream) statusText(st proto.Status) {
	switch state := st.State.(type) {
	case proto.Ready:
		s.Tell("ready, listening to %s", st.Address)
	case proto.Connecting:
		s.Tell("connecting to %s", st.Address)
	case proto.Connected:
		s.Tell("connected")
	case proto.Authenticated:
		s.Detail("authenticated")
	case proto.Disconnected:
		s.Detail("disconnected: %v", state.Err)
	case proto.Retrying:
		s.Warn("%v; retrying in %s (%d of %d)", state.Err, state.Delay.Round(100*time.Millisecond), state.Retry, state.Retries)
	case proto.Gap:
		if s.postponed(state) {
			s.Say.Note("events between %s and %s were not fetched before the end; the next start with --cursor fetches them",
				state.From.Format(time.RFC3339), state.To.Format(time.RFC3339))
		} else if state.Filled {
			s.Tell("%s", gapText(state))
		} else {
			s.Warn("%s", gapText(state))
		}
	case proto.OutOfSequence:
		s.Warn("%s", sequenceText(state.Finding))
	case proto.OutOfSequenceSum:
		s.Warn("%s", sumText(state))
	case proto.Unconfirmed:
		s.Warn("up to %s that hark sent may not have arrived: the connection ended before the server had answered a ping", program.Plural(state.Messages, "message"))
	case proto.Dropped:
		slow := "the reader of stdout"
		if s.delivering != nil {
			slow = s.delivering.name
		}
		s.Warn("dropped %s, %d in all: %s is too slow", program.Plural(int(state.Events), "event"), state.Total, slow)
	}
}

// Tell prints a line if stderr is a terminal or with -v.
func (s *Stream) Tell(format string, args ...any) {
	if s.Watched {
		s.Say.Note(format, args...)
	}
}

// Detail prints a line with -v.
func (s *Stream) Detail(format string, args ...any) {
	if s.Flags.Verbose {
		s.Say.Note(format, args...)
	}
}

// endedBy returns how a stream ended, as text.
func endedBy(condition string) string {
	if condition != "" {
		return "ended by " + condition
	}
	return "ended"
}
