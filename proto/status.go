package proto

import (
	"time"

	"github.com/hark-cli/hark/proto/sequence"
)

// A Status is a change of state of the connection of a run.
type Status struct {
	Time    time.Time
	Service string
	// Attempt counts the handshakes of a run, from 1.
	Attempt int
	// Address is the address of the attempt, without secrets.
	Address string
	// State is what has happened, with its details.
	State State
}

// A State is one of the types below. String returns its name in status records.
type State interface {
	String() string
	state()
}

type (
	// Connecting: an attempt has begun, or has failed before its address was known.
	Connecting struct{}
	// Connected: the socket is open.
	Connected struct{}
	// Authenticated: the credentials of the attempt were accepted.
	Authenticated struct{}
	// Live: as far as the protocol shows, events may arrive from now on.
	Live struct{}
	// Ready: events that happen from now on will arrive, as the service defines it.
	Ready struct {
		// Earlier is how many messages of Options.Input were sent on earlier
		// connections: they are not sent again.
		Earlier int
	}
	// Heartbeat: the peer has answered a heartbeat or ping.
	Heartbeat struct {
		// RTT is the round-trip time, 0 if unknown.
		RTT time.Duration
	}
	// Disconnected: the connection has ended, and the run continues.
	Disconnected struct{ Err error }
	// Retrying: another attempt follows.
	Retrying struct {
		Err error
		// Delay is the wait before it.
		Delay time.Duration
		// Retry is the number of the retry in the window, from 1, and Retries the
		// maximum.
		Retry, Retries int
	}
	// Gap: events may have been missed.
	Gap struct {
		// From and To are its bounds.
		From, To time.Time
		// Reason is what interrupted the stream.
		Reason string
		// Filled: none is missing, because the events were fetched, or because the numbers
		// of the events show it.
		Filled bool
		// Unfilled is why the events could not be fetched, if that was tried, or why their
		// numbers do not show what is missing.
		Unfilled string
		// Counted: the numbers of the events show how many are missing. Then Missing is
		// that, and Hole is where, if any is.
		Counted bool
		Missing uint64
		Hole    sequence.Finding
	}
	// OutOfSequence: within a connection, the number of an event is not the next one.
	OutOfSequence struct{ sequence.Finding }
	// OutOfSequenceSum stands for many OutOfSequence, and for many Gap of sequences, that
	// were not reported one by one.
	OutOfSequenceSum struct {
		From, To                        time.Time // when the first and the last was found
		Holes, Late, Repeats, StepsBack int
		Missing                         uint64 // events in the holes
	}
	// Dropped: events were dropped because the sink was too slow.
	Dropped struct {
		// Events is their number since the last such status, and Total the number in
		// the run.
		Events, Total uint64
	}
	// Unconfirmed: messages of Options.Input were sent on a connection that has ended,
	// without confirmation that the peer has read them.
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
func (OutOfSequence) String() string { return "out-of-sequence" }

// String is that of OutOfSequence.
func (OutOfSequenceSum) String() string { return "out-of-sequence" }
func (Unconfirmed) String() string      { return "unconfirmed" }
func (Held) String() string             { return "held" }

func (Connecting) state()       {}
func (Connected) state()        {}
func (Authenticated) state()    {}
func (Live) state()             {}
func (Ready) state()            {}
func (Heartbeat) state()        {}
func (Disconnected) state()     {}
func (Retrying) state()         {}
func (Gap) state()              {}
func (Dropped) state()          {}
func (OutOfSequence) state()    {}
func (OutOfSequenceSum) state() {}
func (Unconfirmed) state()      {}
func (Held) state()             {}

func (t *Trace) status(s Status) {
	if t.Status != nil {
		t.Status(s)
	}
}

// report reports a state at a time, with an address or "".
func (r *runner) report(now time.Time, address string, s State) {
	r.o.Trace.status(Status{Time: now, Service: r.svc.Name(), Attempt: r.attempt, Address: address, State: s})
}
