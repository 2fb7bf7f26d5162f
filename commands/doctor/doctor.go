// Package doctor is "hark doctor".
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/network"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/settings"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/config"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/proto"
)

// Command returns "hark doctor". Its commands are made from the streaming commands, so
// they connect to a service in exactly the same way. recipe finds the service of a
// recipe; it may be nil.
func Command(p *program.Program, all stream.Services, recipe Finder) *cmdline.Command {
	c := &cmdline.Command{
		Name:  "doctor",
		Usage: "diagnose a connection stage by stage",
		Examples: `hark doctor drogue --emulator demo-app --wait 10s
hark doctor octave --emulator /demo/stream --json
hark doctor wss://stream.example.com/events`,
		Description: "Tests the stages dns, tcp, proxy, tls, upgrade, auth, subscribe and first event, and prints " +
			"how long each took, or why it failed and what to do. The exit code is that of the stage that failed. " +
			"'hark doctor URL' is short for 'hark doctor connect URL'.",
		Commands: func() []*cmdline.Command {
			var commands []*cmdline.Command
			for _, sv := range all {
				commands = append(commands, examine(p, sv))
			}
			return commands
		},
	}
	if recipe != nil {
		c.Open = func(name string) (*cmdline.Command, error) {
			if all.Find(name) != nil {
				return nil, nil
			}
			sv, err := recipe(p, c, name)
			if sv == nil || err != nil {
				return nil, err
			}
			return examine(p, *sv), nil
		}
	}
	return c
}

// A Finder finds the service of a recipe by its name, or that of a file, for a command;
// nil if there is none.
type Finder func(p *program.Program, c *cmdline.Command, name string) (*stream.Service, error)

// Try runs doctor for a service with the settings of a file and the given arguments.
func Try(ctx context.Context, p *program.Program, sv stream.Service, f *config.File, profile string, args []string) error {
	a := cmdline.New(cmdline.Config{
		Root: &cmdline.Command{Name: "hark", Flags: settings.Global(p), Commands: func() []*cmdline.Command {
			return []*cmdline.Command{Command(p, stream.Services{sv}, nil)}
		}},
		Settings:  func(_ context.Context, l *cmdline.Line) error { return settings.AddFile(l, f, profile) },
		Before:    p.Observe,
		Stdout:    p.Stdout,
		Stderr:    p.Stderr,
		LookupEnv: p.LookupEnv,
	})
	return a.Run(p.Within(ctx), append([]string{"doctor", sv.Name}, args...))
}

// examine turns a streaming command into one of doctor.
func examine(p *program.Program, sv stream.Service) *cmdline.Command {
	v := sv.Stream(p)
	c := v.Command
	e := &examination{service: sv, Program: p, readyTimeout: 10 * time.Second}
	var asJSON bool
	c.Name, c.Description, c.Usual = sv.Name, "", false
	c.Usage = "diagnose the connection to " + sv.Title
	c.Examples = cmp.Or(sv.Examples, strings.Join(append([]string{"hark doctor", sv.Name, "--emulator"}, sv.Demo...), " "))
	if sv.Synopsis != "" {
		_, explained, _ := strings.Cut(c.Args, "\n")
		c.Args = sv.Synopsis + "\n" + explained
	}
	c.Flags = slices.DeleteFunc(c.Flags, func(f *cmdline.Flag) bool {
		return irrelevant(f) || slices.Contains(v.LaterFlags, f.Name)
	})
	c.Flags = append(c.Flags,
		&cmdline.Flag{Name: "ready-timeout", Value: cmdline.Duration(&e.readyTimeout),
			Usage: "wait up to `D` for the stream to be ready, see 'hark help status'"},
		&cmdline.Flag{Name: "wait", Value: cmdline.Duration(&e.wait), Usage: "also wait up to `D` for the first event"},
		&cmdline.Flag{Name: "json", Value: cmdline.Bool(&asJSON), Usage: "print the findings as JSON"})
	c.Run = func(ctx context.Context, line *cmdline.Line) error {
		if err := program.CheckDuration(line, "wait", e.wait, false); err != nil {
			return err
		}
		if err := program.CheckDuration(line, "ready-timeout", e.readyTimeout, false); err != nil {
			return err
		}
		s, o, err := v.Begin(ctx, line, p)
		if err != nil {
			return err
		}
		defer s.Close()
		err = e.examine(ctx, s, o)
		err = ending.WithHint(err, v.Hint(line, err))
		if s, ok := errors.AsType[*process.SignalError](err); ok {
			return s
		}
		return e.print(err, asJSON)
	}
	return c
}

// irrelevant reports whether a flag does not affect the connection to a service.
func irrelevant(f *cmdline.Flag) bool {
	if f.Name == "verbose" || f.Name == "quiet" {
		return false
	}
	return !slices.Contains([]string{program.CatService, program.CatLink, program.CatProxy, program.CatTLS}, f.Group) ||
		slices.Contains([]string{"retries", "retry-window", "buffer", "overflow"}, f.Name)
}

// The stages of an examination.
const (
	stageAuth      netdial.Stage = "auth"
	stageSubscribe netdial.Stage = "subscribe"
	stageEvent     netdial.Stage = "first event"
)

// stages are those of the examination, in their order.
func (e *examination) stages() []netdial.Stage {
	if e.service.Requests {
		return append([]netdial.Stage{proto.StageRequest}, doctorStages...)
	}
	return doctorStages
}

var doctorStages = []netdial.Stage{
	netdial.StageDNS, netdial.StageTCP, netdial.StageProxy, netdial.StageTLS, netdial.StageUpgrade,
	stageAuth, stageSubscribe, stageEvent,
}

// errExamined ends a stream when the examination is complete.
var errExamined = errors.New("examined")

// examine connects to a service once and records the result of each stage.
func (e *examination) examine(ctx context.Context, s *stream.Stream, svc *stream.Opened) error {
	e.begin(s)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	o := proto.DefaultOptions()
	s.Flags.LinkFlags.Engine(&o)
	o.Retries = 0
	o.Transport = network.UserAgent{Base: examTransport{s.Handshakes(), e}, None: s.Flags.NoAgent}
	o.Dial = s.Flags.Dial()
	o.Input = svc.Input
	o.Kill = s.Kill
	o.Trace = proto.Trace{
		Status:  func(st proto.Status) { e.status(st, cancel) },
		Warning: func(text string) { s.Warn("%s", text) },
		Secret:  func(v string) { s.Say.Add(v) },
	}
	if s.Flags.Verbose {
		o.Trace.Note = func(text string) { s.Say.Note("%s", text) }
	}
	e.nothingToSubscribe = svc.Nothing
	err := proto.Run(ctx, svc.Service, e, o)
	if e.timer != nil {
		e.timer.Stop()
	}
	if errors.Is(err, errExamined) {
		return nil
	}
	if err == nil { // the server closed it normally
		err = &proto.Failure{Class: proto.Transient, Connected: true, Err: errors.New("the server closed the connection")}
	}
	return ending.WithHint(err, s.Flags.TLSFlags.Hint(err))
}

// status records changes of state of the connection.
func (e *examination) status(st proto.Status, cancel context.CancelCauseFunc) {
	switch st.State.(type) {
	case proto.Connecting:
		e.address = st.Address
		if e.service.Requests {
			e.done(proto.StageRequest, max(0, st.Time.Sub(e.start)-e.networkTime()), "answered")
		}
		if e.service.AsksFirst { // the session request is where the credentials count
			e.done(stageAuth, max(0, st.Time.Sub(e.start)-e.networkTime()), "a session was granted")
		}
	case proto.Connected:
		e.connected, e.at = true, st.Time
		if e.nothingToSubscribe {
			cancel(errExamined)
			return
		}
		e.limit(e.readyTimeout, cancel, &proto.TimeoutError{What: "sign that the stream is ready", Limit: e.readyTimeout})
	case proto.Ready:
		if e.timer != nil {
			e.timer.Stop()
		}
		e.ready = true
		e.done(stageSubscribe, st.Time.Sub(e.at), "the stream is ready")
		e.at = st.Time
		if e.wait <= 0 {
			cancel(errExamined)
			return
		}
		e.limit(e.wait, cancel, &proto.TimeoutError{What: "event", Limit: e.wait})
	}
}

func (e *examination) limit(d time.Duration, cancel context.CancelCauseFunc, overdue error) {
	e.timer = time.AfterFunc(d, func() {
		cancel(&proto.Failure{Class: proto.TimedOut, Connected: true, Err: overdue})
	})
}

// Event implements proto.Sink: with --wait, the first event ends the examination.
func (e *examination) Event(ev *proto.Event) error {
	if e.wait <= 0 {
		return nil
	}
	e.mu.Lock()
	e.event = ev.Time
	e.bytes = len(ev.Data)
	e.mu.Unlock()
	return errExamined
}

// Flush implements proto.Sink.
func (e *examination) Flush() error { return nil }

// examTransport observes the responses to opening handshakes.
type examTransport struct {
	base http.RoundTripper
	e    *examination
}

// RoundTrip implements http.RoundTripper.
func (t examTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	start, before := time.Now(), t.e.networkTime()
	resp, err := t.base.RoundTrip(req)
	took := max(0, time.Since(start)-(t.e.networkTime()-before))
	if err == nil {
		detail := fmt.Sprintf("HTTP %d", resp.StatusCode)
		if p := resp.Header.Get("Sec-Websocket-Protocol"); p != "" {
			detail += ", subprotocol " + p
		}
		if x := resp.Header.Get("Sec-Websocket-Extensions"); x != "" {
			detail += ", " + x
		}
		t.e.done(netdial.StageUpgrade, took, detail)
	}
	return resp, err
}
