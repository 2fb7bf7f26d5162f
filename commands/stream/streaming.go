package stream

import (
	"context"
	"encoding/json"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/proto"
)

// A Streaming is a command that streams, taken apart: what its flags say is checked,
// the service that they describe is opened, and then it is the business of anyone who
// has it. The command streams, doctor examines, and config check stops in time.
type Streaming struct {
	// Command is how it is typed. It has no Run.
	Command *cmdline.Command
	Flags   *Flags
	// LaterFlags are flags of the service's own about what is done on a connection.
	LaterFlags []string
	// Check finds what is wrong on the command line. It starts nothing and dials nothing.
	Check func(ctx context.Context, line *cmdline.Line) error
	// Complete finds what is left out that only a stream needs; nil finds nothing.
	Complete func() error
	// Open makes the service, after check.
	Open func(ctx context.Context, line *cmdline.Line, s *Stream) (*Opened, error)
	// Hint is the advice for the service's own failures.
	Hint func(line *cmdline.Line, err error) string
}

// An Opened is a service that is ready to be connected to.
type Opened struct {
	proto.Service
	// Place is where and what it is, for what is kept of it: an address, and what is
	// asked for there.
	Place string
	// Names are completed at the prompt before they were seen.
	Names []string
	// Input is what is sent besides; nil for nothing.
	Input <-chan proto.Frame
	// Begin is called when a stream begins; nil does nothing.
	Begin func()
	// Recipe is the text of the recipe that the service was made of, for a recording, and
	// Params its parameters as a JSON object, without credentials; empty for a service of
	// another kind.
	Recipe string
	Params json.RawMessage
	// Nothing: it subscribes to nothing, so it will not become ready.
	Nothing bool
}

// Run has the command stream.
func (v *Streaming) Run(p *program.Program) *cmdline.Command {
	v.Command.Run = func(ctx context.Context, line *cmdline.Line) error {
		s, o, err := v.begin(ctx, line, p, v.Complete)
		if err != nil {
			return err
		}
		defer s.Close()
		if o.Begin != nil {
			o.Begin()
		}
		return s.run(ctx, o.Service, o.Input)
	}
	return v.Command
}

// Begin opens what a command line describes, for the command, for doctor, and for anyone who
// else examines it. The stream must be closed.
func (v *Streaming) Begin(ctx context.Context, line *cmdline.Line, p *program.Program) (*Stream, *Opened, error) {
	return v.begin(ctx, line, p, nil)
}

// begin is Begin, with a further check, or nil.
func (v *Streaming) begin(ctx context.Context, line *cmdline.Line, p *program.Program, complete func() error) (*Stream, *Opened, error) {
	if err := v.Check(ctx, line); err != nil {
		return nil, nil, err
	}
	if complete != nil {
		if err := complete(); err != nil {
			return nil, nil, err
		}
	}
	s := New(p, v.Flags)
	o, err := v.Open(ctx, line, s)
	if err != nil {
		s.Close()
		return nil, nil, err
	}
	s.place, s.names = o.Place, o.Names
	s.recipe, s.params = o.Recipe, o.Params
	s.advice = func(err error) string { return v.Hint(line, err) }
	return s, o, nil
}

// Tried has the command check its line, and then call next.
func (v *Streaming) Tried(next func()) *cmdline.Command {
	v.Command.Run = func(ctx context.Context, line *cmdline.Line) error {
		if err := v.Check(ctx, line); err != nil {
			return err
		}
		next()
		return nil
	}
	return v.Command
}
