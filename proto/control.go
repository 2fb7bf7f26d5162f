package proto

import (
	"context"
	"sync/atomic"
	"time"
)

// Control is for a run with a person at it: what can be asked of it from outside
// while it goes on. The zero value asks nothing.
type Control struct {
	// Again asks for a new connection: instead of the one that is open, or at once
	// while a retry is waited for. When it is not nil, the run does not end with a
	// failure that is final, nor when the peer closes: it reports Held and waits
	// for Again. What is asked for while an attempt is being made is done after it.
	Again <-chan struct{}
	// Ask brings functions that are called with the session of the connection, where
	// its other methods are called. What they return is done. Nothing is received
	// while there is no connection.
	Ask <-chan func(s Session, now time.Time) []Effect
	// Frames, when it is true, has the sink get what Options.Frames says, from then
	// on and until it is false; nil is false.
	Frames *atomic.Bool
}

// frames reports whether the sink is to get frames now.
func (o *Options) frames() bool {
	return o.Frames || o.Control.Frames != nil && o.Control.Frames.Load()
}

// A Command is something that a person at a prompt can tell a service to do,
// besides sending messages.
type Command struct {
	Name string // without a slash
	Args string // synopsis: "STREAM…"
	Help string // lower case, no full stop
	// Lasting: it is to be told again to the session of the next connection.
	Lasting bool
}

// A Commanded is a Service whose sessions are Commanders.
type Commanded interface {
	// Commands lists what its sessions understand.
	Commands() []Command
}

// A Commander is a Session that takes the commands of its service.
type Commander interface {
	// Command runs the command of that name. text is what to tell the person
	// at once; an error is about what was typed and does no harm to the connection.
	Command(name string, args []string, now time.Time) (effects []Effect, text string, err error)
}

// control makes attempts until the run is to end, and returns what Run returns.
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

// again is Control.Again, or nil while the connection is being closed: what is asked
// for then is done after it.
func (l *connLoop) again() <-chan struct{} {
	if l.closing.begun {
		return nil
	}
	return l.o.Control.Again
}
