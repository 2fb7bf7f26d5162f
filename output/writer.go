package output

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
)

// Options say what a Writer prints and when it has printed enough. The zero value
// prints every event, without end.
type Options struct {
	// Format is FormatMessage when empty.
	Format Format
	// Describe says of messages what FormatCloudEvents prints; nil when nothing is
	// known of them. Run is put in front of the number of an event to make the id
	// of one that has none; a random one when empty.
	Describe func(proto.Message) proto.Description
	Run      string
	// Filter makes of each event the values that are printed for it; nil prints the
	// event.
	Filter *jq.Filter
	// Raw prints a string as its text, not as JSON: jq -r.
	Raw bool
	// Null ends each record with a NUL character instead of a line feed.
	Null bool
	// Style shows records to people.
	Style Style
	// Line, if not nil, appends what is printed of an event without a filter, a line
	// without its end, in the formats FormatMessage and FormatCloudEvents.
	Line func(dst []byte, ev *proto.Event) []byte
	// Limit is how much memory the values of an event may take for expressions to
	// look at them, in bytes, by and large; 0 is no limit. An event beyond it is one
	// on which they fail.
	Limit int
	// JQErrorFail makes the first failure of an expression the end of the stream. It
	// is a warning otherwise, and what the expression had yielded before it for
	// that event stays printed.
	JQErrorFail bool
	// Parallel is how many goroutines may evaluate a pure Filter at the same time when it
	// takes long; Event then postpones events until the next Flush at the latest. 0 and 1
	// stand for that of the caller.
	Parallel int
	// Conditions end the stream; by one event, the first of them.
	Conditions []Condition
	// Keep is how many of the last events Recent returns.
	Keep int
	// Start is when the stream began, for the times of outcomes: now when zero.
	Start time.Time
	// Redact takes credentials out of what is kept of events, and out of frames
	// that were sent; nil leaves everything as it is.
	Redact func([]byte) []byte
	// Context, when it ends, ends an expression that is being run; nil is
	// context.Background. It is here because a proto.Sink is not given any.
	Context context.Context
	// Warn is told what goes wrong without ending the stream; nil discards.
	Warn func(msg string)
}

// defaults fills in what is missing.
func (o *Options) defaults() {
	if o.Format == "" {
		o.Format = FormatMessage
	}
	if o.Run == "" {
		var b [8]byte
		rand.Read(b[:])
		o.Run = hex.EncodeToString(b[:])
	}
	if o.Start.IsZero() {
		o.Start = time.Now()
	}
	if o.Redact == nil {
		o.Redact = func(b []byte) []byte { return b }
	}
	if o.Context == nil {
		o.Context = context.Background()
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
}

// A Writer prints events: the proto.Sink of the program. It is for one goroutine,
// except where a method says otherwise.
type Writer struct {
	opts            Options
	lines           lineWriter
	dec             eventjson.Decoder
	selection       *eventjson.Selection // what of an event is decoded
	filter          *jq.Pipeline         // Options.Filter at work
	set             *jq.Set              // of the expressions that need no values of an event
	native          *jq.Native           // Options.Filter, if it is one of them
	natively        bool                 // there are such expressions
	sight           eventView            // of the event that is being printed
	sees            bool                 // someone looks at the values of events
	scratch         []byte               // a record that is not a message
	uris, types     verified
	memory          memory
	events, printed uint64
	err             error // how it ended
	parallel        parallel
	dog             *jq.Watchdog

	// what other goroutines may ask for, as of the last write or Flush
	published struct {
		events, printed, bytes atomic.Uint64
		last                   atomic.Int64 // when the last event was received, Unix time in ns; 0 for none
	}
}

// New returns a Writer that prints to w. It panics when ParseFormat would not have
// returned opts.Format.
func New(w io.Writer, opts Options) *Writer {
	opts.defaults()
	if _, err := ParseFormat(string(opts.Format)); err != nil {
		panic(err)
	}
	out := &Writer{
		opts: opts, lines: newLines(w),
		uris: make(verified), types: make(verified),
	}
	out.dress()
	out.memory.slots = make([]slot, opts.Keep)
	out.dog = jq.WatchdogOf(opts.Context)
	return out
}

// Event prints ev. The error is final, and returned again for whatever comes
// later, of which nothing is printed:
//
//   - Ended or *Failed, when a condition came true.
//   - ErrStdoutClosed, or a *WriteError.
//   - *FilterError, with JQErrorFail.
//   - the cause of the end of Options.Context, when that cut an expression short.
//
// Except with the second, all lines are written before Event returns. With
// Options.Parallel, the error may be about an earlier event.
func (w *Writer) Event(ev *proto.Event) error {
	if w.err == nil && !w.postpone(ev) && w.err == nil {
		return w.take(ev, nil)
	}
	return w.err
}

// take prints an event in its turn; e is nil unless it was postponed.
func (w *Writer) take(ev *proto.Event, e *early) error {
	w.events++
	w.dog.At(ev.Seq)
	before := w.lines.out
	w.err = w.event(ev, e)
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
// and final like those of Event; with Options.Parallel, any of them.
func (w *Writer) Flush() error {
	if isWriteError(w.err) {
		return w.err
	}
	if w.err == nil {
		if w.catchUp(); w.err != nil {
			return w.err
		}
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
	if w.events > 0 {
		w.published.last.Store(w.lines.at.UnixNano())
	}
}

// Counts are what a Writer has done.
type Counts struct {
	Events  uint64 // taken
	Printed uint64 // for which at least one line was printed
	Bytes   uint64 // written
}

// Run returns what stands in front of the number of an event in its id.
func (w *Writer) Run() string { return w.opts.Run }

// Counts returns the counters as they were when the Writer last wrote something or
// was flushed. Any goroutine may call it.
func (w *Writer) Counts() Counts {
	return Counts{
		Events:  w.published.events.Load(),
		Printed: w.published.printed.Load(),
		Bytes:   w.published.bytes.Load(),
	}
}

// Last returns when the last event was received, the zero time if there was none; as of
// the time that Counts is of. Any goroutine may call it.
func (w *Writer) Last() time.Time {
	if ns := w.published.last.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// Outcomes returns the result of each expression and count, in the order of the
// conditions. Any goroutine may call it.
func (w *Writer) Outcomes() []Outcome {
	var all []Outcome
	for _, c := range w.opts.Conditions {
		all = append(all, c.outcomes()...)
	}
	return all
}

// Unmet returns the outcomes that are still awaited. Any goroutine may call it.
func (w *Writer) Unmet() []Outcome {
	return slices.DeleteFunc(w.Outcomes(), func(o Outcome) bool { return !o.Awaited() })
}
