package proto

import (
	"context"
	"sync/atomic"
	"time"
)

// Control controls a run interactively while it is active. The zero value has no
// controls.
type Control struct {
	// Again requests a new connection: instead of the one that is open, or at once
	// instead of waiting for a retry. If it is not nil, neither a final failure nor a
	// close by the peer ends the run: it reports Held and waits for Again. A request
	// during a connection attempt takes effect after it.
	Again <-chan struct{}
	// Ask delivers functions that are called with the session of the connection, on the
	// goroutine that calls its methods. The effects that they return are applied. Ask
	// is not received from while disconnected.
	Ask <-chan func(s Session, now time.Time) []Effect
	// Frames turns Options.Frames on while it is true; nil means false.
	Frames *atomic.Bool
}

// frames reports whether the sink gets frames now.
func (o *Options) frames() bool {
	return o.Frames || o.Control.Frames != nil && o.Control.Frames.Load()
}

// A Command is a command of a service at the prompt.
type Command struct {
	Name string // without a slash
	Args string // synopsis: "STREAM…"
	Help string // lower case, no full stop
	// Lasting: it is repeated with the session of each new connection.
	Lasting bool
}

// A Commanded is a Service whose sessions are Commanders.
type Commanded interface {
	// Commands lists the commands of its sessions.
	Commands() []Command
}

// A Commander is a Session that runs the commands of its service.
type Commander interface {
	// Command runs the command of that name. text is printed at once; an error is about
	// the arguments and does not affect the connection.
	Command(name string, args []string, now time.Time) (effects []Effect, text string, err error)
}

// control makes connection attempts until the run is to end, and returns the result of
// Run.
func (r *runner) control(ctx context.Context) error {
	for {
		e := r.attempts(ctx)
		if e.kind == stopped || r.o.Control.Again == nil {
			return e.result()
		}
		r.report(time.Now(), "", Held{Err: e.result(), ClosedHere: e.kind == closedHere})
		select {
		case <-r.o.Control.Again:
			r.policy.reset()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.o.Kill:
			return context.Cause(ctx)
		case <-r.sinkDone:
			return nil
		}
	}
}

// again returns Control.Again, or nil while the connection is being closed: a request
// then takes effect afterwards.
func (l *connLoop) again() <-chan struct{} {
	if l.closing.begun {
		return nil
	}
	return l.o.Control.Again
}
