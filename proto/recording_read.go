package proto

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/hark-cli/hark/proto/frame"
)

// A RecordingError reports an invalid line of a recording.
type RecordingError struct {
	Line int // from 1; 0 for the whole file
	Err  error
}

func (e *RecordingError) Error() string {
	if e.Line == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("recording, line %d: %v", e.Line, e.Err)
}
func (e *RecordingError) Unwrap() error { return e.Err }

// ErrRecordingCut is returned for a truncated recording, which ends in the middle of a
// line. All lines before it are valid.
var ErrRecordingCut = errors.New("the recording ends in the middle of a line")

// maxRecordingLine is the longest line that is read, in bytes: a message of the largest
// usual size, each byte escaped.
const maxRecordingLine = 512 << 20

// maxFirstLine is how much of the first line is read, in bytes, before it must look
// like a recording, so that a file without line breaks is refused early.
const maxFirstLine = 1 << 20

// A RecordingReader reads a recording.
type RecordingReader struct {
	// Head is zero if the recording has none.
	Head RecordingHead
	// End is nil until the last line has been read, and if there is none: the recorded
	// command was killed, or is still running.
	End *RecordingEnd
	// Plain: it is not a recording, but a file of messages, one a line.
	Plain bool
	// Room, if it is not nil, returns a slice to which the payload of the next record, of
	// at most n bytes, may be appended; it is valid as long as the slice then. nil stands
	// for no such slice.
	Room func(n int) []byte

	r      *bufio.Reader
	line   int
	long   []byte // a line that is longer than the reader's buffer
	text   []byte // of the last message
	minute minute
	first  *FrameRecord
	now    time.Time // when a plain file was last read
	err    error
}

var errNoRecording = errors.New("the file is not a recording")

// NewRecordingReader reads the head of the recording in r.
func NewRecordingReader(r io.Reader) (*RecordingReader, error) { return newReader(r, false) }

// NewMessageReader is NewRecordingReader for a file that may be a plain one as well, whose
// first line is a JSON value. Its messages have the time at which they were read.
func NewMessageReader(r io.Reader) (*RecordingReader, error) { return newReader(r, true) }

func newReader(r io.Reader, plain bool) (*RecordingReader, error) {
	t := &RecordingReader{r: bufio.NewReaderSize(r, 64<<10)}
	if err := t.begin(); err != nil {
		return nil, err
	}
	b, err := t.next()
	switch {
	case err == io.EOF:
		return nil, &RecordingError{0, errors.New("the file is empty, and not a recording")}
	case err != nil:
		return nil, err
	case plain && isPlain(b):
		t.Plain, t.now = true, time.Now()
		first := t.plain(b)
		t.first = &first
		return t, nil
	}
	l, err := parseRecordingLine(b)
	switch {
	case err != nil && t.atEnd(b) && bytes.HasPrefix(b, []byte("{")):
		return nil, &RecordingError{t.line, errors.New("the recording is cut off in its first line, and nothing of it can be read")}
	case err != nil:
		return nil, &RecordingError{t.line, err}
	case l.Format == "" && l.Op != "":
		rec, err := l.record()
		if err != nil {
			return nil, &RecordingError{t.line, err}
		}
		t.first = &rec
		return t, nil
	}
	if err := l.head(); err != nil {
		return nil, &RecordingError{t.line, err}
	}
	t.Head = RecordingHead{Time: l.Time, Service: l.Service, Source: l.Source, Run: l.Run, Recipe: l.Recipe, Params: l.Params}
	return t, nil
}

// fileSigns are the first bytes of files that are mistaken for recordings, such as
// compressed ones.
var fileSigns = []struct{ begin, what string }{
	{"\x1f\x8b", "compressed with gzip: unpack it, as in gzip -dc FILE | hark play -"},
	{"\xfd7zXZ\x00", "compressed with xz: unpack it, as in xz -dc FILE | hark play -"},
	{"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it, as in zstd -dc FILE | hark play -"},
	{"BZh", "compressed with bzip2: unpack it, as in bzip2 -dc FILE | hark play -"},
	{"\xff\xfe", "UTF-16, and a recording is UTF-8"},
	{"\xfe\xff", "UTF-16, and a recording is UTF-8"},
}

// begin checks the first bytes and skips a byte order mark of UTF-8.
func (t *RecordingReader) begin() error {
	start, _ := t.r.Peek(8)
	for _, s := range fileSigns {
		if bytes.HasPrefix(start, []byte(s.begin)) {
			return &RecordingError{0, errors.New("the file is " + s.what)}
		}
	}
	if bytes.HasPrefix(start, []byte("\ufeff")) {
		_, _ = t.r.Discard(len("\ufeff"))
	}
	return nil
}

// Records yields the records of the recording once, in their order. A payload is valid
// until the next one is asked for. An error is yielded last: ErrRecordingCut, a
// *RecordingError, or a read error.
func (t *RecordingReader) Records() iter.Seq2[FrameRecord, error] {
	return func(yield func(FrameRecord, error) bool) {
		if t.first != nil {
			r := *t.first
			t.first = nil
			if !yield(r, nil) {
				return
			}
		}
		for t.err == nil {
			r, err := t.read()
			if t.err = err; err != nil {
				break
			}
			if !yield(r, nil) {
				return
			}
		}
		if t.err != io.EOF {
			yield(FrameRecord{}, t.err)
		}
	}
}

// read returns the next record; it skips further heads, as in concatenated recordings.
func (t *RecordingReader) read() (FrameRecord, error) {
	for {
		b, err := t.next()
		if err != nil {
			return FrameRecord{}, err
		}
		if t.Plain {
			return t.plain(b), nil
		}
		if r, ok := t.textRecord(b); ok {
			t.End = nil
			return r, nil
		}
		l, err := parseRecordingLine(b)
		if err != nil && t.atEnd(b) {
			return FrameRecord{}, ErrRecordingCut
		}
		if err == nil && l.Format != "" {
			if err = l.head(); err == nil {
				t.End = nil
				continue
			}
		}
		if err == nil && l.Op == opEnd {
			t.End = &RecordingEnd{Time: l.Time, Reason: l.EndedBy, Error: l.Error}
			if l.ExitCode != nil {
				t.End.ExitCode = *l.ExitCode
			}
			continue
		}
		var r FrameRecord
		if err == nil {
			r, err = l.record()
		}
		if err != nil {
			return FrameRecord{}, &RecordingError{t.line, err}
		}
		t.End = nil
		return r, nil
	}
}

// Cut reports whether the recording was read to its end and is truncated.
func (t *RecordingReader) Cut() bool { return t.err == ErrRecordingCut }

// next returns the next line that is not empty, with its line break if it has one.
func (t *RecordingReader) next() ([]byte, error) {
	for {
		b, err := t.readLine()
		if err != nil {
			return nil, err
		}
		t.line++
		if len(bytes.TrimSpace(b)) > 0 {
			return b, nil
		}
	}
}

func (t *RecordingReader) readLine() ([]byte, error) {
	if t.Plain && t.r.Buffered() == 0 {
		defer func() { t.now = time.Now() }()
	}
	b, err := t.r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		t.long = t.long[:0]
		for err == bufio.ErrBufferFull {
			t.long = append(t.long, b...)
			if t.line == 0 && len(t.long) > maxFirstLine && !bytes.Contains(t.long[:maxFirstLine], []byte(`"op":`)) {
				return nil, &RecordingError{1, errNoRecording}
			}
			if len(t.long) > maxRecordingLine {
				return nil, &RecordingError{t.line + 1, fmt.Errorf("the line is longer than %d bytes", maxRecordingLine)}
			}
			b, err = t.r.ReadSlice('\n')
		}
		t.long = append(t.long, b...)
		b = t.long
	}
	if err == io.EOF && len(b) > 0 {
		err = nil
	}
	return b, err
}

// atEnd reports whether b is the last line, without a line break.
func (t *RecordingReader) atEnd(b []byte) bool { return !bytes.HasSuffix(b, []byte("\n")) }

// notRecord returns why a line is not a record, without the messages of the decoder.
func notRecord(err error) string {
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && t.Field != "" {
		return fmt.Sprintf("%s has a value of the wrong type (%s)", t.Field, t.Value)
	}
	return "the line is not a JSON object with the members of a recording"
}

func parseRecordingLine(b []byte) (recordingLine, error) {
	var l recordingLine
	if err := json.Unmarshal(b, &l); err != nil {
		return recordingLine{}, fmt.Errorf("not a valid record: %s", notRecord(err))
	}
	return l, nil
}

// head checks the head of a recording.
func (l *recordingLine) head() error {
	switch {
	case l.Format != recordingFormat:
		return errors.New("not a recording: a first line with \"format\":\"" + recordingFormat + "\" is missing")
	case l.Version != recordingVersion:
		return fmt.Errorf("the recording has version %d of the format; only version %d is supported", l.Version, recordingVersion)
	}
	return nil
}

func (l *recordingLine) record() (FrameRecord, error) {
	r := FrameRecord{Time: l.Time, Secret: l.Withheld, Direction: In}
	if l.Dir == "out" {
		r.Direction = Out
	} else if l.Dir != "in" {
		return r, fmt.Errorf("dir is %q: expected in or out", l.Dir)
	}
	if l.Op == opHandshake {
		r.Handshake = &HandshakeRecord{}
		if l.Request != nil {
			r.Handshake.URL, r.Handshake.Header, r.Handshake.Overlaps = l.Request.URL, l.Request.Header, l.Request.Overlaps
		}
		if p := l.Response; p != nil {
			r.Handshake.Status, r.Handshake.ResponseHeader, r.Handshake.Body = p.Status, p.Header, p.Body
		}
		return r, nil
	}
	i := slices.IndexFunc(recordingOps, func(op frame.Opcode) bool { return op.String() == l.Op })
	if i < 0 {
		return r, fmt.Errorf("op is %q: expected handshake, text, binary, ping, pong or close", l.Op)
	}
	r.Opcode = recordingOps[i]
	switch {
	case l.Withheld:
	case r.Opcode == frame.OpClose:
		if l.Code < 0 || l.Code > 0xFFFF {
			return r, fmt.Errorf("code is %d: expected that of a close frame", l.Code)
		}
		r.Payload = frame.ClosePayload(l.Code, l.Reason)
	case l.JSON != nil:
		r.Payload = l.JSON
	case l.Base64 != nil:
		r.Payload = *l.Base64
	case l.Text != nil:
		r.Payload = []byte(*l.Text)
	default:
		return r, errors.New("there is neither json, text nor base64")
	}
	return r, nil
}
