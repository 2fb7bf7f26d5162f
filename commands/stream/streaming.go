package stream

import (
	"context"
	"encoding/json"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/proto"
)

// A Streaming is a streaming command in parts: it checks its flags, and opens the
// service that they describe. The command then streams, doctor examines the connection,
// and config check stops before.
type Streaming struct {
	// Command is the command, without Run.
	Command *cmdline.Command
	Flags   *Flags
	// LaterFlags are flags of the service that apply after connecting.
	LaterFlags []string
	// NoCursor is why the service has no position for --cursor; "" if it may have one.
	NoCursor string
	// Check returns an error for an invalid command line. It does not connect.
	Check func(ctx context.Context, line *cmdline.Line) error
	// Complete, if not nil, returns an error for a missing argument that only streaming
	// requires.
	Complete func() error
	// Open returns the service, after Check.
	Open func(ctx context.Context, line *cmdline.Line, s *Stream) (*Opened, error)
	// Hint returns the hint for the service's own failures.
	Hint func(line *cmdline.Line, err error) string
}

// An Opened is a configured service.
type Opened struct {
	proto.Service
	// Place identifies the endpoint, for the history: an address, and what is requested
	// there.
	Place string
	// Names are candidates for completion at the prompt from the start.
	Names []string
	// Input delivers frames to send; it may be nil.
	Input <-chan proto.Frame
	// Begin, if not nil, is called when a stream starts.
	Begin func()
	// Recipe is the text of the recipe that the service was made of, for a recording, and
	// Params its parameters as a JSON object, without credentials; empty for a service of
	// another kind.
	Recipe string
	Params json.RawMessage
	// Streams is what of the service the position of --cursor is in: the user's
	// arguments, without credentials.
	Streams []string
	// Nothing: it has no subscriptions, so it does not become ready.
	Nothing bool
}

// Run returns the command with a Run that streams.
func (v *Streaming) Run(p *program.Program) *cmdline.Command {
	v.Command.Run = func(ctx context.Context, line *cmdline.Line) error {
		defer v.Flags.CursorFlags.close()
		s, o, err := v.begin(ctx, line, p, func() error {
			if v.Complete != nil {
				if err := v.Complete(); err != nil {
					return err
				}
			}
			return v.Flags.CursorFlags.Open(v.NoCursor)
		})
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

// Begin opens the service that a command line describes, for the command and for
// doctor. The caller must Close the stream.
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
	s.place, s.names, s.streams = o.Place, o.Names, o.Streams
	s.recipe, s.params = o.Recipe, o.Params
	s.advice = func(err error) string { return v.Hint(line, err) }
	return s, o, nil
}

// Tried returns the command with a Run that checks its line, and then calls next.
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
