package proto

import "time"

// A Status is one turn in the life of the connection of a run.
type Status struct {
	Time    time.Time
	Service string
	// Attempt counts the handshakes of a run, from 1.
	Attempt int
	// Address is where, without anything secret.
	Address string
	// State is what has happened, with what is known of that.
	State State
}

// A State is one of the types below. String is its name, as status records have it.
type State interface {
	String() string
	state()
}

type (
	// Connecting: an attempt has begun, or has failed before its address was known.
	Connecting struct{}
	// Connected: the socket is open.
	Connected struct{}
	// Authenticated: the credentials of the attempt were taken.
	Authenticated struct{}
	// Live: as far as the protocol tells, events may come from here on.
	Live struct{}
	// Ready: an event that happens from here on will come, as the service defines it.
	Ready struct {
		// Earlier is how many messages of Options.Input went out on earlier
		// connections: they are not sent again.
		Earlier int
	}
	// Heartbeat: the peer has answered a heartbeat or a ping of ours.
	Heartbeat struct {
		// RTT is how long the answer took, 0 when that is not known.
		RTT time.Duration
	}
	// Disconnected: the connection has ended, and the run goes on.
	Disconnected struct{ Err error }
	// Retrying: there will be another attempt.
	Retrying struct {
		Err error
		// Delay is the wait before it.
		Delay time.Duration
		// Retry counts the retries in the window, from 1, and Retries is how many
		// there may be.
		Retry, Retries int
	}
	// Gap: events may have been missed.
	Gap struct {
		// From and To bound the time.
		From, To time.Time
		// Reason says what interrupted the stream.
		Reason string
		// Filled: the events were got in another way, so that none is missing.
		Filled bool
		// Unfilled says why the events could not be got, when that was tried.
		Unfilled string
	}
	// Dropped: events were dropped because the sink was too slow.
	Dropped struct {
		// Events is how many since the last such status, and Total how many in the run.
		Events, Total uint64
	}
	// Unconfirmed: messages of Options.Input went out on a connection that has ended,
	// and nothing shows that the peer has read them.
	Unconfirmed struct{ Messages int }
	// Held: the run waits for Control.Again.
	Held struct {
		// Err is the failure, or nil after a normal end.
		Err error
		// ClosedHere: a close frame of Options.Input has closed the connection.
		ClosedHere bool
	}
)

func (Connecting) String() string    { return "connecting" }
func (Connected) String() string     { return "connected" }
func (Authenticated) String() string { return "authenticated" }
func (Live) String() string          { return "live" }
func (Ready) String() string         { return "ready" }
func (Heartbeat) String() string     { return "heartbeat" }
func (Disconnected) String() string  { return "disconnected" }
func (Retrying) String() string      { return "retrying" }
func (Gap) String() string           { return "gap" }
func (Dropped) String() string       { return "dropped" }
func (Unconfirmed) String() string   { return "unconfirmed" }
func (Held) String() string          { return "held" }

func (Connecting) state()    {}
func (Connected) state()     {}
func (Authenticated) state() {}
func (Live) state()          {}
func (Ready) state()         {}
func (Heartbeat) state()     {}
func (Disconnected) state()  {}
func (Retrying) state()      {}
func (Gap) state()           {}
func (Dropped) state()       {}
func (Unconfirmed) state()   {}
func (Held) state()          {}

func (t *Trace) status(s Status) {
	if t.Status != nil {
		t.Status(s)
	}
}

// report reports what has happened at a time, at an address or "".
func (r *runner) report(now time.Time, address string, s State) {
	r.o.Trace.status(Status{Time: now, Service: r.svc.Name(), Attempt: r.attempt, Address: address, State: s})
}
