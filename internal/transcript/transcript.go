// Package transcript reads transcripts: what a server and a client of a recipe say to
// each other, as text. They test a recipe, and its emulator plays one.
//
//	# case refused                      begins a case; the client starts with nothing
//	# params token=wrong                what the user gives; NAME="TEXT" as a JSON string
//	> request .method == "POST"         => 200 {"url":"wss://a.example"}
//	# open .url == "wss://a.example"    the client opens a socket; => 403 TEXT refuses it
//	< {"type":"auth_required"}          the server sends this text
//	<b AAEC                             the server sends these bytes, in base64
//	> .type == "auth"                   the client sends a message for which this is true
//	< {"type":"auth_invalid"}
//	= exit 5                            what the client makes of it; also = ready,
//	                                    = event JSON and = gap
//	+ 30s                               time passes
//	! close 4004 bad token              the server closes; ! cut cuts the connection
//	# live                              an emulator starts again from here
//	## a comment
//
// What follows > and # open is a jq expression. Consecutive > lines may be met in any
// order; everything else must happen in the order of the lines, and nothing else may.
package transcript

import "time"

// A File is a transcript.
type File struct {
	Name  string // for messages
	Cases []*Case
}

// A Case is a run of the client from its beginning. Its state at the beginning is empty.
type Case struct {
	Name   string
	Line   int     // where it begins, from 1
	Params []Param // in their order; a name may occur more than once
	Steps  []Step
	// Live is the index in Steps of the first step that an emulator repeats; -1 when the
	// case has none.
	Live int
}

// A Param is a value that the user gives.
type Param struct{ Name, Value string }

// A Kind says who does what in a Step.
type Kind int

const (
	Open    Kind = iota // the client opens a socket: Match, Status, Data
	Request             // the client makes a request over HTTP: Match, Status, Data
	Send                // the client sends a message: Match
	Serve               // the server sends a message: Data, Binary
	Close               // the server sends a close frame: Code, Reason
	Cut                 // the connection ends without one
	Pass                // time passes: Duration
	Ready               // the stream is ready
	Event               // the client has an event: Value
	Gap                 // the client reports that events may have been lost
	Exit                // the client ends: Code
)

// A Step is a line of a case. Only the fields that its Kind names are set.
type Step struct {
	Kind Kind
	Line int    // from 1
	Text string // the line

	// Match is true of what the client does: for Open of an object with url, header and
	// subprotocol, for Request of one with method, url, header and body, for Send of the
	// message. nil matches everything.
	Match *Predicate
	// Status is what the server answers, 101 for a socket, with Data as its body.
	Status int
	// Data is a message or the body of an answer, Binary the kind of the message.
	Data   []byte
	Binary bool
	// Old: on the connection that is to be replaced, while there are two. Of Serve, Close
	// and Cut.
	Old bool
	// Code is that of a close frame, or an exit code.
	Code     int
	Reason   string
	Duration time.Duration
	// Value is an event, with the types of eventjson.Decoder.
	Value any
}

// Live returns the case that an emulator plays, nil if there is none.
func (f *File) Live() *Case {
	for _, c := range f.Cases {
		if c.Live >= 0 {
			return c
		}
	}
	return nil
}
