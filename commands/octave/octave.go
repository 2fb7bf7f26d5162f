// Package octave has the commands of Octave, and its entry in the list of services.
package octave

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/complete"
	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/network"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/emulator"
	octaveemu "github.com/hark-cli/hark/internal/emulator/octave"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/octave"
	"github.com/hark-cli/hark/proto/octave/wire"
)

// options are the flags of the Octave commands.
type options struct {
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

// Service returns the entry of Octave in the list of services.
func Service() stream.Service {
	return stream.Service{
		Name: "octave", Title: "Sierra Wireless Octave",
		Command: newCommand, Stream: subscribe, Arguments: []string{"/x"},
		Player: &octave.Service{}, Demo: []string{"/demo/stream"},
		Emulator: emulated,
		Settings: []stream.Question{
			{Name: "company", Ask: "company", Needed: true},
			{Name: "user", Ask: "user (empty for a restricted token)"},
			{Name: "token", Ask: "token" + stream.OrBetter, Default: "env:OCTAVE_TOKEN", Needed: true},
		},
		Attributes: &stream.Attributes{
			ID: "of the event", Source: "octave://COMPANY", Kind: "com.sierrawireless\n.octave.event",
			Subject: "the stream's path", Time: "generated, or created", Data: "the event object",
		},
		Ready:    "when Octave has acknowledged all subscriptions",
		Synopsis: "[STREAM…]", AsksFirst: true,
		Clocked: clocked, Answer: answer,
	}
}

func emulated() emulator.Service { return octaveemu.Service(octaveemu.DefaultOptions()) }

func newCommand(p *program.Program) *cmdline.Command {
	return &cmdline.Command{
		Name:        "octave",
		Usage:       "events of Octave",
		Description: "Sierra Wireless Octave collects events of devices in streams.",
		Examples: `hark octave subscribe --emulator /demo/stream -n 5
hark octave streams --emulator /demo/devices/
hark octave session --emulator`,
		Commands: func() []*cmdline.Command {
			return []*cmdline.Command{
				subscribe(p).Run(p), streamsCommand(p),
				publishCommand(p), sessionCommand(p),
			}
		},
	}
}

// account returns the flags for the addresses and the credentials.
func (o *options) account() []*cmdline.Flag {
	return cmdline.Own("octave",
		&cmdline.Flag{Name: "endpoint", Rare: true, Group: program.CatService, Value: cmdline.String(&o.endpoint), Default: wire.Endpoint,
			Usage: "connect to the session service at `URL`"},
		&cmdline.Flag{Name: "api", Rare: true, Group: program.CatService, Value: cmdline.String(&o.api), Default: wire.API,
			Usage: "use the REST interface at `URL`", Detail: "; the default applies to the default of --endpoint"},
		&cmdline.Flag{Name: "company", Group: program.CatService, Value: cmdline.String(&o.company),
			Usage: "company `NAME`"},
		&cmdline.Flag{Name: "user", Group: program.CatService, Value: cmdline.String(&o.user),
			Usage: "user `NAME`", Detail: "; omit it for a restricted token"},
		&cmdline.Flag{Name: "token", Secret: true, Group: program.CatService, Value: cmdline.String(&o.token),
			Usage: "master or restricted token, `SECRET`", Detail: credential.Forms},
		&cmdline.Flag{Name: "emulator", Group: program.CatService, Value: cmdline.Bool(&o.emulator),
			Usage: "use the built-in emulator instead of the service"},
	)
}

func sessionCommand(p *program.Program) *cmdline.Command {
	o, f := &options{}, stream.NewFlags()
	return &cmdline.Command{
		Name:  "session",
		Usage: "ask for a session and print it as one JSON line",
		Examples: `hark octave session --emulator
hark octave session --company acme --user alice --token env:OCTAVE_TOKEN | jq -r .url`,
		Description: "Prints {\"id\":…,\"url\":…}. Both are credentials: they open the " +
			"socket. A session without a connection expires within seconds.",
		Flags: append(o.account(), stream.RequestFlags(f)...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			if err := f.NetworkFlags.Check(ctx, line); err != nil {
				return err
			}
			o.typed = line.Typed
			s := stream.New(p, f)
			defer s.Close()
			svc, err := open(s, o)
			if err != nil {
				return err
			}
			return printSession(ctx, s, svc)
		},
	}
}

func subscribe(p *program.Program) *stream.Streaming {
	o, f := &options{
		ackTimeout: 10 * time.Second, heartbeat: wire.Heartbeat, backfill: true, backfillDelay: 5 * time.Second,
	}, stream.NewFlags()
	return &stream.Streaming{Flags: f, Command: &cmdline.Command{
		Name: "subscribe", Usual: true,
		Usage: "stream the events of one or more streams",
		Examples: `hark octave subscribe --emulator /demo/stream -n 5
hark octave subscribe --company acme --user alice --token env:OCTAVE_TOKEN \
    /acme/devices/pump_07/level s53b1d1600cf27b75148de0ac --jq '.value.elems'
hark octave subscribe --company acme --user alice --token env:OCTAVE_TOKEN --device pump_07 --since 24h`,
		Complete: streamNames(p),
		Args:     "[STREAM…]\nSTREAM\tthe id of a stream, or its path, which begins with a slash",
		Description: "Asks for a session, opens its socket, subscribes to every STREAM and to the streams of " +
			"--device and --prefix, and waits for all acknowledgments. After a lost connection hark " +
			"reconnects with a new session; events that were stored meanwhile are fetched from the REST interface and " +
			"printed first, without duplicates. Events that could not be fetched are reported as a gap.",
		Flags: append(append(o.account(), cmdline.Own("octave",
			&cmdline.Flag{Name: "ack-timeout", Rare: true, Group: program.CatService, Value: cmdline.Duration(&o.ackTimeout),
				Usage: "wait `D` for the acknowledgment of a subscription"},
			&cmdline.Flag{Name: "heartbeat", Rare: true, Group: program.CatService, Value: cmdline.Duration(&o.heartbeat),
				Usage: "send a heartbeat every `D`; 0 for none"},
			&cmdline.Flag{Name: "device", Group: program.CatService, Value: cmdline.Strings(&o.devices),
				Usage: "subscribe to all streams of the device `NAME`"},
			&cmdline.Flag{Name: "prefix", Complete: streamNames(p), Group: program.CatService, Value: cmdline.Strings(&o.prefixes),
				Usage: "subscribe to all streams below `PATH`"},
			&cmdline.Flag{Name: "since", Group: program.CatService, Value: &o.since,
				Usage: "first print stored events since `DURATION|TIME`"},
			&cmdline.Flag{Name: "backfill", Rare: true, Group: program.CatService, Value: cmdline.Bool(&o.backfill),
				Usage: "fetch events missed while disconnected"},
			&cmdline.Flag{Name: "backfill-delay", Rare: true, Group: program.CatService, Value: cmdline.Duration(&o.backfillDelay),
				Usage: "fetch missed events again after `D`", Detail: "; the REST interface may show events that late"},
			&cmdline.Flag{Name: "no-backfill", Rare: true, Group: program.CatService, Value: cmdline.Bool(&o.noBackfill),
				Usage: "same as --backfill=false"},
		)...), f.Flags()...),
	},
		Check: func(ctx context.Context, line *cmdline.Line) error {
			if err := f.Check(ctx, line); err != nil {
				return err
			}
			o.typed = line.Typed
			return o.check(line)
		},
		LaterFlags: []string{"since", "backfill", "backfill-delay", "no-backfill"},
		Complete:   o.complete,
		Open: func(ctx context.Context, _ *cmdline.Line, s *stream.Stream) (*stream.Opened, error) {
			svc, err := open(s, o)
			if err != nil {
				return nil, err
			}
			if err := findStreams(ctx, s, o, svc); err != nil {
				return nil, err
			}
			return &stream.Opened{
				Service: svc, Place: svc.Endpoint + " " + svc.Company, Names: svc.Streams, Streams: o.selection(),
				Begin: func() { o.lookBack(svc) }, Nothing: len(svc.Streams) == 0,
			}, nil
		},
		Hint: func(_ *cmdline.Line, err error) string { return hint(err) },
	}
}

// check returns an error for invalid flags and arguments of "octave subscribe".
func (o *options) check(line *cmdline.Line) error {
	if o.ackTimeout <= 0 {
		return cmdline.ValueErrorf("--ack-timeout", o.ackTimeout.String(), "must be positive")
	}
	if o.heartbeat < 0 {
		return cmdline.ValueErrorf("--heartbeat", o.heartbeat.String(), "must not be negative")
	}
	if o.backfillDelay < 0 {
		return cmdline.ValueErrorf("--backfill-delay", o.backfillDelay.String(), "must not be negative")
	}
	if err := o.checkStreams(line.Args()); err != nil {
		return err
	}
	if as := line.GivenAs("backfill"); as != "" && o.backfill && o.noBackfill {
		return cmdline.FlagErrorf(as, " cannot be used with --no-backfill")
	}
	return nil
}

// selection is what the user has selected, for --cursor.
func (o *options) selection() []string {
	list := append([]string{"--company " + o.company}, o.streams...)
	for _, d := range o.devices {
		list = append(list, "--device "+d)
	}
	for _, prefix := range o.prefixes {
		list = append(list, "--prefix "+prefix)
	}
	slices.Sort(list)
	return list
}

// checkStream returns an error for an argument that is neither an id nor a path.
func checkStream(s string) error {
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

// unique removes duplicates: the service would send their events twice.
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

// open returns the service of the options.
func open(s *stream.Stream, o *options) (*octave.Service, error) {
	if o.emulator {
		err := s.Emulate(emulated(), o.typed, &o.endpoint,
			stream.Demo{Flag: "user", Variable: "HARK_OCTAVE_USER", Setting: &o.user},
			stream.Demo{Flag: "company", Variable: "HARK_OCTAVE_COMPANY", Setting: &o.company},
			stream.Demo{Flag: "token", Variable: "HARK_OCTAVE_TOKEN", Setting: &o.token})
		if err != nil {
			return nil, err
		}
		if o.typed("api") {
			return nil, cmdline.FlagErrorf("--api", " cannot be used with --emulator")
		}
		o.api = s.Emulated.Demo["HARK_OCTAVE_API"]
	}
	if o.endpoint == "" {
		o.endpoint = wire.Endpoint
	}
	endpoint, err := network.ServiceEndpoint(o.endpoint)
	if err != nil {
		return nil, err
	}
	api, err := o.apiBase(endpoint)
	if err != nil {
		return nil, err
	}
	for _, need := range []struct{ flag, value string }{{"company", o.company}, {"token", o.token}} {
		if need.value == "" {
			e := cmdline.Usagef("required flag not set: --%s", need.flag)
			e.Advice = "set it or " + cmdline.VariableName("octave", need.flag) + ", or try --emulator"
			return nil, e
		}
	}
	tok, _, err := s.Source("--token", o.token)
	if err != nil {
		return nil, err
	}
	return &octave.Service{
		Endpoint: endpoint, User: o.user, Company: o.company, Token: tok,
		Streams: o.streams, AckTimeout: o.ackTimeout, Heartbeat: o.heartbeat,
		Client: s.Client(),
		API: &octave.API{
			Base: api, User: o.user, Company: o.company, Token: tok, Client: s.Client(), Timeout: s.Flags.ConnectTimeout,
		},
	}, nil
}

// printSession requests a session and prints it.
func printSession(ctx context.Context, s *stream.Stream, svc *octave.Service) error {
	ctx, cancel := proto.WithConnectTimeout(ctx, s.Flags.ConnectTimeout)
	defer cancel()
	session, err := svc.NewSession(ctx)
	if sig, ok := errors.AsType[*process.SignalError](context.Cause(ctx)); ok {
		return sig
	}
	if err != nil {
		err = &proto.Failure{Class: proto.Classify(svc, err), Err: err}
		return ending.WithHint(ending.WithHint(err, s.Flags.TLSFlags.Hint(err)), hint(err))
	}
	line, err := json.Marshal(struct {
		ID  string `json:"id"`
		URL string `json:"url"`
	}{session.ID, session.URL})
	if err != nil {
		return err
	}
	return program.WriteLine(s.Stdout, line)
}

// hint returns the hint for Octave's own failures.
func hint(err error) string {
	if r, ok := errors.AsType[*proto.RefusedError](err); ok {
		switch r.Status {
		case http.StatusNotFound:
			return "the stream may not exist in this company; STREAM is an id, or a path that begins with a slash"
		case http.StatusForbidden:
			return "the token has no permission to read this stream"
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

// clocked reports whether a message is a heartbeat.
func clocked(message []byte) bool {
	var m wire.Request
	return json.Unmarshal(message, &m) == nil && m.Type == wire.TypeHeartbeat
}

// answer answers a request for a session like Octave: recordings contain no sessions,
// which are credentials.
func answer(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, wire.SessionPath) {
		return false
	}
	body, err := json.Marshal(wire.Session{ID: "replay"})
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	// An error means that the client is gone: there is no one to report it to.
	_ = json.NewEncoder(w).Encode(wire.Answer{
		Head: &wire.Head{OK: true, Status: http.StatusCreated, Messages: []string{wire.Created}}, Body: body,
	})
	return true
}

// streamNames completes the path of a stream of Octave.
func streamNames(p *program.Program) cmdline.Completion {
	return func(ctx context.Context, line *cmdline.Line) []cmdline.Candidate {
		return program.PlainNames(complete.Asked(ctx, p, line, "octave", "streams", "--raw-output", "--jq", ".path"))
	}
}
