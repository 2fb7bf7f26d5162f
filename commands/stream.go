package commands

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// A stream is one run of a command that streams: a service, the flags that all
// of them have, and where the two meet.
type stream struct {
	*program
	flags     *streamFlags
	transport *netdial.Transport
	standIn   *standIn   // nil when the service is the real one
	stdin     bool       // messages come from stdin, and nobody was told yet that they are not sent again
	live      bool       // the stream was live at least once
	ready     bool       // the stream was ready at least once
	readyFile *readyFile // nil without --ready-file
	describe  func(proto.Message) proto.Description
	place     string    // of what is opened
	names     []string  // in it
	runID     string    // in front of the numbers of events, in ids
	plaintext sync.Once // warns of credentials without encryption
	watched   bool      // somebody wants to see what happens
	journal   *journal
	tape      *recorder     // nil when nothing is recorded
	command   *readyCommand // nil until it is started
	cancel    context.CancelCauseFunc
	wrap      func(proto.Sink) proto.Sink // changes events on their way to the output; nil for nothing
	screen    *captured                   // what a prompt on a terminal shows; nil without one
	// valuesLimit is how much memory the values of an event may take, in bytes; 0 when
	// there is no limit for messages either, on a tape of the user's.
	valuesLimit int
	// lingering ends the stream after the last line of stdin; or nil.
	lingering *lingering
	// advice is that for failures of the service; or nil.
	advice func(err error) string
	// sendable: lines of stdin could be sent, and are not.
	sendable bool
}

func (p *program) newStream(f *streamFlags) *stream {
	if f.network == nil {
		f.network = &netdial.Network{}
	}
	return &stream{
		program: p, flags: f, transport: netdial.NewTransport(f.network),
		watched: !f.quiet && (f.verbose || f.status == "text" || f.status == "" && p.StderrTerminal),
	}
}

// client sends a service's own requests over the same transport as the stream.
func (s *stream) client() *http.Client {
	return &http.Client{
		Transport:     moreHeaders{userAgent{plaintextGuard{s.transport, s}, s.flags.noAgent}, s.flags.header},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// A demo names the variable with the emulator's value for a setting.
type demo struct {
	flag     string // of the setting: "token"
	variable string // "HARK_DROGUE_TOKEN"
	setting  *string
}

// emulate puts the built-in stand-in in the place of the service. Endpoint and
// credentials become the demo's, whatever the environment says, which is about the
// real service; but credentials that were typed stay, to see what happens. close
// ends the stand-in.
func (s *stream) emulate(service emulator.Service, typed func(flag string) bool, endpoint *string, credentials ...demo) error {
	if typed("endpoint") {
		return cmdline.FlagErrorf("--endpoint", " and --emulator exclude each other")
	}
	e, err := startEmulator(service)
	if err != nil {
		return err
	}
	s.standIn = e
	*endpoint = e.demo[cmdline.VariableName(service.Name, "endpoint")]
	if !slices.ContainsFunc(credentials, func(d demo) bool { return typed(d.flag) }) {
		for _, d := range credentials {
			*d.setting = e.demo[d.variable]
		}
	}
	s.flags.network.Dial = e.network.DialContext
	return nil
}

// close ends what newStream and emulate have started.
func (s *stream) close() {
	s.transport.CloseIdleConnections()
	if s.standIn != nil {
		s.standIn.close()
	}
}

// run streams the events of svc to stdout until a condition, a signal or a
// failure ends it. Everything that the user can get wrong has been found when
// it dials.
func (s *stream) run(ctx context.Context, svc proto.Service, input <-chan proto.Frame) error {
	s.valuesLimit = s.flags.valuesLimit()
	if s.talks() && s.Editor != nil && len(s.flags.execute) == 0 {
		s.capture()
	}
	return s.follow(ctx, svc, func(ctx context.Context, w *output.Writer, o proto.Options) error {
		s.flags.linkFlags.engine(&o)
		s.flags.readyFlags.engine(&o)
		s.boundMemory(o.Buffer, o.MaxMessageSize)
		o.Transport = userAgent{s.handshakes(), s.flags.noAgent}
		o.Dial = s.flags.dial()
		o.Input, s.stdin = input, input != nil
		o.Kill = s.kill
		if s.talks() {
			return s.converse(ctx, svc, o, w)
		}
		var sink proto.Sink = w
		if s.wrap != nil {
			sink = s.wrap(w)
		}
		if l := s.lingering; l != nil {
			o.InputWritten, sink = l.from(ctx, s.cancel), &lingeringSink{sink, l}
		}
		s.mentionStdin()
		err := proto.Run(ctx, svc, sink, o)
		s.mentionStdin()
		return withHint(err, s.flags.tlsFlags.hint(err))
	})
}

// mentionStdin says, once, that nobody reads what waits on stdin, where it could be
// sent. A loop that reads the same stdin loses nothing by it.
func (s *stream) mentionStdin() {
	if s.sendable && s.Pending != nil && s.Pending() {
		s.sendable = false
		s.warn("stdin is not read: add --send - to send its lines")
	}
}

// handshakes is the transport of opening handshakes.
func (s *stream) handshakes() http.RoundTripper {
	if s.flags.include {
		return includer{plaintextGuard{s.transport, s}, s.say, s.flags.network.HeaderName}
	}
	return plaintextGuard{s.transport, s}
}

// follow lets events come, from wherever, with everything around them that the
// flags ask for.
func (s *stream) follow(ctx context.Context, svc proto.Service, events func(context.Context, *output.Writer, proto.Options) error) (err error) {
	dead, bury := context.WithCancelCause(context.WithoutCancel(ctx))
	defer bury(nil)
	go func() {
		select {
		case <-s.kill:
			bury(nil)
		case <-dead.Done():
		}
	}()
	if d, ok := svc.(proto.Describer); ok {
		s.describe = d.Describe
	}
	dog := jq.NewWatchdog(s.flags.jqTimeout)
	w, err := s.writer(dog.Context(dead))
	if err != nil {
		return err
	}
	s.runID = w.Run()
	reports, err := s.openReports(svc.Name())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.cancel = cancel
	if s.flags.maxTime > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, s.flags.maxTime, errMaxTime)
		defer stop()
	}
	if err := s.keep(svc.Name(), w); err != nil {
		return err
	}
	var e *ending // as it is concluded
	defer func() {
		if r := recover(); r != nil {
			e, err = nil, &crashError{r, debug.Stack()}
		}
		cancel(nil)
		if e == nil {
			e = s.end(ctx, err)
		}
		err = s.tellEnd(*e)
	}()
	if s.flags.readyFile != "" {
		if err := removeStaleReadyFile(s.flags.readyFile); err != nil {
			return err
		}
		file := &readyFile{path: s.flags.readyFile}
		s.readyFile = file
		defer file.remove()
		defer s.rescues.add(file.remove)()
	}
	if s.flags.record != "" {
		if s.tape, err = s.record(s.flags.record, svc.Name(), cancel); err != nil {
			return err
		}
	}
	go s.Hangup(ctx, func() { cancel(output.ErrStdoutClosed) })
	go s.answerQuestions(ctx)
	if s.flags.jqTimeout > 0 {
		go dog.Watch(dead, func(late *jq.TimeoutError) {
			bury(late)
			cancel(late)
		})
	}

	o := proto.DefaultOptions()
	o.Idle = s.flags.idle
	o.Frames = s.flags.format == string(output.FormatFrames)
	o.Trace = s.trace()
	err = events(ctx, w, o)
	if late, ok := errors.AsType[*jq.TimeoutError](err); ok {
		err = late // if it hangs, that is what events wait for
	} else {
		err = s.ending(err, w)
	}
	e = s.end(ctx, s.finishReadyCommand(err))
	if s.tape != nil {
		if err := s.tape.close(*e); err != nil {
			e = s.end(ctx, err)
		}
	}
	if err := reports.write(*e, w); err != nil {
		e = s.end(ctx, err)
	}
	return nil
}

// end concludes how the stream ended.
func (s *stream) end(ctx context.Context, err error) *ending {
	if u, ok := errors.AsType[*cmdline.UsageError](err); ok && u.Command == "" {
		u.Command = cmdline.LineOf(ctx).Command.Path()
	}
	if s.advice != nil {
		err = withHint(err, s.advice(err))
	}
	return new(s.conclude(err))
}

// tellEnd has the journal tell how the stream ended.
func (s *stream) tellEnd(e ending) error {
	s.detail("%s: %s", endedBy(e.condition), s.journal.counts())
	s.journal.ended(e)
	told := &toldError{ending: e, told: s.flags.status == "json"}
	if err := s.journal.close(); err != nil {
		told.failed = &statusFileError{err}
	}
	return told
}

// tapeHead is the first line of a recording of this stream.
func (s *stream) tapeHead(service string) proto.TapeHead {
	h := proto.TapeHead{Time: time.Now(), Service: service, Run: s.runID}
	if s.describe != nil {
		h.Source = s.say.String(s.describe(proto.Message{}).Source)
	}
	return h
}

// keep begins the journal of the stream.
func (s *stream) keep(service string, w *output.Writer) error {
	s.journal = &journal{service: service, redact: s.say.Bytes, written: w.Counts}
	asJSON := s.flags.status == "json"
	if asJSON {
		s.journal.outs = append(s.journal.outs, s.stderr)
		s.stderr.SetLost(s.journal.lost("stderr"))
	}
	if s.flags.statusFile != "" {
		if err := s.journal.open(s.flags.statusFile); err != nil {
			return err
		}
	}
	if asJSON { // then stderr is for records only
		s.say.divert(s.journal.text)
	}
	return nil
}

// answerQuestions prints the counters when somebody asks for them with a signal.
func (s *stream) answerQuestions(ctx context.Context) {
	for {
		select {
		case <-s.Questions:
			if s.flags.status == "json" {
				s.journal.asked()
			} else {
				s.say.note("%s", s.journal.counts())
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

// ending adds to the end of a run what was still awaited then.
func (s *stream) ending(err error, w *output.Writer) error {
	var awaited []string
	if !s.live {
		awaited = append(awaited, "the first sign that the stream is live")
	}
	if what := s.flags.awaited(); what != "" && !s.ready {
		awaited = append(awaited, what)
	}
	return s.awaited(err, awaited, w)
}
