package stream

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/cursor"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/output/destination"
	"github.com/hark-cli/hark/proto"
)

// CursorFlags say where the position of a stream is stored.
type CursorFlags struct {
	cursor   string
	interval time.Duration

	// Set by Open.
	file  *cursor.File
	state *cursor.State // nil at the first start
	as    string        // how the flag was given
}

func newCursorFlags() CursorFlags { return CursorFlags{interval: time.Second} }

// Flags declares them.
func (f *CursorFlags) Flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "cursor", Rare: true, Group: program.CatDelivery, Value: cmdline.String(&f.cursor),
			Usage: "store the position in `FILE`, and continue from there at the next start"},
		{Name: "cursor-interval", Rare: true, Group: program.CatDelivery, Value: cmdline.Duration(&f.interval),
			Usage: "store the position every `D`"},
	}
}

// Check returns an error for an invalid value.
func (f *CursorFlags) Check(ctx context.Context, line *cmdline.Line) error {
	if err := program.CheckDuration(line, "cursor-interval", f.interval, false); err != nil {
		return err
	}
	if f.as = line.GivenAs("cursor"); f.as == "" {
		if as := line.TypedAs("cursor-interval"); as != "" {
			return cmdline.FlagErrorf(as, " requires --cursor")
		}
		return nil
	}
	if f.cursor == "" {
		return cmdline.FlagErrorf(f.as, ": the name of the file is empty")
	}
	return nil
}

// With checks the flags that cannot be used with --cursor.
func (f *CursorFlags) With(line *cmdline.Line, format string) error {
	if f.as != "" && format == string(output.FormatFrames) {
		return cmdline.FlagErrorf(line.GivenAs("format"), " frames cannot be used with --cursor: frames have no position")
	}
	return nil
}

// Open opens the file of --cursor, if there is one, before anything is dialed. refused is
// why the service has no position; "" if it has one. The stream closes the file.
func (f *CursorFlags) Open(refused string) error {
	switch {
	case f.as == "":
		return nil
	case refused != "":
		return cmdline.FlagErrorf(f.as, " cannot be used here: %s", refused)
	}
	var err error
	f.file, f.state, err = cursor.Open(f.cursor)
	if err == nil {
		return nil
	}
	e := cmdline.FlagErrorf(f.as, ": %v", err)
	if _, ok := errors.AsType[*cursor.FormatError](err); ok {
		e.Advice = "restore the file, or let the stream begin anew: hark cursor reset " + f.cursor
	}
	return e
}

func (f *CursorFlags) close() {
	if f.file != nil {
		f.file.Close()
		f.file = nil
	}
}

// A tracking moves over the events of a stream that are done: those delivered, left out
// by a filter, or dead letters; without a destination, those written to stdout.
type tracking struct {
	order     cursor.Order
	keeper    *cursor.Keeper // nil without --cursor
	delivered *proto.Delivered
	ids       func(proto.Message) string // nil if events have none
	repeats   map[string]bool            // ids of events that are done and may come again
	misses    int                        // events in a row that were none of them
	number    uint64                     // of the event at hand
}

// Track finds out whether events are tracked, and makes the service continue from the
// stored position. name is that of the service in the file, and streams what of it the
// position is in.
func (s *Stream) Track(svc proto.Service, name string, streams []string) (proto.Service, error) {
	f := &s.Flags.CursorFlags
	confirms := false
	if c, ok := svc.(proto.DeliveryConfirmer); ok {
		confirms = c.ConfirmsDelivery()
	}
	if f.file == nil && s.delivering == nil && !confirms {
		return svc, nil
	}
	t := &tracking{}
	s.tracking = t
	if confirms {
		t.delivered = proto.NewDelivered()
	}
	t.order.Move = t.move
	if f.file == nil {
		return svc, nil
	}
	r, ok := svc.(proto.Resumer)
	if !ok {
		return nil, cmdline.FlagErrorf(f.as, " cannot be used here: %s has no positions", svc.Name())
	}
	state := cursor.State{Service: name, Streams: append([]string{}, streams...)}
	if f.state != nil {
		if err := f.same(name, streams); err != nil {
			return nil, err
		}
		state = *f.state
	}
	stored := state.Position
	if string(stored) == "null" {
		stored = nil
	}
	svc, position, err := r.Resume(stored)
	if err != nil {
		return nil, cmdline.FlagErrorf(f.as, ": %s: %v", f.cursor, err)
	}
	if now := time.Now(); state.At.After(now) {
		s.Warn("%s was saved at %s, which lies ahead of this machine's clock", f.cursor, state.At.Format(time.RFC3339))
		state.At = now
	}
	// Without a position, as at the beginning of some streams, the time is known all the
	// same.
	if s.resumed = state.At; stored != nil {
		s.Tell("continuing from the position in %s", f.cursor)
	}
	if i, ok := svc.(proto.Identifier); ok {
		t.ids = i.EventID
		t.repeats = make(map[string]bool, len(state.IDs))
		for _, id := range state.IDs {
			t.repeats[id] = true
		}
	}
	known := &knownPosition{Position: position, redact: s.Say.String}
	if p, ok := position.(proto.SecretPosition); ok {
		known.secret = p.Secret()
		state.Secret = known.secret
	}
	t.keeper = cursor.Keep(f.file, state, known, f.interval, func(err error) {
		s.cancel(&cursorError{f.cursor, err})
	})
	return svc, nil
}

// A knownPosition is a position that may have credentials in it, by the names of its
// members or because hark knows their values.
type knownPosition struct {
	cursor.Position
	secret []string
	redact func(string) string
}

// Secret implements cursor.SecretPosition.
func (k *knownPosition) Secret(position json.RawMessage) []string {
	if k.redact(string(position)) == string(position) {
		return k.secret
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(position, &members) != nil {
		return []string{"."}
	}
	secret := slices.Clone(k.secret)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if value := string(members[name]); k.redact(value) != value && !slices.Contains(secret, name) {
			secret = append(secret, name)
		}
	}
	return secret
}

// same returns an error if the position is one of another stream.
func (f *CursorFlags) same(service string, streams []string) error {
	s := f.state
	if s.Service == service && slices.Equal(s.Streams, streams) {
		return nil
	}
	of := func(service string, streams []string) string {
		return strings.Join(append([]string{service}, streams...), " ")
	}
	e := cmdline.FlagErrorf(f.as, ": %s is the position of another stream: of %s, not of %s", f.cursor,
		cmdline.Cut(of(s.Service, s.Streams), 200), cmdline.Cut(of(service, streams), 200))
	e.Advice = "use a file for each stream, or let this one begin anew: hark cursor reset " + f.cursor
	return e
}

// move moves over an event that is done.
func (t *tracking) move(m cursor.Mark) {
	if t.keeper != nil {
		t.keeper.Move(m)
	}
	if t.delivered != nil && m.Position != nil {
		t.delivered.Add(m.Position)
	}
}

// A cursorError ends a stream whose position cannot be stored.
type cursorError struct {
	path string
	err  error
}

func (e *cursorError) Error() string { return "--cursor " + e.path + ": " + e.err.Error() }
func (e *cursorError) Unwrap() error { return e.err }

// Tracked returns a sink that moves over the events that sink is done with.
func (s *Stream) Tracked(ctx context.Context, sink proto.Sink) proto.Sink {
	if s.tracking == nil {
		return sink
	}
	return &trackedSink{Sink: sink, tracking: s.tracking, s: s, ctx: ctx}
}

// A trackedSink is a sink whose events are tracked.
type trackedSink struct {
	proto.Sink
	*tracking
	s       *Stream
	ctx     context.Context
	written uint64 // events up to this number are written to stdout
}

// maxUnwritten is how many events may wait to be written to stdout.
const maxUnwritten = 512

// Event implements proto.Sink.
func (t *trackedSink) Event(ev *proto.Event) error {
	m := cursor.Mark{Position: ev.Position, At: ev.Time}
	repeated := false
	if t.ids != nil {
		m.ID = t.ids(ev.Message)
		repeated = t.repeated(m.ID)
	}
	t.number = t.order.Begin(m)
	if repeated {
		t.s.Detail("event %s came again and was left out", m.ID)
		return t.done(nil)
	}
	return t.done(t.Sink.Event(ev))
}

// repeated reports whether an event was done in an earlier process. Repeats come at the
// beginning.
func (t *trackedSink) repeated(id string) bool {
	if len(t.repeats) == 0 {
		return false
	}
	if t.repeats[id] {
		delete(t.repeats, id)
		t.misses = 0
		return true
	}
	if t.misses++; t.misses > len(t.repeats) {
		t.repeats = nil
	}
	return false
}

// Position implements proto.PositionSink.
func (t *trackedSink) Position(v any) error {
	t.number = t.order.Begin(cursor.Mark{Position: v, Uncounted: true})
	return t.done(nil)
}

// done is called when the sink has taken an event, with its error.
func (t *trackedSink) done(err error) error {
	if err != nil && !ended(err) && !(t.s.delivering != nil && unwritten(err)) {
		return err
	}
	switch {
	case t.s.delivering != nil:
		t.order.Done(t.number, false)
		if err == nil {
			err = t.s.awaitCount(t.ctx)
		}
	case err != nil:
		t.flushed() // all is written before the end
	case t.number-t.written >= maxUnwritten:
		return t.Flush()
	}
	return err
}

// ended reports whether err is the end of a stream after an event, which was printed.
func ended(err error) bool {
	_, ok := errors.AsType[output.Ended](err)
	_, failed := errors.AsType[*output.Failed](err)
	return ok || failed
}

// unwritten reports whether err is about stdout. With a destination, an event that cannot
// be printed is delivered all the same.
func unwritten(err error) bool {
	_, ok := errors.AsType[*output.WriteError](err)
	return ok || errors.Is(err, output.ErrStdoutClosed)
}

// Flush implements proto.Sink.
func (t *trackedSink) Flush() error {
	err := t.Sink.Flush()
	if err == nil && t.s.delivering == nil {
		t.flushed()
	}
	return err
}

// flushed moves over all events, which are written to stdout.
func (t *trackedSink) flushed() {
	for next := t.order.Next(); t.written < next; t.written++ {
		t.order.Done(t.written, true)
	}
}

// awaitCount waits while, with --count, as many events are in flight as are missing, and
// ends the stream when they are acknowledged.
func (s *Stream) awaitCount(ctx context.Context) error {
	want := s.Flags.count
	for want > 0 {
		switch c := s.tracking.order.Counts(); {
		case c.Acknowledged >= want:
			return output.Ended{Condition: "count"}
		case c.Acknowledged+c.Open < want:
			return nil
		}
		select {
		case <-s.tracking.order.Changed():
		case <-s.delivering.delivery.Over():
			return nil // the next event reports why
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Saved stores the position a last time when the stream has ended with err, and
// returns how the stream ended.
func (s *Stream) Saved(err error) error {
	if s.tracking == nil || s.tracking.keeper == nil {
		return err
	}
	at := time.Time{}
	if s.attached && s.tracking.order.Counts().Open == 0 {
		at = time.Now()
	}
	failed := s.tracking.keeper.Close(at)
	s.tracking.keeper = nil
	if failed == nil {
		return err
	}
	failed = &cursorError{s.Flags.cursor, failed}
	_, signal := errors.AsType[*process.SignalError](err)
	_, undelivered := errors.AsType[*destination.NotDeliveredError](err)
	if signal || undelivered {
		s.Warn("%v", failed)
		return err
	}
	return failed
}
