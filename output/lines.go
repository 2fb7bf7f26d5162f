package output

import (
	"errors"
	"io"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
)

const (
	// bufferSize is how many bytes may wait to be written.
	bufferSize = 64 << 10
	// slack is room beyond it for the line that goes over, so that the buffer need
	// not grow for a usual one.
	slack = 4 << 10
)

// A lineWriter is the way out: it puts lineWriter into one buffer and writes the buffer
// when it is full. Each method but flush and reserve adds one line. The errors
// are those of writing, as writeError makes them.
type lineWriter struct {
	w io.Writer
	// hold keeps the writes of one record together, where others write to w; nil when
	// nothing is to be done for that.
	hold holder
	held bool // between hold.Hold and hold.Release
	buf  []byte
	out  uint64 // bytes written to w
	// delim ends a record: a line feed or NUL.
	delim byte
	// style is nil when records go out as they are.
	style *style
	plain []byte    // a record, or a piece of it, before it is styled
	at    time.Time // of the event that is being printed
}

func newLines(w io.Writer) lineWriter {
	l := lineWriter{w: w, buf: make([]byte, 0, bufferSize+slack), delim: '\n'}
	l.hold, _ = w.(holder)
	return l
}

// spill writes what waits in the middle of a record.
func (l *lineWriter) spill() error {
	l.together()
	return l.flush()
}

// together says that the next write is not the last of its record.
func (l *lineWriter) together() {
	if l.hold != nil && !l.held {
		l.held = true
		l.hold.Hold()
	}
}

// flush writes what waits.
func (l *lineWriter) flush() error {
	if len(l.buf) == 0 {
		return nil
	}
	err := l.write(l.buf)
	if cap(l.buf) > 4*bufferSize { // the room for a giant, which is rare
		l.buf = make([]byte, 0, bufferSize+slack)
	}
	l.buf = l.buf[:0]
	return err
}

func (l *lineWriter) write(b []byte) error {
	n, err := l.w.Write(b)
	l.out += uint64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return WriteFailure(err)
	}
	return nil
}

// reserve makes room for n bytes, of which there are at most bufferSize.
func (l *lineWriter) reserve(n int) error {
	if len(l.buf)+n <= bufferSize {
		return nil
	}
	return l.flush()
}

// end ends the record.
func (l *lineWriter) end() error {
	l.buf = append(l.buf, l.delim)
	if l.held { // others wait for the rest
		l.held = false
		defer l.hold.Release()
		return l.flush()
	}
	if len(l.buf) >= bufferSize {
		return l.flush()
	}
	return nil
}

// made adds the JSON value in b, which is on one line.
func (l *lineWriter) made(b []byte) error {
	if l.style != nil {
		return l.styled(b)
	}
	l.buf = append(l.buf, b...)
	return l.end()
}

// line adds a line that is not JSON, as it is.
func (l *lineWriter) line(b []byte) error {
	l.buf = append(l.buf, b...)
	return l.end()
}

// valid adds the JSON value in b; breaks says whether a CR or LF occurs in it.
func (l *lineWriter) valid(b []byte, breaks bool) error {
	if breaks || l.style != nil || len(b) >= bufferSize {
		_, err := l.message(b)
		return err
	}
	if err := l.reserve(len(b) + 1); err != nil {
		return err
	}
	return l.made(b)
}

// message adds the JSON value in b, or says that it is none.
func (l *lineWriter) message(b []byte) (ok bool, err error) {
	if l.style != nil {
		if ok, _ := eventjson.Valid(b); !ok {
			return false, nil
		}
		return true, l.styled(eventjson.TrimBreaks(b))
	}
	if len(b) < bufferSize {
		if err := l.reserve(len(b) + 1); err != nil {
			return false, err
		}
		if l.buf, ok = eventjson.AppendLine(l.buf, b); !ok {
			return false, nil
		}
		return true, l.end()
	}
	ok, breaks := eventjson.Valid(b)
	if !ok {
		return false, nil
	}
	if !breaks {
		if err := l.large(b); err != nil {
			return false, err
		}
		return true, l.end()
	}
	if err := l.flush(); err != nil {
		return false, err
	}
	for b = eventjson.TrimBreaks(b); len(b) > 0; {
		n := min(len(b), bufferSize)
		l.buf = append(l.buf, b[:n]...)
		b = b[n:]
		eventjson.FoldBreaks(l.buf)
		if len(b) > 0 {
			if err := l.spill(); err != nil {
				return false, err
			}
		}
	}
	return true, l.end()
}

// large adds the bytes of a large message. Writes of one size go through a pipe
// with the fewest waits, so that the end of a message does not go alone; what is
// longer than the buffer is not copied.
func (l *lineWriter) large(b []byte) error {
	if len(l.buf) > 0 {
		n := min(len(b), bufferSize-len(l.buf))
		l.buf = append(l.buf, b[:n]...)
		if b = b[n:]; len(l.buf) < bufferSize {
			return nil
		}
		if err := l.spill(); err != nil {
			return err
		}
	}
	for len(b) >= bufferSize {
		l.together()
		if err := l.write(b[:bufferSize]); err != nil {
			return err
		}
		b = b[bufferSize:]
	}
	l.buf = append(l.buf, b...)
	return nil
}

// text adds the text in b as a JSON string.
func (l *lineWriter) text(b []byte) error {
	return l.unfinished(quote, eventjson.Tail{Data: b, Form: eventjson.Quoted, End: `"`})
}

// binary adds the bytes in b as an object that contains them in Base64.
func (l *lineWriter) binary(b []byte) error {
	return l.unfinished(binaryStart, eventjson.Tail{Data: b, Form: eventjson.Base64, End: `"}`})
}

// How records begin whose rest comes in pieces.
var (
	quote       = []byte{'"'}
	binaryStart = []byte(`{"` + base64Member + `":"`)
)

// unfinished adds a JSON value on one line of which there is the start, and the
// rest.
func (l *lineWriter) unfinished(start []byte, rest eventjson.Tail) error {
	if l.style != nil {
		return l.styledRest(start, rest)
	}
	if err := l.large(start); err != nil {
		return err
	}
	verbatim := rest.Form == eventjson.Verbatim
	for !rest.Done() {
		n := len(l.buf)
		if l.buf = rest.Append(l.buf, bufferSize-n); len(l.buf) == n {
			if err := l.spill(); err != nil {
				return err
			}
			continue
		}
		if verbatim {
			eventjson.FoldBreaks(l.buf[n:])
		}
	}
	return l.end()
}

// base64Member is where binary data that is not JSON stands, as in the JSON format
// of CloudEvents, section 3.1.
const base64Member = "data_base64"

// value adds a value that a filter made, which may be large. bad says that it has no
// JSON form.
func (l *lineWriter) value(v any, large bool) (bad, err error) {
	if large {
		if bad = eventjson.Check(v); bad != nil {
			return bad, nil
		}
		return nil, l.stream(v)
	}
	if l.style != nil {
		if l.plain, bad = eventjson.AppendValue(l.plain[:0], v); bad != nil {
			return bad, nil
		}
		return nil, l.styled(l.plain)
	}
	if l.buf, bad = eventjson.AppendValue(l.buf, v); bad != nil {
		return bad, nil
	}
	return nil, l.end()
}

// stream adds a large value.
func (l *lineWriter) stream(v any) error {
	if l.style != nil {
		l.begin()
		rest, err := eventjson.StreamValue(l.plain[:0], v, func(b []byte) ([]byte, error) { return b[:0], l.feed(b) })
		if err == nil {
			err = l.feed(rest)
		}
		if err != nil {
			return err
		}
		return l.styledEnd()
	}
	rest, err := eventjson.StreamValue(l.buf, v, func(b []byte) ([]byte, error) {
		if l.buf = b; len(b) < bufferSize {
			return b, nil
		}
		err := l.spill()
		return l.buf, err
	})
	if err != nil {
		return err
	}
	l.buf = rest
	return l.end()
}

// errNUL: what reads the records could not tell where this one ends.
var errNUL = errors.New("a text with a NUL character in it cannot be printed with --null")

// raw adds the text of s as it is. With -r a line may be more than one. bad says
// that it cannot be a record.
func (l *lineWriter) raw(s string) (bad, err error) {
	if l.delim == 0 && strings.IndexByte(s, 0) >= 0 {
		return errNUL, nil
	}
	return nil, l.rawText(s)
}

func (l *lineWriter) rawText(s string) error {
	whole := l.style == nil // only whole records wait
	if l.style != nil {
		l.buf = l.style.appendTime(l.buf, l.at)
	}
	for len(s) > 0 {
		n := min(len(s), bufferSize)
		if l.style != nil {
			n = eventjson.CutText(s, stylePiece)
		}
		if len(l.buf)+n > bufferSize {
			if !whole {
				l.together()
			}
			if err := l.flush(); err != nil {
				return err
			}
		}
		whole = false
		if l.style != nil {
			l.buf = l.style.appendRaw(l.buf, s[:n])
		} else {
			l.buf = append(l.buf, s[:n]...)
		}
		s = s[n:]
	}
	return l.end()
}

// stylePiece is how much is styled at once, in bytes: with its indentation it may
// become a hundred times as long.
const stylePiece = 8 << 10

// styled adds the JSON value in b.
func (l *lineWriter) styled(b []byte) error {
	l.begin()
	if err := l.feed(b); err != nil {
		return err
	}
	return l.styledEnd()
}

// styledRest is unfinished for a style.
func (l *lineWriter) styledRest(start []byte, rest eventjson.Tail) error {
	l.begin()
	if err := l.feed(start); err != nil {
		return err
	}
	for !rest.Done() {
		l.plain = rest.Append(l.plain[:0], bufferSize)
		if err := l.feed(l.plain); err != nil {
			return err
		}
	}
	return l.styledEnd()
}

// begin starts a styled record.
func (l *lineWriter) begin() {
	l.buf = l.style.appendTime(l.buf, l.at)
	l.style.begin()
}

// feed adds a part of a styled record that does not end within a character.
func (l *lineWriter) feed(b []byte) error {
	for len(b) > 0 {
		n := eventjson.CutText(b, stylePiece)
		if l.buf = l.style.feed(l.buf, b[:n]); len(l.buf) >= bufferSize {
			if err := l.spill(); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}

// styledEnd ends a styled record.
func (l *lineWriter) styledEnd() error {
	l.buf = l.style.end(l.buf)
	if cap(l.plain) > 4*bufferSize {
		l.plain = nil
	}
	return l.end()
}
