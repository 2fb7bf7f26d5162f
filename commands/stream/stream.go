// Package stream contains what all streaming commands share: their flags, how a stream
// is opened, run and concluded, the prompt, and the description of services.
package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/network"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/prompt"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// A Stream is one run of a streaming command: a service, and the flags of all streaming
// commands.
type Stream struct {
	*program.Program
	Flags      *Flags
	transport  *netdial.Transport
	Emulated   *Emulated                                 // nil for the real service
	route      func(http.RoundTripper) http.RoundTripper // of EmulateAll; nil without
	stdin      bool                                      // messages come from stdin, and the warning that they are not sent again is due
	live       bool                                      // the stream was live at least once
	ready      bool                                      // the stream was ready at least once
	missed     error                                     // the first gap, with --on-gap fail
	readyFile  *readyFile                                // nil without --ready-file
	describe   func(proto.Message) proto.Description
	summary    func(proto.Message) proto.Summary
	place      string    // of what is opened
	names      []string  // in it
	recipe     string    // that it was made of
	params     []byte    // of the recipe
	RunID      string    // prefix of the numbers of events in ids
	plaintext  sync.Once // warns of credentials without encryption
	Watched    bool      // report the connection status
	journal    *journal
	recording  *recorder     // nil if nothing is recorded
	delivering *delivering   // nil when events are printed
	meter      proto.Meter   // of the buffer
	tracking   *tracking     // nil when no one is told which events are done
	streams    []string      // what of the service is opened, for --cursor
	resumed    time.Time     // until then the stream was received by an earlier process
	attached   bool          // the stream is ready now
	command    *readyCommand // nil until it is started
	cancel     context.CancelCauseFunc
	Wrap       func(proto.Sink) proto.Sink // wraps the output; may be nil
	screen     *prompt.Screen              // output of a prompt on a terminal; nil without one
	table      *table                      // nil without --watch
	// valuesLimit is how much memory the values of an event may need, in bytes; 0 for
	// no limit, in a recording.
	valuesLimit int
	evaluates   bool // gojq makes values of each event
	// Lingering, if not nil, ends the stream after the last line of stdin.
	Lingering *lingering
	// advice, if not nil, returns the hint for failures of the service.
	advice func(err error) string
	// Sendable: lines of stdin could be sent with --send -, but are not.
	Sendable bool
}

// New returns a stream. The caller must Close it.
func New(p *program.Program, f *Flags) *Stream {
	if f.Network == nil {
		f.Network = &netdial.Network{}
	}
	return &Stream{
		Program: p, Flags: f, transport: netdial.NewTransport(f.Network),
		Watched: !f.Quiet && (f.Verbose || f.status == "text" || f.status == "" && p.StderrTerminal),
	}
}

// Client sends a service's own requests over the same transport as the stream.
func (s *Stream) Client() *http.Client {
	return &http.Client{
		Transport:     network.MoreHeaders{Base: network.UserAgent{Base: s.guard(s.base()), None: s.Flags.NoAgent}, Header: s.Flags.Header},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// A Demo is a setting for which the emulator has a demo value, and its variable.
type Demo struct {
	Flag     string // of the setting: "token"
	Variable string // "HARK_DROGUE_TOKEN"
	Setting  *string
}

// Emulate replaces the service by the built-in emulator. Endpoint and credentials are
// set to those of the demo, instead of those in the environment for the real service;
// credentials on the command line are kept, for tests. Close stops the emulator.
func (s *Stream) Emulate(service emulator.Service, typed func(flag string) bool, endpoint *string, credentials ...Demo) error {
	if typed("endpoint") {
		return cmdline.FlagErrorf("--endpoint", " cannot be used with --emulator")
	}
	e, err := startEmulator(service, emulator.DefaultOptions().Rate)
	if err != nil {
		return err
	}
	s.Emulated = e
	*endpoint = e.Demo[cmdline.VariableName(service.Name, "endpoint")]
	if !slices.ContainsFunc(credentials, func(d Demo) bool { return typed(d.Flag) }) {
		for _, d := range credentials {
			*d.Setting = e.Demo[d.Variable]
		}
	}
	s.Flags.Network.Dial = e.network.DialContext
	return nil
}

// EmulateAll puts the built-in emulator of a service that has no endpoint of its own in
// the place of everything that the stream connects to: route makes a transport send all
// requests there. It sends so many events per second. Close ends it.
func (s *Stream) EmulateAll(service emulator.Service, rate float64, route func(http.RoundTripper) http.RoundTripper) error {
	e, err := startEmulator(service, rate)
	if err != nil {
		return err
	}
	s.Emulated, s.route = e, route
	s.Flags.Network.Dial = e.network.DialContext
	return nil
}

// base returns the transport of all requests, without observers.
func (s *Stream) base() http.RoundTripper {
	if s.route != nil {
		return s.route(s.transport)
	}
	return s.transport
}

// Close releases the resources of New and Emulate.
func (s *Stream) Close() {
	s.transport.CloseIdleConnections()
	if s.delivering != nil {
		_ = s.delivering.delivery.Finish(0, nil) // it has been finished, unless nothing began
	}
	if s.Emulated != nil {
		s.Emulated.close()
	}
	_ = s.Saved(nil) // it has been saved, unless nothing began
	s.Flags.CursorFlags.close()
}

// run streams the events of svc to stdout until a condition, a signal or a failure ends
// it. All usage errors are found before it connects.
func (s *Stream) run(ctx context.Context, svc proto.Service, input <-chan proto.Frame) error {
	s.valuesLimit = s.Flags.valuesLimit()
	health, err := s.Flags.healthFlags.listen()
	if err != nil {
		return err
	}
	defer health.close()
	if err := s.OpenDelivery(); err != nil {
		return err
	}
	svc, err = s.Track(svc, svc.Name(), s.streams)
	if err != nil {
		return err
	}
	if s.talks() && s.Editor != nil && len(s.Flags.Execute) == 0 {
		s.capture()
	}
	return s.Follow(ctx, svc, func(ctx context.Context, w *output.Writer, o proto.Options) error {
		s.Engine(&o)
		s.Flags.readyFlags.engine(&o)
		o.Input, s.stdin = input, input != nil
		o.Resumed = s.resumed
		if s.tracking != nil {
			o.Delivered = s.tracking.delivered
		}
		o.Meter = &s.meter
		defer health.serve(s, &o)()
		if s.talks() {
			return s.converse(ctx, svc, o, w)
		}
		if s.delivering != nil {
			o.SinkTimeout = s.Flags.FlushTime + drainGrace
			o.Draining = func() { s.delivering.delivery.Expire(s.Flags.FlushTime) }
		}
		defer s.ExpireDelivery(ctx)()
		sink := s.Sink(w)
		if s.recipe != "" && s.Flags.Format == string(output.FormatFrames) {
			sink = &maskedFrames{sink, s.Say.Bytes}
		}
		if s.Wrap != nil {
			sink = s.Wrap(sink)
		}
		if l := s.Lingering; l != nil {
			o.InputWritten, sink = l.from(ctx, s.cancel), &lingeringSink{sink, l}
		}
		s.mentionStdin()
		err := proto.Run(ctx, svc, s.Tracked(ctx, sink), o)
		s.mentionStdin()
		err = s.Saved(s.Delivered(ctx, err))
		return ending.WithHint(err, s.Flags.TLSFlags.Hint(err))
	})
}

// Engine sets the engine's options for connections as the flags have them.
func (s *Stream) Engine(o *proto.Options) {
	s.Flags.LinkFlags.Engine(o)
	s.boundMemory(o.Buffer, o.MaxMessageSize)
	o.Transport = network.UserAgent{Base: s.Handshakes(), None: s.Flags.NoAgent}
	o.Dial = s.Flags.Dial()
	o.Kill = s.Kill
}

// mentionStdin warns, once, that data on stdin is not read although it could be sent.
// It does not read any.
func (s *Stream) mentionStdin() {
	if s.Sendable && s.Pending != nil && s.Pending() {
		s.Sendable = false
		s.Warn("stdin is not read: add --send - to send its lines")
	}
}

// guard returns a transport that warns, once, when credentials leave this machine without
// encryption.
func (s *Stream) guard(base http.RoundTripper) http.RoundTripper {
	return network.PlaintextGuard{
		Base:  base,
		Local: func() bool { return s.Emulated != nil || s.Flags.UnixSocket != "" },
		Warn: func(host string) {
			s.plaintext.Do(func() {
				s.Warn("credentials go to %s without encryption, where others on the way can read them: use wss:// or https://",
					cmdline.Cut(s.Say.String(host), 60))
			})
		},
	}
}

// Handshakes returns the transport of opening handshakes.
func (s *Stream) Handshakes() http.RoundTripper {
	if s.Flags.Include {
		return network.Includer{Base: s.guard(s.base()), Say: s.Say, Name: s.Flags.Network.HeaderName}
	}
	return s.guard(s.base())
}

// Follow runs a source of events with everything that the flags require.
func (s *Stream) Follow(ctx context.Context, svc proto.Service, events func(context.Context, *output.Writer, proto.Options) error) (err error) {
	dead, bury := context.WithCancelCause(context.WithoutCancel(ctx))
	defer bury(nil)
	go func() {
		select {
		case <-s.Kill:
			bury(nil)
		case <-dead.Done():
		}
	}()
	if d, ok := svc.(proto.Describer); ok {
		s.describe = d.Describe
	}
	if x, ok := svc.(proto.Summarizer); ok {
		s.summary = x.Summary
	}
	dog := jq.NewWatchdog(s.Flags.jqTimeout)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.cancel = cancel
	closeTable, err := s.openTable(dog.Context(dead))
	if err != nil {
		return err
	}
	defer closeTable()
	w, err := s.Writer(dog.Context(dead))
	if err != nil {
		return err
	}
	numbers, err := s.Flags.numbering(func(text string) { s.Warn("%s", text) })
	if err != nil {
		return err
	}
	s.RunID = w.Run()
	reports, err := s.openReports(svc.Name())
	if err != nil {
		return err
	}
	if s.Flags.MaxTime > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, s.Flags.MaxTime, ending.ErrMaxTime)
		defer stop()
	}
	if err := s.startJournal(svc.Name(), w); err != nil {
		return err
	}
	var e *ending.Ending // set at the end
	defer func() {
		if r := recover(); r != nil {
			e, err = nil, &ending.CrashError{Value: r, Stack: debug.Stack()}
		}
		cancel(nil)
		if e == nil {
			e = s.end(ctx, err)
		}
		err = s.journalEnd(*e)
	}()
	if s.Flags.readyFile != "" {
		if err := removeStaleReadyFile(s.Flags.readyFile); err != nil {
			return err
		}
		file := &readyFile{path: s.Flags.readyFile}
		s.readyFile = file
		defer file.remove()
		defer s.Rescues.Add(file.remove)()
	}
	if s.Flags.record != "" {
		if s.recording, err = s.record(s.Flags.record, svc.Name(), cancel); err != nil {
			return err
		}
	}
	go s.Hangup(ctx, func() { cancel(output.ErrStdoutClosed) })
	go s.answerQuestions(ctx)
	if s.Flags.jqTimeout > 0 {
		go dog.Watch(dead, func(late *jq.TimeoutError) {
			bury(late)
			cancel(late)
		})
	}

	o := proto.DefaultOptions()
	o.Idle = s.Flags.idle
	o.Frames = s.Flags.Format == string(output.FormatFrames)
	o.Trace = s.trace()
	if numbers != nil {
		o.Number = numbers.number
	}
	err = events(ctx, w, o)
	numbers.end()
	if late, ok := errors.AsType[*jq.TimeoutError](err); ok {
		err = late // if it hangs, report the events that wait for it
	} else {
		err = s.ending(err, w)
	}
	e = s.end(ctx, s.finishReadyCommand(err))
	if s.missed != nil && e.Code == ending.OK { // it was found at the very end
		e = s.end(ctx, s.missed)
	}
	if s.recording != nil {
		if err := s.recording.close(*e); err != nil {
			e = s.end(ctx, err)
		}
	}
	if err := reports.write(*e, w); err != nil {
		e = s.end(ctx, err)
	}
	return nil
}

// end returns the Ending of the stream.
func (s *Stream) end(ctx context.Context, err error) *ending.Ending {
	if u, ok := errors.AsType[*cmdline.UsageError](err); ok && u.Command == "" {
		u.Command = cmdline.LineOf(ctx).Command.Path()
	}
	if s.advice != nil {
		err = ending.WithHint(err, s.advice(err))
	}
	return new(s.Conclude(err))
}

// journalEnd writes the end of the stream to the journal.
func (s *Stream) journalEnd(e ending.Ending) error {
	s.Detail("%s: %s", endedBy(e.Condition), s.journal.counts())
	s.journal.ended(e)
	told := &program.ToldError{Ending: e, Told: s.Flags.status == "json"}
	if err := s.journal.close(); err != nil {
		told.Failed = &statusFileError{err}
	}
	return told
}

// recordingHead returns the first line of a recording of this stream.
func (s *Stream) recordingHead(service string) proto.RecordingHead {
	h := proto.RecordingHead{Time: time.Now(), Service: service, Run: s.RunID, Recipe: s.Say.String(s.recipe)}
	if len(s.params) > 0 {
		h.Params = s.Say.Bytes(bytes.Clone(s.params))
	}
	if s.describe != nil {
		h.Source = s.Say.String(s.describe(proto.Message{}).Source)
	}
	return h
}

// startJournal starts the journal of the stream.
func (s *Stream) startJournal(service string, w *output.Writer) error {
	s.journal = &journal{service: service, redact: s.Say.Bytes, written: w.Counts, last: w.Last}
	if s.delivering != nil {
		s.journal.delivered = s.delivering.counts
	}
	asJSON := s.Flags.status == "json"
	if asJSON {
		s.journal.outs = append(s.journal.outs, s.Queue)
		s.Queue.SetLost(s.journal.lost("stderr"))
	}
	if s.Flags.statusFile != "" {
		if err := s.journal.open(s.Flags.statusFile); err != nil {
			return err
		}
	}
	if asJSON { // then stderr has records only
		s.Say.Divert(s.journal.text)
	}
	return nil
}

// answerQuestions prints the counters on a signal.
func (s *Stream) answerQuestions(ctx context.Context) {
	for {
		select {
		case <-s.Questions:
			if s.Flags.status == "json" {
				s.journal.asked()
			} else {
				s.Say.Note("%s", s.journal.counts())
			}
		case <-ctx.Done():
			return
		}
	}
}

// An idleError is ErrIdle with the time limit.
type idleError struct{ limit time.Duration }

func (e *idleError) Error() string { return fmt.Sprintf("no event for %s", e.limit) }
func (e *idleError) Unwrap() error { return proto.ErrIdle }

// ending adds what was unmet at the end of a run to its error.
func (s *Stream) ending(err error, w *output.Writer) error {
	var unmet []string
	if what := s.Flags.waiting(); what != "" && !s.ready {
		unmet = append(unmet, what)
	} else if !s.live {
		unmet = append(unmet, "stream not ready")
	}
	return s.withUnmet(err, unmet, w)
}
