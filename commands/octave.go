package commands

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/octave"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/wire"
)

// octaveOptions are what the flags of the Octave commands say.
type octaveOptions struct {
	endpoint      string
	api           string
	user          string
	company       string
	token         string
	ackTimeout    time.Duration
	heartbeat     time.Duration
	emulator      bool
	streams       []string
	devices       []string
	prefixes      []string
	since         since
	backfill      bool
	backfillDelay time.Duration
	noBackfill    bool
	typed         func(flag string) bool
}

func octaveService() service {
	return service{
		name: "octave", title: "Sierra Wireless Octave",
		command: (*program).octaveCommand, stream: (*program).octaveSubscribe, arguments: []string{"/x"},
		player: &proto.Octave{}, demo: []string{"/demo/stream"},
		emulator: octaveEmulator,
		settings: []question{
			{name: "company", ask: "company", needed: true},
			{name: "user", ask: "user (empty for a restricted token)"},
			{name: "token", ask: "token" + orBetter, deflt: "env:OCTAVE_TOKEN", needed: true},
		},
		attributes: &attributes{
			"of the event", "octave://COMPANY", "com.sierrawireless\n.octave.event", "the stream's path", "generated, or created", "the event object",
		},
		ready:    "when Octave has acknowledged all subscriptions",
		synopsis: "[STREAM…]", asksFirst: true,
		clocked: octaveClocked, answer: answerOctave,
	}
}

func octaveEmulator() emulator.Service { return octave.Service(octave.DefaultOptions()) }

func (p *program) octaveCommand() *cmdline.Command {
	return &cmdline.Command{
		Name:  "octave",
		Usage: "events of Sierra Wireless Octave",
		Examples: `hark octave subscribe --emulator /demo/stream -n 5
hark octave streams --emulator /demo/devices/
hark octave session --emulator`,
		Commands: func() []*cmdline.Command {
			return []*cmdline.Command{
				p.octaveSubscribe().run(p), p.octaveStreams(),
				p.octavePublish(), p.octaveSession(),
			}
		},
	}
}

// account are the flags that say where the service is and who asks.
func (o *octaveOptions) account() []*cmdline.Flag {
	return cmdline.Own("octave",
		&cmdline.Flag{Name: "endpoint", Group: catService, Value: cmdline.String(&o.endpoint), Default: wire.OctaveEndpoint,
			Usage: "reach the session service at `URL`"},
		&cmdline.Flag{Name: "api", Group: catService, Value: cmdline.String(&o.api), Default: wire.OctaveAPI,
			Usage: "reach the REST interface at `URL`; the default holds for the default of --endpoint"},
		&cmdline.Flag{Name: "company", Group: catService, Value: cmdline.String(&o.company),
			Usage: "the `NAME` of the company"},
		&cmdline.Flag{Name: "user", Group: catService, Value: cmdline.String(&o.user),
			Usage: "the `NAME` of the user; leave it out for a restricted token"},
		&cmdline.Flag{Name: "token", Secret: true, Group: catService, Value: cmdline.String(&o.token),
			Usage: "master or restricted token, `SECRET`", Detail: credential.Forms},
		&cmdline.Flag{Name: "emulator", Group: catService, Value: cmdline.Bool(&o.emulator),
			Usage: "use the built-in stand-in instead of the service"},
	)
}

func (p *program) octaveSession() *cmdline.Command {
	o, f := &octaveOptions{}, newStreamFlags()
	return &cmdline.Command{
		Name:  "session",
		Usage: "ask for a session and print it as one JSON line",
		Examples: `hark octave session --emulator
hark octave session --company acme --user alice --token env:OCTAVE_TOKEN | jq -r .url`,
		Description: "Prints {\"id\":…,\"url\":…}. Both are credentials: whoever has them can open the " +
			"socket. A session that nobody connects to expires within seconds.",
		Flags: append(o.account(), requestFlags(f)...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			if err := f.networkFlags.check(ctx, line); err != nil {
				return err
			}
			o.typed = line.Typed
			s := p.newStream(f)
			defer s.close()
			svc, err := s.octave(o)
			if err != nil {
				return err
			}
			return s.printSession(ctx, svc)
		},
	}
}

func (p *program) octaveSubscribe() *streaming {
	o, f := &octaveOptions{
		ackTimeout: 10 * time.Second, heartbeat: wire.OctaveHeartbeat, backfill: true, backfillDelay: 5 * time.Second,
	}, newStreamFlags()
	return &streaming{flags: f, command: &cmdline.Command{
		Name: "subscribe", Usual: true,
		Usage: "stream the events of one or more streams",
		Examples: `hark octave subscribe --emulator /demo/stream -n 5
hark octave subscribe --company acme --user alice --token env:OCTAVE_TOKEN \
    /acme/devices/pump_07/level s53b1d1600cf27b75148de0ac --jq '.value.elems'
hark octave subscribe --company acme --user alice --token env:OCTAVE_TOKEN --device pump_07 --since 24h`,
		Complete: p.streamNames,
		Args:     "[STREAM…]\nSTREAM\tthe id of a stream, or its path, which begins with a slash",
		Description: "Asks for a session, opens its socket, subscribes to every STREAM and to the streams of " +
			"--device and --prefix, and waits for all acknowledgements. A lost connection is redone with a new " +
			"session; what was stored meanwhile is fetched from the REST interface and comes first, nothing twice. " +
			"What could not be fetched is reported as a gap.",
		Flags: append(append(o.account(), cmdline.Own("octave",
			&cmdline.Flag{Name: "ack-timeout", Rare: true, Group: catService, Value: cmdline.Duration(&o.ackTimeout),
				Usage: "wait `D` for the acknowledgement of a subscription"},
			&cmdline.Flag{Name: "heartbeat", Rare: true, Group: catService, Value: cmdline.Duration(&o.heartbeat),
				Usage: "send a heartbeat every `D`; 0 for none"},
			&cmdline.Flag{Name: "device", Group: catService, Value: cmdline.Strings(&o.devices),
				Usage: "subscribe to all streams of the device `NAME`"},
			&cmdline.Flag{Name: "prefix", Complete: p.streamNames, Group: catService, Value: cmdline.Strings(&o.prefixes),
				Usage: "subscribe to all streams whose path begins with `PATH`"},
			&cmdline.Flag{Name: "since", Group: catService, Value: &o.since,
				Usage: "print what was stored from `DURATION|TIME` on, before the live events"},
			&cmdline.Flag{Name: "backfill", Group: catService, Value: cmdline.Bool(&o.backfill),
				Usage: "fetch what was missed when the connection was lost"},
			&cmdline.Flag{Name: "backfill-delay", Group: catService, Value: cmdline.Duration(&o.backfillDelay),
				Usage: "ask once more after `D` for what was missed: the REST interface may show events that late"},
			&cmdline.Flag{Name: "no-backfill", Group: catService, Value: cmdline.Bool(&o.noBackfill),
				Usage: "do not: the same as --backfill=false"},
		)...), f.flags()...),
	},
		check: func(ctx context.Context, line *cmdline.Line) error {
			if err := f.check(ctx, line); err != nil {
				return err
			}
			o.typed = line.Typed
			return o.check(line)
		},
		complete: o.complete,
		open: func(ctx context.Context, _ *cmdline.Line, s *stream) (*opened, error) {
			svc, err := s.octave(o)
			if err != nil {
				return nil, err
			}
			if err := s.findStreams(ctx, o, svc); err != nil {
				return nil, err
			}
			return &opened{
				Service: svc, place: svc.Endpoint + " " + svc.Company, names: svc.Streams,
				begin: func() { o.lookBack(svc) }, nothing: len(svc.Streams) == 0,
			}, nil
		},
		hint: func(_ *cmdline.Line, err error) string { return octaveHint(err) },
	}
}

// check finds what is wrong with the flags and arguments of "octave subscribe".
func (o *octaveOptions) check(line *cmdline.Line) error {
	if o.ackTimeout <= 0 {
		return cmdline.FlagErrorf("--ack-timeout", " %s: the duration must be positive", o.ackTimeout)
	}
	if o.heartbeat < 0 {
		return cmdline.FlagErrorf("--heartbeat", " %s: the duration must not be negative", o.heartbeat)
	}
	if o.backfillDelay < 0 {
		return cmdline.FlagErrorf("--backfill-delay", " %s: the duration must not be negative", o.backfillDelay)
	}
	if err := o.checkStreams(line.Args()); err != nil {
		return err
	}
	if as := line.GivenAs("backfill"); as != "" && o.backfill && o.noBackfill {
		return cmdline.FlagErrorf(as, " and --no-backfill exclude each other")
	}
	return nil
}

// checkOctaveStream finds what can be neither an id nor a path.
func checkOctaveStream(s string) error {
	switch {
	case s == "" || strings.TrimSpace(s) != s:
		return cmdline.Usagef("stream %q: expected an id or a path", s)
	case strings.Contains(s, "/") && !strings.HasPrefix(s, "/"):
		e := cmdline.Usagef("stream %q: a path begins with a slash", s)
		e.Advice = "did you mean /" + s + "?"
		return e
	}
	return nil
}

// unique leaves out what was said before: the service would send its events twice.
func unique(words []string) []string {
	var out []string
	seen := make(map[string]bool)
	for _, w := range words {
		if !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	return out
}

// octave makes the service of the options.
func (s *stream) octave(o *octaveOptions) (*proto.Octave, error) {
	if o.emulator {
		err := s.emulate(octaveEmulator(), o.typed, &o.endpoint,
			demo{"user", "HARK_OCTAVE_USER", &o.user},
			demo{"company", "HARK_OCTAVE_COMPANY", &o.company},
			demo{"token", "HARK_OCTAVE_TOKEN", &o.token})
		if err != nil {
			return nil, err
		}
		if o.typed("api") {
			return nil, cmdline.FlagErrorf("--api", " and --emulator exclude each other")
		}
		o.api = s.standIn.demo["HARK_OCTAVE_API"]
	}
	if o.endpoint == "" {
		o.endpoint = wire.OctaveEndpoint
	}
	endpoint, err := serviceEndpoint(o.endpoint)
	if err != nil {
		return nil, err
	}
	api, err := o.apiBase(endpoint)
	if err != nil {
		return nil, err
	}
	for _, need := range []struct{ flag, value string }{{"company", o.company}, {"token", o.token}} {
		if need.value == "" {
			e := cmdline.Usagef("octave needs --%s", need.flag)
			e.Advice = "set it or " + cmdline.VariableName("octave", need.flag) + ", or try --emulator"
			return nil, e
		}
	}
	tok, _, err := s.source("--token", o.token)
	if err != nil {
		return nil, err
	}
	return &proto.Octave{
		Endpoint: endpoint, User: o.user, Company: o.company, Token: tok,
		Streams: o.streams, AckTimeout: o.ackTimeout, Heartbeat: o.heartbeat,
		Client: s.client(),
		API: &proto.OctaveAPI{
			Base: api, User: o.user, Company: o.company, Token: tok, Client: s.client(), Timeout: s.flags.connectTimeout,
		},
	}, nil
}

// printSession asks for a session and prints it.
func (s *stream) printSession(ctx context.Context, svc *proto.Octave) error {
	ctx, cancel := proto.WithConnectTimeout(ctx, s.flags.connectTimeout)
	defer cancel()
	session, err := svc.NewSession(ctx)
	if sig, ok := errors.AsType[*signalError](context.Cause(ctx)); ok {
		return sig
	}
	if err != nil {
		err = &proto.Failure{Class: proto.Classify(svc, err), Err: err}
		return withHint(withHint(err, s.flags.tlsFlags.hint(err)), octaveHint(err))
	}
	line, err := json.Marshal(struct {
		ID  string `json:"id"`
		URL string `json:"url"`
	}{session.ID, session.URL})
	if err != nil {
		return err
	}
	return writeLine(s.Stdout, line)
}

// octaveHint is the advice for Octave's own failures.
func octaveHint(err error) string {
	if r, ok := errors.AsType[*proto.RefusedError](err); ok {
		switch r.Status {
		case http.StatusNotFound:
			return "the stream may not exist in this company; STREAM is an id, or a path that begins with a slash"
		case http.StatusForbidden:
			return "the token has no right to read this stream"
		}
	}
	if h, ok := errors.AsType[*proto.HandshakeError](err); ok && h.Stage == proto.StageRequest && h.Status == http.StatusNotFound {
		return "the stream may not exist in this company; 'hark octave streams' lists those that the token may read"
	}
	f, ok := errors.AsType[*proto.Failure](err)
	if ok && f.Class == proto.Credentials {
		return "check --company, --user and --token; with a restricted token, leave --user out"
	}
	return ""
}
