package proto

import (
	"context"
	"time"

	"github.com/hark-cli/hark/proto/sequence"
)

// An Effect is an action that a Session requests, besides passing an event to the sink:
// one of the types below. Effects are applied in order. The caller must not modify a
// list of effects: it may be shared.
type Effect interface{ effect() }

// Effects on the peer.
type (
	// Send sends frames now, in this order.
	Send []Frame
	// Successor asks for a new connection, before the peer ends this one. This one is
	// used until the stream of the new one is ready, and is closed then: there is no
	// gap. An attempt that fails is repeated like a reconnect, as long as this connection
	// lasts.
	Successor struct {
		// Handshake prepares an attempt, in a goroutine of its own. accept is called in
		// that of the session, before OnOpen of the new one.
		Handshake func(ctx context.Context) (hs *Handshake, accept func(), err error)
	}
	// Secrets are credentials that were obtained after the handshake. It precedes the
	// effect that contains them.
	Secrets []string
)

// The state of the stream.
type (
	// StreamLive: as far as the protocol shows, events may arrive from now on.
	StreamLive struct{}
	// StreamReady: events that happen from now on will arrive, as the service defines
	// it. It implies StreamLive.
	StreamReady struct {
		// Filling: the session fetches the events missed before this connection, and
		// will report the result in GapReports.
		Filling bool
	}
	// HeartbeatAnswered: the peer has answered a heartbeat.
	HeartbeatAnswered struct {
		// RTT is the round-trip time, 0 if unknown.
		RTT time.Duration
	}
	// GapReports is the result of Filling, when it has finished.
	GapReports []GapReport
	// Events are events that the session has made of the current message: the sink gets
	// them instead of the message, in this order. Only Decode returns them. Their Data
	// is copied.
	Events []Message
	// Numbers are the numbers of events of the current message, which rise by one within
	// each sequence; see Options.Number. Only Decode returns them.
	Numbers []sequence.Number
	// Resumed: the service confirms that nothing was missed since the last connection, so
	// that there is no gap. It comes before StreamReady.
	Resumed struct{}
	// Moved is a position: of the message, or of the last event that was made of it, if
	// it comes from Decode; otherwise after all events before it.
	Moved struct{ Position any }
	// Inject are events that the session has fetched or buffered. They reach the sink
	// in this order: those of Decode after all messages that were read together with
	// the current one, others at once. Their Data is copied.
	Inject []Message
)

// A GapReport describes a time in which events may have been missed.
type GapReport struct {
	// From and To are the bounds. If From is zero they are those of the gap before this
	// connection; without one, the report is dropped.
	From, To time.Time
	// Filled: every event of the time was fetched.
	Filled bool
	// Reason is why the gap was not filled.
	Reason string
}

// Messages to the user.
type (
	// Note describes a message that is not an event, for verbose output.
	Note string
	// Answer is the result of a Command, for the person at the prompt.
	Answer string
	// Warning is a problem that the user should know of although the stream continues.
	Warning string
)

func (Send) effect()              {}
func (Secrets) effect()           {}
func (Successor) effect()         {}
func (StreamLive) effect()        {}
func (StreamReady) effect()       {}
func (HeartbeatAnswered) effect() {}
func (GapReports) effect()        {}
func (Inject) effect()            {}
func (Moved) effect()             {}
func (Events) effect()            {}
func (Numbers) effect()           {}
func (Resumed) effect()           {}
func (Note) effect()              {}
func (Answer) effect()            {}
func (Warning) effect()           {}
