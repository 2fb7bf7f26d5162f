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
	// Note reports messages that are no events: acknowledgments, pongs.
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

// direction says who sent what an entry contains.
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
