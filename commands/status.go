package commands

import (
	"time"

	"github.com/hark-cli/hark/proto"
)

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
	return t
}

func (s *stream) status(st proto.Status) {
	switch st.State {
	case proto.Live:
		s.live = true
	case proto.Ready:
		s.tell("ready, listening to %s", st.Address)
	case proto.Connecting:
		s.tell("connecting to %s", st.Address)
	case proto.Connected:
		s.tell("connected")
	case proto.Retrying:
		s.warn("%v; retrying in %s (%d of %d)", st.Err, st.Delay.Round(100*time.Millisecond), st.Retry, st.Retries)
	case proto.Gap:
		s.warn("connected again; events between %s and %s may be missing",
			st.From.Format(time.RFC3339), st.To.Format(time.RFC3339))
	}
}

// tell prints a line for those who watch.
func (s *stream) tell(format string, args ...any) {
	if s.watched {
		s.say.note(format, args...)
	}
}
