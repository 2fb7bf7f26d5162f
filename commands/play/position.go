package play

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/hark-cli/hark/proto"
)

// Positions in a recording, for --cursor: the number of events that are done. A session
// may need all messages to know what one means, so all are read again.

// A position is the number of events that are done.
type position uint64

// Move implements proto.Position.
func (p *position) Move(v any) {
	if n, ok := v.(uint64); ok {
		*p = position(n)
	}
}

// JSON implements proto.Position.
func (p *position) JSON() json.RawMessage {
	if *p == 0 {
		return nil
	}
	return strconv.AppendUint(nil, uint64(*p), 10)
}

// Resume implements proto.Resumer.
func (s *playedService) Resume(stored []byte) (proto.Service, proto.Position, error) {
	if len(stored) > 0 {
		n, err := strconv.ParseUint(string(stored), 10, 64)
		if err != nil {
			return nil, nil, errors.New("the position is not one in a recording")
		}
		s.done = n
	}
	p := position(s.done)
	s.resumes = true
	return s, &p, nil
}

// A resumedSink leaves out the first events, and gives the others their positions.
type resumedSink struct {
	proto.Sink
	done, last uint64
}

// Event implements proto.Sink.
func (s *resumedSink) Event(ev *proto.Event) error {
	if s.last = ev.Seq; ev.Seq <= s.done {
		return nil
	}
	ev.Position = ev.Seq
	return s.Sink.Event(ev)
}

// A shorterError is a recording that has fewer events than were done.
type shorterError struct{ events, done uint64 }

func (e *shorterError) Error() string {
	return fmt.Sprintf("it has %d events, and the position of --cursor is behind event %d: it is shorter than it was", e.events, e.done)
}

// A beginning is a reader that keeps the first line, as far as it is not too long.
type beginning struct {
	io.Reader
	line []byte
	done bool
}

// maxBeginning is how much of the first line is kept, in bytes.
const maxBeginning = 4096

// Read implements io.Reader.
func (b *beginning) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if !b.done {
		line, _, ended := bytes.Cut(p[:n], []byte("\n"))
		b.line = append(b.line, line[:min(len(line), maxBeginning-len(b.line))]...)
		b.done = ended || len(b.line) == maxBeginning
	}
	return n, err
}

// id identifies the recording.
func (b *beginning) id() string {
	sum := sha256.Sum256(b.line)
	return fmt.Sprintf("sha256:%x", sum[:12])
}
