package proto

import "errors"

// An end says how an attempt, a connection or a run ended. The zero value says that it
// goes on.
type end struct {
	kind endKind
	// err is what happened, for people. Of a run that was stopped, it is what Run
	// returns, and may be nil.
	err error
}

// An endKind says what follows an end.
type endKind int

const (
	_ endKind = iota
	// lost: the attempt has failed, or the connection is gone. Whether there is another
	// attempt is for the reconnect policy.
	lost
	// replaced: a new connection was asked for instead of this one.
	replaced
	// closedHere: a close frame of Options.Input has closed the connection.
	closedHere
	// final: there is no other attempt, unless Control.Again asks for one.
	final
	// stopped: the run is to end.
	stopped
)

var (
	errReplaced   = errors.New("a new connection was asked for")
	errClosedHere = errors.New("closed from here")
)

// came reports whether there is an end at all.
func (e end) came() bool { return e.kind != 0 }

// lostTo is the end of an attempt or a connection because of err.
func lostTo(err error) end { return end{lost, err} }

// stop is the end of a run. Run returns err.
func stop(err error) end { return end{stopped, err} }

// result is what Run returns.
func (e end) result() error {
	if e.kind == closedHere {
		return nil
	}
	return e.err
}

// closedByPeer reports whether the peer has closed the connection as one that is over.
func (e end) closedByPeer() bool {
	ce, ok := errors.AsType[*CloseError](e.err)
	return e.kind == lost && ok && ce.normal()
}
