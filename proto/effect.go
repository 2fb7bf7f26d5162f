package proto

import "time"

// An Effect is one thing that a Session wants done, besides giving an event to the sink:
// one of the types below. Effects are done in their order. Anyone who gets a list of them
// must not change it: it may be the same one each time.
type Effect interface{ effect() }

// What goes to the peer.
type (
	// Send sends frames now, in this order.
	Send []Frame
	// Secrets are credentials that have come up since the handshake. They come before
	// what carries them.
	Secrets []string
)

// What is known of the stream.
type (
	// StreamLive: as far as the protocol tells, events may come from here on.
	StreamLive struct{}
	// StreamReady: an event that happens from here on will come, as the service defines
	// it. It implies StreamLive.
	StreamReady struct {
		// Filling: the session fetches what was missed before this connection, and will
		// say in GapReports what has become of it.
		Filling bool
	}
	// HeartbeatAnswered: the peer has answered a heartbeat.
	HeartbeatAnswered struct {
		// RTT is how long the answer took, 0 when that is not known.
		RTT time.Duration
	}
	// GapReports is what a Session that was Filling says when it has done with it.
	GapReports []GapReport
	// Events are events that the session has made of the message at hand: the sink gets
	// them in the place of the message, in this order. Only Decode returns them. Their
	// Data is copied.
	Events []Message
	// Resumed: the service confirms that nothing was missed since the last connection, so
	// that there is no gap. It comes before StreamReady.
	Resumed struct{}
	// Inject are events that the session has fetched or held back. They reach the
	// sink in this order: those of Decode after all messages that were read together
	// with the one at hand, others at once. Their Data is copied.
	Inject []Message
)

// A GapReport is what a Session knows of a time in which events may have been
// missed.
type GapReport struct {
	// From and To bound the time. When From is zero they are those of the gap
	// before this connection; without one, the report is dropped.
	From, To time.Time
	// Filled: every event of the time was fetched.
	Filled bool
	// Reason says why it was not filled.
	Reason string
}

// What to tell people.
type (
	// Note says in a few words what a message was that is no event, for people who asked
	// to see more.
	Note string
	// Answer tells a person what has become of a Command.
	Answer string
	// Warning is something that the user should know although the stream goes on.
	Warning string
)

func (Send) effect()              {}
func (Secrets) effect()           {}
func (StreamLive) effect()        {}
func (StreamReady) effect()       {}
func (HeartbeatAnswered) effect() {}
func (GapReports) effect()        {}
func (Inject) effect()            {}
func (Events) effect()            {}
func (Resumed) effect()           {}
func (Note) effect()              {}
func (Answer) effect()            {}
func (Warning) effect()           {}
