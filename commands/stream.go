package commands

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
	"github.com/urfave/cli/v2"
)

// A stream is one run of a command that streams: a service, the flags that all
// of them have, and where the two meet.
type stream struct {
	*program
	flags     *streamFlags
	transport *http.Transport
	standIn   *standIn // nil when the service is the real one
	live      bool     // the stream was live at least once
	watched   bool     // somebody wants to see what happens
}

func (p *program) newStream(f *streamFlags) *stream {
	return &stream{
		program: p, flags: f, transport: newTransport(),
		watched: !f.quiet && (f.verbose || p.StderrTerminal),
	}
}

// client sends a service's own requests over the same transport as the stream.
func (s *stream) client() *http.Client {
	return &http.Client{
		Transport:     userAgent{s.transport},
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
func (s *stream) emulate(service string, typed func(flag string) bool, endpoint *string, credentials ...demo) error {
	if typed("endpoint") {
		return usagef("--endpoint and --emulator exclude each other")
	}
	e, err := startEmulator(service)
	if err != nil {
		return err
	}
	s.standIn = e
	*endpoint = e.demo[variableName(service, "endpoint")]
	if !slices.ContainsFunc(credentials, func(d demo) bool { return typed(d.flag) }) {
		for _, d := range credentials {
			*d.setting = e.demo[d.variable]
		}
	}
	s.transport.DialContext = e.network.DialContext
	return nil
}

// close ends what newStream and emulate have started.
func (s *stream) close() {
	s.transport.CloseIdleConnections()
	if s.standIn != nil {
		s.standIn.close()
	}
}

// typedFlags tells which flags stand on the command line, not in the environment.
func typedFlags(c *cli.Context) func(flag string) bool {
	return func(flag string) bool { return strings.HasPrefix(givenAs(c, flag), "-") }
}

// run streams the events of svc to stdout until a condition, a signal or a
// failure ends it. Everything that the user can get wrong has been found when
// it dials.
func (s *stream) run(ctx context.Context, svc proto.Service, input <-chan proto.Frame) error {
	dead, bury := context.WithCancel(context.WithoutCancel(ctx))
	defer bury()
	go func() {
		select {
		case <-s.kill:
			bury()
		case <-dead.Done():
		}
	}()
	w, err := s.writer(dead)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if s.flags.maxTime > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, s.flags.maxTime, errMaxTime)
		defer stop()
	}
	go s.Hangup(ctx, func() { cancel(output.ErrStdoutClosed) })

	o := proto.DefaultOptions()
	s.flags.engine(&o)
	o.Idle = s.flags.idle
	o.Transport = userAgent{s.transport}
	o.Input = input
	o.Kill = s.kill
	o.Trace = s.trace()
	return s.ending(proto.Run(ctx, svc, w, o), w)
}

// writer is the end of the stream: filter, conditions, stdout. ctx ends an
// expression that runs too long; it is not the context of the stream, whose last
// events are still to be filtered when it has ended.
func (s *stream) writer(ctx context.Context) (*output.Writer, error) {
	named, err := s.flags.variables()
	if err != nil {
		return nil, err
	}
	vars := output.Vars{Named: named, Environ: s.Environ, Stderr: s.say}
	o := output.Options{
		Format:      output.Format(s.flags.format),
		Raw:         s.flags.raw,
		JQErrorFail: s.flags.jqError == "fail",
		Count:       s.flags.count,
		Context:     ctx,
		Warn:        func(text string) { s.warn("%s", text) },
	}
	if o.Filter, err = compile("--jq", s.flags.jq, vars); err != nil {
		return nil, err
	}
	if o.Until, err = compile("--until", s.flags.until, vars); err != nil {
		return nil, err
	}
	return output.New(s.Stdout, o), nil
}

func compile(flag, expr string, vars output.Vars) (*output.Filter, error) {
	if expr == "" {
		return nil, nil
	}
	return output.Compile(flag, expr, vars)
}

// ending adds to the end of a run what was still awaited then.
func (s *stream) ending(err error, w *output.Writer) error {
	limit := errors.Is(err, errMaxTime) || errors.Is(err, proto.ErrIdle)
	if err != nil && !limit || is[*proto.UnwrittenError](err) {
		return err
	}
	unmet := w.Unmet()
	if !s.live {
		unmet = append([]string{"the first sign that the stream is live"}, unmet...)
	}
	if len(unmet) == 0 {
		return err
	}
	if errors.Is(err, proto.ErrIdle) {
		err = fmt.Errorf("no event for %s", s.flags.idle)
	}
	return &awaitedError{Err: err, Unmet: unmet}
}
