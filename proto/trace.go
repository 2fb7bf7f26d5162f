package proto

import (
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
)

// A Trace reports what happens, without deciding what becomes of it. All its
// functions are called from the goroutine that called Run, one at a time, and
// may be nil. They must not block: the connection waits for them.
type Trace struct {
	// Status reports each turn in the life of the connection.
	Status func(Status)
	// Note reports messages that are no events: acknowledgements, pongs.
	Note func(text string)
	// Answer reports what has become of a Command.
	Answer func(text string)
	// Warning reports what the user should know although the stream goes on.
	Warning func(text string)
	// Frame reports each opening handshake, each message and each control frame in
	// both directions. Its payload is valid during the call. Looking at frames costs time, so nothing
	// is collected when Frame is nil.
	Frame func(FrameRecord)
	// Secret reports a credential that was minted on the way, before it is used.
	Secret func(value string)
}

// A State names a turn in the life of a connection.
type State string

const (
	Connecting State = "connecting"
	Connected  State = "connected"
	// Authenticated: the credentials of the attempt were taken.
	Authenticated State = "authenticated"
	// Live and Ready are those of a Step.
	Live  State = "live"
	Ready State = "ready"
	// Heartbeat: the peer has answered a heartbeat or a ping of ours.
	Heartbeat    State = "heartbeat"
	Disconnected State = "disconnected"
	Retrying     State = "retrying"
	Gap          State = "gap"
	// Dropped: events were dropped because the sink was too slow.
	Dropped State = "dropped"
	// Unconfirmed: messages of Options.Input went out on a connection that has ended,
	// and nothing shows that the peer has read them.
	Unconfirmed State = "unconfirmed"
)

// A Status is one turn in the life of the connection.
type Status struct {
	Time    time.Time
	State   State
	Service string
	// Attempt counts the handshakes of a run, from 1.
	Attempt int
	// Address is where, without anything secret.
	Address string
	// Err is why: for Disconnected, Retrying and Held.
	Err error
	// ClosedHere: a close frame of Options.Input has closed the connection: for Held.
	ClosedHere bool
	// Delay is the wait before the next attempt: for Retrying.
	Delay time.Duration
	// Retry counts the retries in the window, from 1, and Retries is how many
	// there may be: for Retrying.
	Retry, Retries int
	// From and To bound the time in which events may have been missed: for Gap.
	From, To time.Time
	// Filled: the events of the gap were got in another way, so that none is
	// missing. Reason says what interrupted the stream, and Unfilled why the
	// events could not be got, when that was tried. All are for Gap.
	Filled   bool
	Reason   string
	Unfilled string
	// RTT is how long the answer took, 0 when that is not known: for Heartbeat.
	RTT time.Duration
	// Events is how many were dropped since the last such status, and Total how
	// many in the run: for Dropped.
	Events, Total uint64
	// Messages is how many are unconfirmed: for Unconfirmed. For Ready, it is how many
	// went out on earlier connections: they are not sent again.
	Messages int
}

// A Direction says who sent a frame.
type Direction byte

const (
	In  Direction = '<' // from the server
	Out Direction = '>' // from us
)

// String is "in" or "out".
func (d Direction) String() string {
	if d == Out {
		return "out"
	}
	return "in"
}

// direction says who sent what an entry holds.
func direction(e *wsconn.Entry) Direction {
	if e.Out {
		return Out
	}
	return In
}

// A FrameRecord is one message or one control frame, or an opening handshake.
type FrameRecord struct {
	Time      time.Time
	Direction Direction
	Opcode    frame.Opcode
	Payload   []byte
	// Secret: the payload carries a credential and must not be shown.
	Secret bool
	// Handshake is nil for frames. Otherwise Opcode and Payload say nothing.
	Handshake *HandshakeRecord
}

func (t *Trace) status(s Status) {
	if t.Status != nil {
		t.Status(s)
	}
}

func (t *Trace) frame(r FrameRecord) {
	if t.Frame != nil {
		t.Frame(r)
	}
}

func (t *Trace) step(s Step) {
	if s.Note != "" && t.Note != nil {
		t.Note(s.Note)
	}
	if s.Answer != "" && t.Answer != nil {
		t.Answer(s.Answer)
	}
	if s.Warning != "" && t.Warning != nil {
		t.Warning(s.Warning)
	}
}

func (t *Trace) secret(v string) {
	if v != "" && t.Secret != nil {
		t.Secret(v)
	}
}
