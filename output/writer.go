package output

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/hark-cli/hark/internal/jsontext"
	"github.com/hark-cli/hark/proto"
)

// A Format says what is printed for an event.
type Format string

// FormatMessage prints the message that carried the event, byte for byte, on one
// line (see jsontext.AppendLine). A text message that is not JSON becomes a JSON
// string, with U+FFFD for what is not UTF-8; a binary message that is not JSON
// becomes {"data_base64":"…"}.
const FormatMessage Format = "message"

// ParseFormat returns the format of that name.
func ParseFormat(name string) (Format, error) {
	if f := Format(name); f == FormatMessage {
		return f, nil
	}
	return "", fmt.Errorf("unknown format %q: use %s", name, FormatMessage)
}

// Options say what a Writer prints and when it has printed enough. The zero value
// prints every event, without end.
type Options struct {
	// Format is FormatMessage when empty.
	Format Format
	// Filter makes of each event the values that are printed for it; nil prints the
	// event.
	Filter *Filter
	// Raw prints a string as its text, not as JSON: jq -r.
	Raw bool
	// JQErrorFail makes the first failure of an expression the end of the stream. It
	// is a warning otherwise, and what the expression had yielded before it for
	// that event stays printed.
	JQErrorFail bool
	// Count ends the stream when that many events have been printed: events for
	// which Filter left at least one line. 0 is no limit.
	Count uint64
	// Until ends the stream with the first event for which it yields anything but
	// false and null. It looks at the event itself, whatever Filter makes of it;
	// the event is printed like any other.
	Until *Filter
	// Context, when it ends, ends an expression that is being run; nil is
	// context.Background. It is here because a proto.Sink is not given any.
	Context context.Context
	// Warn is told what goes wrong without ending the stream; nil discards.
	Warn func(msg string)
}

// A Writer prints events: the proto.Sink of the program. It is for one goroutine,
// except where a method says otherwise.
type Writer struct {
	opts            Options
	lines           lines
	dec             jsontext.Decoder
	events, printed uint64
	err             error // how it ended

	// what other goroutines may ask for, as of the last write or Flush
	published struct {
		events, printed, bytes atomic.Uint64
	}
	matched atomic.Bool // Until has come true
}

// New returns a Writer that prints to w. It panics when ParseFormat would not have
// returned opts.Format.
func New(w io.Writer, opts Options) *Writer {
	if opts.Format == "" {
		opts.Format = FormatMessage
	}
	if _, err := ParseFormat(string(opts.Format)); err != nil {
		panic(err)
	}
	if opts.Context == nil {
		opts.Context = context.Background()
	}
	if opts.Warn == nil {
		opts.Warn = func(string) {}
	}
	return &Writer{opts: opts, lines: newLines(w)}
}

// Event prints ev. The error is final, and returned again for whatever comes
// later, of which nothing is printed:
//
//   - Ended, when a condition came true. If both did by one event it names "until",
//     which looks at the event before it is printed.
//   - ErrStdoutClosed, or a *WriteError.
//   - *FilterError, with JQErrorFail.
//   - the cause of the end of Options.Context, when that cut an expression short.
//
// With the first and the last two, all lines are written before Event returns.
func (w *Writer) Event(ev *proto.Event) error {
	if w.err != nil {
		return w.err
	}
	w.events++
	before := w.lines.out
	w.err = w.event(ev)
	if w.err != nil {
		w.finish()
	} else if w.lines.out != before {
		w.publish()
	}
	return w.err
}

// finish writes what waits, because the end of the connection may take a while. A
// failure to do so weighs more than the reason for the end.
func (w *Writer) finish() {
	if isWriteError(w.err) {
		w.publish()
		return
	}
	if err := w.lines.flush(); err != nil {
		w.err = err
	}
	w.publish()
}

// Flush writes the lines that wait. The error is ErrStdoutClosed or a *WriteError,
// and final like those of Event.
func (w *Writer) Flush() error {
	if isWriteError(w.err) {
		return w.err
	}
	if err := w.lines.flush(); err != nil {
		w.err = err
		w.publish()
		return err
	}
	w.publish()
	return nil
}

func isWriteError(err error) bool {
	if err == nil {
		return false
	}
	_, ok := errors.AsType[*WriteError](err)
	return ok || errors.Is(err, ErrStdoutClosed)
}

func (w *Writer) publish() {
	w.published.events.Store(w.events)
	w.published.printed.Store(w.printed)
	w.published.bytes.Store(w.lines.out)
}

// Counts are what a Writer has done.
type Counts struct {
	Events  uint64 // taken
	Printed uint64 // for which at least one line was printed
	Bytes   uint64 // written
}

// Counts returns the counters as they were when the Writer last wrote something or
// was flushed. Any goroutine may call it.
func (w *Writer) Counts() Counts {
	return Counts{
		Events:  w.published.events.Load(),
		Printed: w.published.printed.Load(),
		Bytes:   w.published.bytes.Load(),
	}
}

// Unmet says, in one line for each, which conditions are still awaited. Any
// goroutine may call it.
func (w *Writer) Unmet() []string {
	var unmet []string
	if printed := w.published.printed.Load(); printed < w.opts.Count {
		unmet = append(unmet, fmt.Sprintf("--count: %d of %d events", printed, w.opts.Count))
	}
	if w.opts.Until != nil && !w.matched.Load() {
		unmet = append(unmet, "--until: no event matched "+clean(w.opts.Until.String()))
	}
	return unmet
}
