package proto

import (
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
)

// A Trace observes a run without affecting it. All its functions are called on the
// goroutine that called Run, one at a time, and may be nil. They must not block: the
// connection waits for them.
type Trace struct {
	// Status reports each change of state of the connection.
	Status func(Status)
	// Note reports messages that are not events, such as acknowledgments.
	Note func(text string)
	// Answer reports the result of a Command.
	Answer func(text string)
	// Warning reports a problem that the user should know of although the stream
	// continues.
	Warning func(text string)
	// Frame reports each opening handshake, message and control frame in both
	// directions. Its payload is valid during the call. As collecting frames costs
	// time, it is done only if Frame is not nil.
	Frame func(FrameRecord)
	// Secret reports a credential obtained during the run, before it is used.
	Secret func(value string)
}

// A Direction is the direction of a frame.
type Direction byte

const (
	In  Direction = '<' // from the server
	Out Direction = '>' // from us
)

// String returns "in" or "out".
func (d Direction) String() string {
	if d == Out {
		return "out"
	}
	return "in"
}

// direction returns the direction of an entry.
func direction(e *wsconn.Entry) Direction {
	if e.Out {
		return Out
	}
	return In
}

// A FrameRecord is a message, a control frame or an opening handshake.
type FrameRecord struct {
	Time      time.Time
	Direction Direction
	Opcode    frame.Opcode
	Payload   []byte
	// Secret: the payload contains a credential and must not be shown.
	Secret bool
	// Handshake is nil for frames. Otherwise Opcode and Payload are unused.
	Handshake *HandshakeRecord
}

func (t *Trace) frame(r FrameRecord) {
	if t.Frame != nil {
		t.Frame(r)
	}
}

func (t *Trace) note(text Note) {
	if t.Note != nil {
		t.Note(string(text))
	}
}

func (t *Trace) answer(text Answer) {
	if t.Answer != nil {
		t.Answer(string(text))
	}
}

func (t *Trace) warning(text Warning) {
	if t.Warning != nil {
		t.Warning(string(text))
	}
}

func (t *Trace) secret(v string) {
	if v != "" && t.Secret != nil {
		t.Secret(v)
	}
}
