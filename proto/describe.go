package proto

import (
	"time"
)

// A Describer is a Service that knows what its messages say in the terms of
// CloudEvents (CloudEvents 1.0.2, section 3.1). It is asked about messages that
// carry an event, by another goroutine than that of the Session.
type Describer interface {
	// Describe may return parts of m.Data.
	Describe(m Message) Description
}

// A Description is what an event says of itself. Each field is zero when the
// message does not say it.
type Description struct {
	// ID tells the event from all others of Source. Source is a URI reference.
	ID, Source string
	// Type has the name of a domain in front, backwards. Subject is what the event
	// is about, within Source.
	Type, Subject string
	// Time is when it happened.
	Time time.Time
	// Data is the JSON of the payload within the message; nil is all of the
	// message, empty is none.
	Data []byte
}
