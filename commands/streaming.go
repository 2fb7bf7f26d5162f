package commands

import (
	"context"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/proto"
)

// A streaming is a command that streams, taken apart: what its flags say is checked,
// the service that they describe is opened, and then it is the business of whoever
// has it. The command streams, doctor examines, and config check stops in time.
type streaming struct {
	// command is how it is typed. It has no Run.
	command *cmdline.Command
	flags   *streamFlags
	// check finds what is wrong on the command line. It starts nothing and dials nothing.
	check func(ctx context.Context, line *cmdline.Line) error
	// complete finds what is left out that only a stream needs; nil finds nothing.
	complete func() error
	// open makes the service, after check.
	open func(ctx context.Context, line *cmdline.Line, s *stream) (*opened, error)
	// hint is the advice for the service's own failures.
	hint func(line *cmdline.Line, err error) string
}

// An opened is a service that is ready to be connected to.
type opened struct {
	proto.Service
	// place is where and what it is, for what is kept of it: an address, and what is
	// asked for there.
	place string
	// names are completed at the prompt before they were seen.
	names []string
	// input is what is sent besides; nil for nothing.
	input <-chan proto.Frame
	// begin is called when a stream begins; nil does nothing.
	begin func()
	// nothing: it subscribes to nothing, so it will not become ready.
	nothing bool
}

// run has the command stream.
func (v *streaming) run(p *program) *cmdline.Command {
	v.command.Run = func(ctx context.Context, line *cmdline.Line) error {
		if err := v.check(ctx, line); err != nil {
			return err
		}
		if v.complete != nil {
			if err := v.complete(); err != nil {
				return err
			}
		}
		s := p.newStream(v.flags)
		defer s.close()
		o, err := v.open(ctx, line, s)
		if err != nil {
			return err
		}
		if o.begin != nil {
			o.begin()
		}
		s.place, s.names = o.place, o.names
		s.advice = func(err error) string { return v.hint(line, err) }
		return s.run(ctx, o.Service, o.input)
	}
	return v.command
}

// tried has the command check its line, and then call next.
func (v *streaming) tried(next func()) *cmdline.Command {
	v.command.Run = func(ctx context.Context, line *cmdline.Line) error {
		if err := v.check(ctx, line); err != nil {
			return err
		}
		next()
		return nil
	}
	return v.command
}
