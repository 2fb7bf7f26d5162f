// Package destination delivers records to where they are acknowledged: to a file, a web
// server, a command. A Destination makes one attempt; a Delivery keeps the order, bounds
// what is in flight, retries, and knows what became of each record.
package destination

import (
	"context"
	"errors"
	"time"
)

// A Record is what is delivered of an event.
type Record struct {
	// ID is that of the event at its service, "" if it has none. Type is its CloudEvents
	// type.
	ID, Type string
	// To is the topic or subject at a broker, "" for the destination's own, and Key what
	// the broker keeps the order by, "" for none.
	To, Key string
	// Received is when the event was received.
	Received time.Time
	// Event is a number of the event that the record is of; a Delivery does not use it.
	Event uint64
	// Data is the record, without a line feed at its end.
	Data []byte
	// CloudEvent says that Data is a CloudEvent in JSON format, whatever other records are.
	CloudEvent bool
}

// A Destination takes records and acknowledges them.
type Destination interface {
	// Deliver makes one attempt to deliver records, in their order, and puts the result of
	// each into results, which has the same length: nil if it was acknowledged, ErrNotTried,
	// a *RefusedError, a *FatalError, or what is worth another attempt, such as a
	// *TransientError. When ctx ends, so does the attempt.
	Deliver(ctx context.Context, records []Record, results []error)
	// InFlight is how many records are given to Deliver at once, if the user asks for no
	// other number.
	InFlight() int
	// Close gives back what the destination holds, after the last Deliver.
	Close() error
}

// An Attempt is one to deliver one record, where each record has attempts of its own.
type Attempt struct {
	Record Record
	// Result is what the destination answered, such as "200" or "exit code 0", or why there
	// is no answer.
	Result string
	// Took is how long it took.
	Took time.Duration
}

// ErrNotTried is the result of a record that has to wait for one before it.
var ErrNotTried = errors.New("not tried")

// A TransientError is a failure that another attempt may not have.
type TransientError struct {
	Err error
	// After is how long the destination asks to wait; 0 if it does not say.
	After time.Duration
}

func (e *TransientError) Error() string { return e.Err.Error() }
func (e *TransientError) Unwrap() error { return e.Err }

// A RefusedError is a record that the destination will not take, however often it is
// tried.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

// A FatalError is a destination that will take no record any more, such as a full disk.
type FatalError struct{ Err error }

func (e *FatalError) Error() string { return e.Err.Error() }
func (e *FatalError) Unwrap() error { return e.Err }

// A NotDeliveredError ends a stream whose records were not delivered.
type NotDeliveredError struct {
	// Destination is where they should have gone, without anything secret.
	Destination string
	// Records is how many were not delivered, ID that of the first, if it has one.
	Records int
	ID      string
	Err     error
}

func (e *NotDeliveredError) Error() string {
	s := e.Destination + ": "
	if e.ID != "" {
		s += "event " + e.ID + ": "
	}
	return s + "not delivered: " + e.Err.Error()
}

func (e *NotDeliveredError) Unwrap() error { return e.Err }
