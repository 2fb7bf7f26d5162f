// Package stream has what all commands share that stream: their flags, by what they are
// about, how a stream is opened, runs and is concluded, the prompt, and what a service
// says of itself.
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
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/prompt"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// A Stream is one run of a command that streams: a service, the flags that all
// of them have, and where the two meet.
type Stream struct {
	*program.Program
	Flags      *Flags
	transport  *netdial.Transport
	Emulated   *Emulated                                 // nil when the service is the real one
	route      func(http.RoundTripper) http.RoundTripper // of EmulateAll; nil without
	stdin      bool                                      // messages come from stdin, and nobody was told yet that they are not sent again
	live       bool                                      // the stream was live at least once
	ready      bool                                      // the stream was ready at least once
	readyFile  *readyFile                                // nil without --ready-file
	describe   func(proto.Message) proto.Description
	place      string    // of what is opened
	names      []string  // in it
	recipe     string    // that it was made of
	params     []byte    // of the recipe
	RunID      string    // in front of the numbers of events, in ids
	plaintext  sync.Once // warns of credentials without encryption
	Watched    bool      // someone wants to see what happens
	journal    *journal
	recording  *recorder     // nil when nothing is recorded
	delivering *delivering   // nil when events are printed
	command    *readyCommand // nil until it is started
	cancel     context.CancelCauseFunc
	Wrap       func(proto.Sink) proto.Sink // changes events on their way to the output; nil for nothing
	screen     *prompt.Screen              // what a prompt on a terminal shows; nil without one
	// valuesLimit is how much memory the values of an event may take, in bytes; 0 when
	// there is no limit for messages either, in a recording of the user's.
	valuesLimit int
	// Lingering ends the stream after the last line of stdin; or nil.
	Lingering *lingering
	// advice is that for failures of the service; or nil.
	advice func(err error) string
	// Sendable: lines of stdin could be sent, and are not.
	Sendable bool
}

// New makes a stream, which must be closed.
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
		Transport:     moreHeaders{UserAgent{plaintextGuard{s.base(), s}, s.Flags.NoAgent}, s.Flags.Header},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// A Demo names the variable with the emulator's value for a setting.
type Demo struct {
	Flag     string // of the setting: "token"
	Variable string // "HARK_DROGUE_TOKEN"
	Setting  *string
}

// Emulate puts the built-in emulator instead of the service. Endpoint and
// credentials become the demo's, whatever the environment says, which is about the
// real service; but credentials that were typed stay, to see what happens. close
// ends the emulator.
func (s *Stream) Emulate(service emulator.Service, typed func(flag string) bool, endpoint *string, credentials ...Demo) error {
	if typed("endpoint") {
		return cmdline.FlagErrorf("--endpoint", " cannot be used with --emulator")
	}
	e, err := startEmulator(service)
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
// requests there. Close ends the emulator.
func (s *Stream) EmulateAll(service emulator.Service, route func(http.RoundTripper) http.RoundTripper) error {
	e, err := startEmulator(service)
	if err != nil {
		return err
	}
	s.Emulated, s.route = e, route
	s.Flags.Network.Dial = e.network.DialContext
	return nil
}

// base is the transport of all requests, below what looks at them.
func (s *Stream) base() http.RoundTripper {
	if s.route != nil {
		return s.route(s.transport)
	}
	return s.transport
}

// Close ends what New and emulate have started.
func (s *Stream) Close() {
	s.transport.CloseIdleConnections()
	if s.delivering != nil {
		_ = s.delivering.delivery.Finish(0, nil) // it has been finished, unless nothing began
	}
	if s.Emulated != nil {
		s.Emulated.close()
	}
}

// run streams the events of svc to stdout until a condition, a signal or a
// failure ends it. Everything that the user can get wrong has been found when
// it dials.
func (s *Stream) run(ctx context.Context, svc proto.Service, input <-chan proto.Frame) error {
	s.valuesLimit = s.Flags.valuesLimit()
	if err := s.OpenDelivery(); err != nil {
		return err
	}
	if s.talks() && s.Editor != nil && len(s.Flags.Execute) == 0 {
		s.capture()
	}
	return s.Follow(ctx, svc, func(ctx context.Context, w *output.Writer, o proto.Options) error {
		s.Engine(&o)
		s.Flags.readyFlags.engine(&o)
		o.Input, s.stdin = input, input != nil
		if s.talks() {
			return s.converse(ctx, svc, o, w)
		}
		defer s.expireDelivery(ctx)()
		sink := s.Sink(w)
		if s.Wrap != nil {
			sink = s.Wrap(sink)
		}
		if l := s.Lingering; l != nil {
			o.InputWritten, sink = l.from(ctx, s.cancel), &lingeringSink{sink, l}
		}
		s.mentionStdin()
		err := proto.Run(ctx, svc, sink, o)
		s.mentionStdin()
		err = s.Delivered(err)
		return ending.WithHint(err, s.Flags.TLSFlags.Hint(err))
	})
}

// Engine sets the engine's options for connections as the flags have them.
func (s *Stream) Engine(o *proto.Options) {
	s.Flags.LinkFlags.Engine(o)
	s.boundMemory(o.Buffer, o.MaxMessageSize)
	o.Transport = UserAgent{s.Handshakes(), s.Flags.NoAgent}
	o.Dial = s.Flags.Dial()
	o.Kill = s.Kill
}

// mentionStdin says, once, that nobody reads what waits on stdin, where it could be
// sent. A loop that reads the same stdin loses nothing by it.
func (s *Stream) mentionStdin() {
	if s.Sendable && s.Pending != nil && s.Pending() {
		s.Sendable = false
		s.Warn("stdin is not read: add --send - to send its lines")
	}
}

// Handshakes is the transport of opening handshakes.
func (s *Stream) Handshakes() http.RoundTripper {
	if s.Flags.include {
		return includer{plaintextGuard{s.base(), s}, s.Say, s.Flags.Network.HeaderName}
	}
	return plaintextGuard{s.base(), s}
}

// Follow lets events come, from wherever, with everything around them that the
// flags ask for.
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
	dog := jq.NewWatchdog(s.Flags.jqTimeout)
	w, err := s.Writer(dog.Context(dead))
	if err != nil {
		return err
	}
	s.RunID = w.Run()
	reports, err := s.openReports(svc.Name())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.cancel = cancel
	if s.Flags.MaxTime > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, s.Flags.MaxTime, ending.ErrMaxTime)
		defer stop()
	}
	if err := s.keep(svc.Name(), w); err != nil {
		return err
	}
	var e *ending.Ending // as it is concluded
	defer func() {
		if r := recover(); r != nil {
			e, err = nil, &ending.CrashError{Value: r, Stack: debug.Stack()}
		}
		cancel(nil)
		if e == nil {
			e = s.end(ctx, err)
		}
		err = s.tellEnd(*e)
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
	err = events(ctx, w, o)
	if late, ok := errors.AsType[*jq.TimeoutError](err); ok {
		err = late // if it hangs, that is what events wait for
	} else {
		err = s.ending(err, w)
	}
	e = s.end(ctx, s.finishReadyCommand(err))
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

// end concludes how the stream ended.
func (s *Stream) end(ctx context.Context, err error) *ending.Ending {
	if u, ok := errors.AsType[*cmdline.UsageError](err); ok && u.Command == "" {
		u.Command = cmdline.LineOf(ctx).Command.Path()
	}
	if s.advice != nil {
		err = ending.WithHint(err, s.advice(err))
	}
	return new(s.Conclude(err))
}

// tellEnd has the journal tell how the stream ended.
func (s *Stream) tellEnd(e ending.Ending) error {
	s.Detail("%s: %s", endedBy(e.Condition), s.journal.counts())
	s.journal.ended(e)
	told := &program.ToldError{Ending: e, Told: s.Flags.status == "json"}
	if err := s.journal.close(); err != nil {
		told.Failed = &statusFileError{err}
	}
	return told
}

// recordingHead is the first line of a recording of this stream.
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

// keep begins the journal of the stream.
func (s *Stream) keep(service string, w *output.Writer) error {
	s.journal = &journal{service: service, redact: s.Say.Bytes, written: w.Counts}
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
	if asJSON { // then stderr is for records only
		s.Say.Divert(s.journal.text)
	}
	return nil
}

// answerQuestions prints the counters when someone asks for them with a signal.
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

// An idleError is ErrIdle with the time that it was.
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
