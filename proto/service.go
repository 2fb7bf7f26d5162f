package proto

import (
	"context"
	"net/http"
	"time"

	"github.com/hark-cli/hark/proto/frame"
)

// A Service knows how to reach one kind of event stream. It is an immutable
// value, which may be run several times, also at the same time: what belongs to one
// run lives in its Source, and what belongs to one connection in the Session of its
// Handshake.
type Service interface {
	// Name is the word that users type: "octave", "drogue", "doshii", "connect".
	Name() string
	// Start begins a run.
	Start() Source
}

// A Source is a Service in one run. It is used by one goroutine.
type Source interface {
	// Handshake prepares one attempt to connect. It is called anew for each
	// attempt, because session ids and tokens go stale. ctx ends with the
	// attempt's time limit.
	Handshake(ctx context.Context) (*Handshake, error)
}

// A SourceFunc is the Source of a Service whose connections have nothing to do with one
// another.
type SourceFunc func(ctx context.Context) (*Handshake, error)

// Handshake implements Source.
func (f SourceFunc) Handshake(ctx context.Context) (*Handshake, error) { return f(ctx) }

// A Handshake is what one attempt needs to open the socket, and the Session
// that will speak on it.
type Handshake struct {
	// URL is the address of the socket, ws:// or wss://. It may carry
	// credentials and is never shown; Address is.
	URL string
	// Address is URL without anything secret, for messages.
	Address string
	// Header goes out with the upgrade request.
	Header http.Header
	// Subprotocols are offered in this order (RFC 6455, section 1.9).
	Subprotocols []string
	// Secrets are the credentials that this attempt uses, so that anyone who shows
	// anything can withhold them.
	Secrets []string
	// Withheld names headers whose values are made of credentials, so that none of them
	// is shown.
	Withheld []string
	// AuthLater: the credentials go out on the open socket, so that they are known to be
	// accepted when the stream is ready, and not before.
	AuthLater bool
	Session   Session
}

// A Session is the codec of one connection: messages in, events and replies
// out. It has no socket, no clock and no goroutine, so it can be tested with
// tables, fuzzed, and fed from a recording. All its methods are called from one
// goroutine.
type Session interface {
	// OnOpen returns what to do as soon as the socket is open.
	OnOpen(now time.Time) []Effect
	// Decode reports whether a message carries an event for the sink, and what else is
	// to be done. It must not keep m.Data. An error ends the connection; whether it is
	// tried again is for the Classifier.
	Decode(m Message) (event bool, effects []Effect, err error)
	// OnClose returns what to send before the closing handshake.
	OnClose() []Frame
}

// A Message is one complete WebSocket message as it came from the peer.
type Message struct {
	// Data is valid during the call that it is passed to, no longer.
	Data []byte
	// Binary tells a binary message from a text message.
	Binary bool
	// Time is when its last bytes were read from the connection.
	Time time.Time
}

// A Frame is one message to send, or a control frame.
type Frame struct {
	Opcode  frame.Opcode
	Payload []byte
	// Secret marks a payload that carries a credential: traces withhold it.
	Secret bool
	// Urgent marks what does not wait behind others when a SendLimiter makes frames wait:
	// a heartbeat.
	Urgent bool
}

// Text makes a text frame.
func Text(payload []byte) Frame { return Frame{Opcode: frame.OpText, Payload: payload} }

// A Drainer is a Source whose sessions may hold events back, to put others before them.
// What one contains at the end of its connection goes on to the next.
type Drainer interface {
	// Drain returns what is held when the run is over.
	Drain() []Message
}

// A Scheduler is a Session with work that falls due by time: heartbeats,
// acknowledgments to wait for, tokens to renew. Without it, nothing is due.
type Scheduler interface {
	// Tick is called when the time that it last returned has come, and after
	// each batch of messages, also while Do runs. An error ends the connection,
	// unless what was missed may lie unread because the sink is slow; the Work is
	// done anyway.
	Tick(now time.Time) (Work, error)
}

// A ControlWatcher is a Session to which control frames mean something. Without
// it, pings are answered, pongs count as signs of life, and that is all.
type ControlWatcher interface {
	// Control is told of each ping and pong from the peer, in the order of the
	// messages.
	Control(op frame.Opcode, now time.Time) []Effect
}

// A CloseCoder is a Session whose service gives the code of a close frame a meaning.
type CloseCoder interface {
	// CloseCode is the code that a connection is closed with when nothing is wrong with
	// what the peer has sent; 0 for 1000 (RFC 6455, section 7.4.1).
	CloseCode() int
}

// A SendLimiter is a Session whose service limits how many messages a client may send.
type SendLimiter interface {
	// SendLimit is how many frames may be sent within a time; the others wait. Pings,
	// pongs and the closing handshake are exempt. 0 frames are no limit. It is called once,
	// before OnOpen.
	SendLimit() (frames int, per time.Duration)
}

// An EndWatcher is a Session that is told how its connection ended.
type EndWatcher interface {
	// Ended is the last call of the session.
	Ended(err error)
}

// Work is what a Scheduler asks for now, and when it is to be called again.
type Work struct {
	// Effects are done first.
	Effects []Effect
	// Do may block, on a network or a command; it runs alongside the connection,
	// one at a time, and ctx ends with the connection. What it returns is called
	// where the Session's other methods are called. While another one runs it is
	// not taken up: Tick offers it again.
	Do func(ctx context.Context) (done func(now time.Time) (Work, error))
	// Bulk: Do brings many events, and is not taken up while the queue is full.
	Bulk bool
	// Next is when Tick is to be called again; the zero time means never, or
	// not before something else has happened.
	Next time.Time
}

// A Classifier is a Service that knows what its own failures mean. Without it, the
// general rules of classify apply.
type Classifier interface {
	// Classify looks at the error that ended an attempt to connect or a
	// connection. It may return a better error for the user to read.
	Classify(err error) Verdict
}

// A Verdict says what a failure means.
type Verdict struct {
	Class Class
	// RetryNow: try again after the shortest delay without using up a retry. It is
	// granted once in a row of failures, which a stable connection ends.
	RetryNow bool
}

// A Class is the kind of a failure; each has an exit code of its own.
type Class int

const (
	// Unknown leaves the decision to the general rules.
	Unknown Class = iota
	// Transient failures are worth another attempt.
	Transient
	// Unreachable: could not connect, and trying again would not help.
	Unreachable
	// Credentials were refused.
	Credentials
	// Refused: the service refuses the request, or speaks another protocol.
	Refused
	// TimedOut: something that was awaited did not come in time.
	TimedOut
	// Done is no failure: the service has ended the stream as one that is over.
	Done
)

// An Event is what the sink gets: a message that carried an event, or any frame
// with Options.Frames.
type Event struct {
	Message
	// Direction and Opcode say what frame it was. Secret: it carried a
	// credential, which Data leaves out.
	Direction Direction
	Opcode    frame.Opcode
	Secret    bool
	// Seq counts the events of a run, from 1.
	Seq uint64
}

// A Sink takes the events of a run, in order and from one goroutine. It may
// block: the connection goes on meanwhile.
type Sink interface {
	// Event takes one event. ev and its Data are valid during the call. An
	// error ends the run and is what Run returns.
	Event(ev *Event) error
	// Flush is called when nothing more waits, so that what Event has buffered
	// can go out in one write. It is also called before Run returns.
	Flush() error
}

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
