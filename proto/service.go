package proto

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/hark-cli/hark/proto/frame"
)

// A Service describes one kind of event stream. It is an immutable value, which may be
// run several times, also at the same time: the state of a run is in its Source, and
// that of a connection in the Session of its Handshake.
type Service interface {
	// Name is the name of the service on the command line: "octave", "drogue",
	// "doshii", "connect".
	Name() string
	// Start begins a run.
	Start() Source
}

// A Source is a Service in one run. It is used by one goroutine.
type Source interface {
	// Handshake prepares one attempt to connect. It is called anew for each attempt,
	// because session ids and tokens expire. ctx has the time limit of the attempt.
	Handshake(ctx context.Context) (*Handshake, error)
}

// A SourceFunc is the Source of a Service whose connections share no state.
type SourceFunc func(ctx context.Context) (*Handshake, error)

// Handshake implements Source.
func (f SourceFunc) Handshake(ctx context.Context) (*Handshake, error) { return f(ctx) }

// A Handshake has what one attempt requires to open the socket, and the Session of the
// connection.
type Handshake struct {
	// URL is the address of the socket, ws:// or wss://. It may contain credentials and
	// is never shown; Address is shown instead.
	URL string
	// Address is URL without secrets, for messages.
	Address string
	// Header is sent with the upgrade request.
	Header http.Header
	// Subprotocols are offered in this order (RFC 6455, section 1.9).
	Subprotocols []string
	// Secrets are the credentials of this attempt, which must be removed from all
	// output.
	Secrets []string
	// Withheld lists headers whose values contain credentials and must not be shown.
	Withheld []string
	// AuthLater: the credentials are sent on the open socket, so they are known to be
	// accepted only when the stream is ready.
	AuthLater bool
	// NoPings: the peer accepts no pings. Those of Options are not sent.
	NoPings bool
	Session Session
}

// A Session is the codec of one connection: messages in, events and effects out. It has
// no socket, no clock and no goroutine, so that it can be tested with tables, fuzzed,
// and run on a recording. All its methods are called from one goroutine.
type Session interface {
	// OnOpen returns the effects to apply when the socket has been opened.
	OnOpen(now time.Time) []Effect
	// Decode reports whether a message is an event for the sink, and returns further
	// effects. It must not retain m.Data. An error ends the connection; the Classifier
	// decides whether hark reconnects.
	Decode(m Message) (event bool, effects []Effect, err error)
	// OnClose returns the frames to send before the closing handshake.
	OnClose() []Frame
}

// A Message is one complete WebSocket message from the peer.
type Message struct {
	// Data is valid only during the call that it is passed to.
	Data []byte
	// Binary reports whether it is a binary message rather than a text message.
	Binary bool
	// Time is when its last bytes were read from the connection.
	Time time.Time
	// Position, of an event of a service with positions, is where the stream is after
	// it; nil if that has not changed. Only the service knows what it means.
	Position any
}

// A Frame is one message to send, or a control frame.
type Frame struct {
	Opcode  frame.Opcode
	Payload []byte
	// Secret: the payload contains a credential, which traces must not show.
	Secret bool
	// Urgent: the frame, such as a heartbeat, is sent before others that wait because
	// of a SendLimiter.
	Urgent bool
}

// Text returns a text frame.
func Text(payload []byte) Frame { return Frame{Opcode: frame.OpText, Payload: payload} }

// A Resumer is a Service with positions that survive the process.
type Resumer interface {
	// Resume returns a service that continues from a position, and whose events have
	// positions, and the position itself, which moves over events that are done. stored
	// is what its JSON method returned in another process; nil to begin. The error says
	// what is wrong with stored.
	Resume(stored []byte) (Service, Position, error)
}

// A Position is where a stream is, as far as events are done. It is used by one goroutine
// at a time.
type Position interface {
	// Move moves it over an event, in the order of the events; v is Message.Position.
	Move(v any)
	// JSON returns what Resume takes; nil before there is a position.
	JSON() json.RawMessage
}

// An Identifier is a Service whose events have ids, by which a repeat is recognized.
type Identifier interface {
	// EventID returns the id of an event, "" if it has none. It is not called on the
	// goroutine of the Session.
	EventID(m Message) string
}

// A DeliveryConfirmer is a Service whose sessions may be Confirmers.
type DeliveryConfirmer interface {
	// ConfirmsDelivery reports whether they are.
	ConfirmsDelivery() bool
}

// A SecretPosition is a Position with credentials.
type SecretPosition interface {
	Position
	// Secret returns the names of the members, if it is an object, whose values are
	// credentials.
	Secret() []string
}

// A Confirmer is a Session that says to the service which events are done.
type Confirmer interface {
	// Confirm is called with the positions of events that are done, in their order; some
	// may be of earlier connections.
	Confirm(positions []any, now time.Time) []Effect
}

// A PositionSink is a Sink that observes positions between events.
type PositionSink interface {
	// Position is called in order with the events.
	Position(v any) error
}

// A Drainer is a Source whose sessions may buffer events, to put others before them.
// Events that are buffered at the end of a connection are passed to the next session.
type Drainer interface {
	// Drain returns the events that are still buffered at the end of the run.
	Drain() []Message
}

// A Scheduler is a Session with timed work, such as heartbeats, time limits for
// acknowledgments, and token renewal.
type Scheduler interface {
	// Tick is called at the time that it last returned, and after each batch of
	// messages, also while Do runs. An error ends the connection, unless the missing
	// message may be unread because the sink is slow; the Work is done in either case.
	Tick(now time.Time) (Work, error)
}

// A ControlWatcher is a Session that observes control frames. Pings are answered and
// pongs counted as signs of life in any case.
type ControlWatcher interface {
	// Control is called for each ping and pong from the peer, in order with the
	// messages.
	Control(op frame.Opcode, now time.Time) []Effect
}

// A CloseCoder is a Session whose service gives a meaning to the code of a close frame.
type CloseCoder interface {
	// CloseCode returns the status code for a normal close; 0 for 1000 (RFC 6455,
	// section 7.4.1).
	CloseCode() int
}

// A SendLimiter is a Session whose service limits how many messages a client may send.
type SendLimiter interface {
	// SendLimit returns how many frames may be sent within a time; further frames wait.
	// Pings, pongs and the closing handshake are exempt. 0 frames mean no limit. It is
	// called once, before OnOpen.
	SendLimit() (frames int, per time.Duration)
}

// An EndWatcher is a Session that is notified of the end of its connection.
type EndWatcher interface {
	// Ended is the last call of the session.
	Ended(err error)
}

// Work is what a Scheduler requests now, and when it is to be called again.
type Work struct {
	// Effects are applied first.
	Effects []Effect
	// Do may block, on the network or a command; it runs concurrently with the
	// connection, one at a time, and ctx is canceled at the end of the connection. The
	// function that it returns is called on the goroutine of the Session's methods.
	// While another Do runs it is ignored, and Tick must return it again.
	Do func(ctx context.Context) (done func(now time.Time) (Work, error))
	// Bulk: Do fetches many events. It is ignored while the queue is full, and goes on
	// while the next attempt is waited for, if the connection is lost: then ctx is
	// canceled at the beginning of that, and of what its function returns only the
	// effects count.
	Bulk bool
	// Next is when Tick is to be called again; the zero time means not before the next
	// batch.
	Next time.Time
}

// A Classifier is a Service that classifies its own failures. Otherwise the general
// rules of classify apply.
type Classifier interface {
	// Classify classifies the error that ended a connection attempt or a connection. It
	// may return a clearer error for the user.
	Classify(err error) Verdict
}

// A Verdict is the classification of a failure.
type Verdict struct {
	Class Class
	// RetryNow: retry after the shortest delay without using a retry. It is granted
	// once per series of failures, which a stable connection ends.
	RetryNow bool
}

// A Class is the kind of a failure; each has an exit code of its own.
type Class int

const (
	// Unknown leaves the decision to the general rules.
	Unknown Class = iota
	// Transient failures are retried.
	Transient
	// Unreachable: could not connect, and a retry would not help.
	Unreachable
	// Credentials were refused.
	Credentials
	// Refused: the service refuses the request, or uses another protocol.
	Refused
	// TimedOut: something expected did not arrive in time.
	TimedOut
	// Done is not a failure: the service has ended the stream normally.
	Done
)

// An Event is what the sink gets: a message that is an event, or any frame with
// Options.Frames.
type Event struct {
	Message
	// Direction and Opcode describe the frame. Secret: its payload contained a
	// credential, and Data is empty.
	Direction Direction
	Opcode    frame.Opcode
	Secret    bool
	// Seq counts the events of a run, from 1.
	Seq uint64
}

// A Sink receives the events of a run, in order and on one goroutine. It may block: the
// connection is kept alive meanwhile.
type Sink interface {
	// Event receives one event. ev and its Data are valid during the call. An error
	// ends the run and is returned by Run.
	Event(ev *Event) error
	// Flush is called when no more events wait, so that buffered output can be written
	// at once. It is also called before Run returns.
	Flush() error
}

// A Describer is a Service that maps its messages to the attributes of CloudEvents
// (CloudEvents 1.0.2, section 3.1). It is called for messages that are events, on
// another goroutine than the Session.
type Describer interface {
	// The result of Describe may refer to m.Data.
	Describe(m Message) Description
}

// A Description has the attributes of an event. A field is zero if the message does not
// contain it.
type Description struct {
	// ID is unique within Source. Source is a URI reference.
	ID, Source string
	// Type begins with a reverse domain name. Subject is the subject of the event,
	// within Source.
	Type, Subject string
	// Time is when it happened.
	Time time.Time
	// Data is the JSON of the payload within the message; nil means the whole message,
	// empty means none.
	Data []byte
}

// A Summarizer is a Service that says what people want to see of an event at a glance.
type Summarizer interface {
	// The result of Summary may refer to m.Data.
	Summary(m Message) Summary
}

// A Summary is what people want to see of an event. All of it may be empty.
type Summary struct {
	// What it is: a kind or a channel. From whom: a device, a location.
	What, From string
	// Data is the JSON with its values; nil means the whole message, empty means none.
	Data []byte
}
