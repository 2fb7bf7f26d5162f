// Package doshii has the commands of Doshii, and its entry in the list of services.
package doshii

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/network"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/emulator"
	doshiiemu "github.com/hark-cli/hark/internal/emulator/doshii"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/doshii"
	"github.com/hark-cli/hark/proto/doshii/wire"
)

// account has the flags for the environment and the credentials.
type account struct {
	endpoint     string
	api          string
	env          string
	clientID     string
	clientSecret string
	emulator     bool
	typed        func(flag string) bool
	rivals       func(one, other string, drop func(name string)) error
}

// readFrom records where the flags were set.
func (o *account) readFrom(line *cmdline.Line) { o.typed, o.rivals = line.Typed, line.Rivals }

// options are the flags of "doshii listen".
type options struct {
	account
	path          string
	hostStyle     string
	authToken     string
	locationToken string
	vendor        string
	deviceID      string
	appVersion    string
	heartbeat     time.Duration
	eventNames    string
	events        []string
}

// Service returns the entry of Doshii in the list of services.
func Service() stream.Service {
	return stream.Service{
		Name: "doshii", Title: "Doshii",
		Command: newCommand, Stream: listen,
		Player:   &doshii.Service{},
		Emulator: emulated,
		Settings: []stream.Question{
			{Name: "env", Ask: "environment: sandbox or live", Default: "sandbox"},
			{Name: "client-id", Ask: "client id" + stream.OrBetter, Default: "env:DOSHII_CLIENT_ID", Needed: true},
		},
		Attributes: &stream.Attributes{
			ID: "run-number", Source: "the socket's\naddress", Kind: "co.doshii.NAME",
			Subject: "id of the payload", Time: "of receipt", Data: "the payload",
		},
		Ready:   "after the first pong of Doshii",
		Clocked: clocked,
	}
}

func emulated() emulator.Service { return doshiiemu.Service(doshiiemu.DefaultOptions()) }

func newCommand(p *program.Program) *cmdline.Command {
	return &cmdline.Command{
		Name:  "doshii",
		Usage: "events of Doshii",
		Examples: `hark doshii listen --emulator -n 5
hark doshii subscribe-location LOCATION --client-id env:DOSHII_CLIENT_ID --client-secret env:DOSHII_CLIENT_SECRET
hark doshii listen --client-id env:DOSHII_CLIENT_ID`,
		Commands: func() []*cmdline.Command {
			return []*cmdline.Command{
				listen(p).Run(p), subscribeCommand(p),
				unsubscribeCommand(p), devicesCommand(p),
			}
		},
	}
}

// presets are the paths of sockets by the names for --path.
var presets = map[string]string{
	"app-v3": wire.PathAppV3,
	"app":    wire.PathApp,
	"pos":    wire.PathPOS,
	"vendor": wire.PathVendor,
}

// hostStyles are the generations of host names by the names for --host-style.
var hostStyles = map[string]string{
	"current": wire.HostCurrent, "middle": wire.HostMiddle, "oldest": wire.HostOldest,
}

func (o *account) envFlag() *cmdline.Flag {
	return &cmdline.Flag{Name: "env", Group: program.CatService, Value: cmdline.String(&o.env),
		Usage: "the environment: `sandbox|live`"}
}

func (o *account) clientFlags(secretUse string) []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "client-id", Secret: true, Group: program.CatService, Value: cmdline.String(&o.clientID),
			Usage: "client id of the app, `SECRET`", Detail: credential.Forms},
		{Name: "client-secret", Secret: true, Group: program.CatService, Value: cmdline.String(&o.clientSecret), Usage: secretUse},
	}
}

func (o *account) emulatorFlag() *cmdline.Flag {
	return &cmdline.Flag{Name: "emulator", Group: program.CatService, Value: cmdline.Bool(&o.emulator),
		Usage: "use the built-in emulator instead of the service"}
}

func listen(p *program.Program) *stream.Streaming {
	o, f := &options{
		account: account{env: wire.Sandbox}, hostStyle: "current", appVersion: "1.0.0", heartbeat: wire.HeartbeatPeriod,
	}, stream.NewFlags()
	return &stream.Streaming{Flags: f, NoCursor: "Doshii keeps no events, and has no positions", Command: &cmdline.Command{
		Name:  "listen",
		Usage: "stream the events of an app, a point of sale, or a vendor of them",
		Examples: `hark doshii listen --emulator -n 5
hark doshii listen --emulator --until '.emit[0] == "order_created"' -m 30s
hark doshii listen --client-id env:DOSHII_CLIENT_ID --env sandbox --jq '.emit[1]'
hark doshii listen --client-id env:DOSHII_CLIENT_ID --events order_created,order_updated
hark doshii listen --location-token env:DOSHII_LOCATION_TOKEN --env live
hark doshii listen --vendor myposco --client-secret env:DOSHII_VENDOR_KEY`,
		Description: `An app gets events only for locations that it is subscribed to: see 'hark doshii subscribe-location'. Until an event arrives, heartbeats and their replies are the only traffic; -v shows them.

With --location-token, or --path pos, it listens as the point of sale of one location, and with --vendor as a vendor of cloud points of sale; a vendor's token is signed anew for each connection. Health checks of the service are answered and not printed, unless --events contains health_check.`,
		Flags: append(cmdline.Own("doshii", slices.Concat([]*cmdline.Flag{
			{Name: "endpoint", Rare: true, Group: program.CatService, Value: cmdline.String(&o.endpoint),
				Usage: "connect to the socket at `URL`", Detail: " instead of that of --env"},
			o.envFlag(),
			{Name: "host-style", Rare: true, Group: program.CatService, Value: cmdline.String(&o.hostStyle),
				Usage: "generation of host names: `current|middle|oldest`", Detail: ", socket.ENV, ENV-socket or ENV.doshii.co"},
			{Name: "path", Rare: true, Group: program.CatService, Value: cmdline.String(&o.path), Default: "app-v3",
				Usage: "socket: `app-v3|app|pos|vendor`, or its /PATH"},
		}, o.clientFlags("vendor key, with --vendor, `SECRET`"), []*cmdline.Flag{
			{Name: "auth-token", Rare: true, Secret: true, Group: program.CatService, Value: cmdline.String(&o.authToken),
				Usage: "send this token as is, `SECRET`", Detail: "instead of encoding --client-id"},
			{Name: "location-token", Secret: true, Group: program.CatService, Value: cmdline.String(&o.locationToken),
				Usage: "listen as the point of sale of a location, `SECRET`", Detail: "the token of the location"},
			{Name: "vendor", Group: program.CatService, Value: cmdline.String(&o.vendor),
				Usage: "listen as the vendor `NAME`", Detail: ", its API name"},
			{Name: "device-id", Rare: true, Group: program.CatService, Value: cmdline.String(&o.deviceID),
				Usage: "only events for the registered device `ID`"},
			{Name: "events", Group: program.CatService, Value: cmdline.String(&o.eventNames),
				Usage: "only events of these names: `NAME,…`"},
			{Name: "app-version", Rare: true, Group: program.CatService, Value: cmdline.String(&o.appVersion),
				Usage: "`VERSION` of the app in heartbeats"},
			{Name: "heartbeat", Rare: true, Group: program.CatService, Value: cmdline.Duration(&o.heartbeat),
				Usage: "send a heartbeat every `D`"},
			o.emulatorFlag(),
		})...), f.Flags()...),
	},
		Check: func(ctx context.Context, line *cmdline.Line) error {
			if err := f.Check(ctx, line); err != nil {
				return err
			}
			o.readFrom(line)
			return o.check()
		},
		Open: func(_ context.Context, _ *cmdline.Line, s *stream.Stream) (*stream.Opened, error) {
			svc, err := open(s, o)
			if err != nil {
				return nil, err
			}
			if !f.Quiet {
				svc.Quiet = quietHint(s, o)
			}
			return &stream.Opened{Service: svc, Place: svc.Endpoint}, nil
		},
		Hint: func(_ *cmdline.Line, err error) string { return o.hint(err) },
	}
}

func (o *account) check() error {
	switch {
	case o.env != wire.Sandbox && o.env != wire.Live:
		return cmdline.ValueErrorf("--env", o.env, "expected sandbox or live")
	case o.typed("env") && o.emulator:
		return cmdline.FlagErrorf("--env", " cannot be used with --emulator: it chooses the vendor's address")
	}
	return nil
}

func (o *options) check() error {
	if err := o.account.check(); err != nil {
		return err
	}
	if err := o.choosePath(); err != nil {
		return err
	}
	if o.clientID != "" && o.authToken != "" && !o.emulator {
		err := o.rivals("client-id", "auth-token", func(flag string) {
			if flag == "client-id" {
				o.clientID, o.clientSecret = "", ""
			} else {
				o.authToken = ""
			}
		})
		if err != nil {
			return err
		}
	}
	switch {
	case o.typed("env") && o.typed("endpoint"):
		return cmdline.FlagErrorf("--env", " cannot be used with --endpoint: it chooses the vendor's address")
	case hostStyles[o.hostStyle] == "":
		return cmdline.ValueErrorf("--host-style", cmdline.Cut(o.hostStyle, 24), "expected current, middle or oldest")
	case o.typed("host-style") && (o.typed("endpoint") || o.emulator):
		return cmdline.FlagErrorf("--host-style", " cannot be used with --endpoint or --emulator: it chooses the vendor's address")
	case o.locationToken != "" && o.vendor != "" && o.typed("location-token") && o.typed("vendor"):
		return cmdline.FlagErrorf("--location-token", " cannot be used with --vendor")
	case o.deviceID != "" && o.token():
		return cmdline.FlagErrorf("--device-id", " is for apps; a point of sale gets all events of its location")
	case o.heartbeat <= 0:
		return cmdline.ValueErrorf("--heartbeat", o.heartbeat.String(), "must be positive")
	}
	var err error
	o.events, err = stream.NameList("events", o.eventNames)
	return err
}

// choosePath resolves --path. The default depends on the credentials, first those on
// the command line, then those of the environment, which may have several.
func (o *options) choosePath() error {
	switch path := o.path; {
	case strings.HasPrefix(path, "/"):
		return nil
	case path != "":
		preset, ok := presets[path]
		if !ok {
			e := cmdline.ValueErrorf("--path", cmdline.Cut(path, 40), "expected app-v3, app, pos, vendor, or a path that begins with a slash")
			e.Suggestion = cmdline.Nearest(path, slices.Sorted(maps.Keys(presets)))
			return e
		}
		o.path = preset
	case o.typed("vendor"):
		o.path = wire.PathVendor
	case o.typed("location-token"):
		o.path = wire.PathPOS
	case o.clientID != "" || o.authToken != "" || o.emulator:
		o.path = wire.PathAppV3
	case o.vendor != "":
		o.path = wire.PathVendor
	case o.locationToken != "":
		o.path = wire.PathPOS
	default:
		o.path = wire.PathAppV3
	}
	return nil
}

// token reports whether the socket takes a token rather than a client id.
func (o *options) token() bool {
	switch o.path {
	case wire.PathPOS, wire.PathVendor:
		return true
	case wire.PathAppV3, wire.PathApp:
		return false
	}
	return o.typed("location-token") || o.typed("vendor") // a custom path
}

// asVendor reports whether the token is that of a vendor.
func (o *options) asVendor() bool {
	return o.path == wire.PathVendor || o.path != wire.PathPOS && o.typed("vendor")
}

// open returns the service of the options.
func open(s *stream.Stream, o *options) (*doshii.Service, error) {
	if o.emulator {
		err := s.Emulate(emulated(), o.typed, &o.endpoint,
			stream.Demo{Flag: "client-id", Variable: "HARK_DOSHII_CLIENT_ID", Setting: &o.clientID}, stream.Demo{Flag: "auth-token", Variable: "", Setting: &o.authToken})
		if err != nil {
			return nil, err
		}
		demoCredentials(s, o)
	}
	// Flags on the command line take precedence over an endpoint of the environment.
	if o.endpoint == "" || o.typed("env") || o.typed("host-style") {
		o.endpoint = wire.Endpoint(o.env, hostStyles[o.hostStyle])
	}
	endpoint, err := network.ServiceEndpoint(o.endpoint)
	if err != nil {
		return nil, err
	}
	d := &doshii.Service{
		Endpoint: endpoint, Path: o.path, DeviceID: o.deviceID,
		AppVersion: o.appVersion, Heartbeat: o.heartbeat, Events: o.events,
	}
	switch {
	case o.token() && o.asVendor():
		d.Vendor = o.vendor
		d.Token, err = vendorToken(s, o)
	case o.token():
		d.Token, err = locationToken(s, o)
	default:
		d.Auth, err = auth(s, o)
	}
	return d, err
}

// demoCredentials sets the demo credentials for the sockets of points of sale and
// vendors.
func demoCredentials(s *stream.Stream, o *options) {
	for _, d := range []stream.Demo{
		{Flag: "location-token", Variable: "HARK_DOSHII_LOCATION_TOKEN", Setting: &o.locationToken},
		{Flag: "vendor", Variable: "HARK_DOSHII_VENDOR", Setting: &o.vendor},
		{Flag: "client-secret", Variable: "HARK_DOSHII_CLIENT_SECRET", Setting: &o.clientSecret},
	} {
		if !o.typed(d.Flag) {
			*d.Setting = s.Emulated.Demo[d.Variable]
		}
	}
}

// locationToken returns the source of the token of a point of sale.
func locationToken(s *stream.Stream, o *options) (proto.TokenSource, error) {
	src, _, err := s.Source("--location-token", o.locationToken)
	if err == nil && src == nil {
		e := cmdline.Usagef("required flag not set: --location-token, for a point of sale")
		e.Advice = "set it or " + cmdline.VariableName("doshii", "location-token")
		return nil, e
	}
	return src, err
}

// vendorToken returns the source of a vendor's token, which is signed for each
// connection: it is valid for ten minutes.
func vendorToken(s *stream.Stream, o *options) (proto.TokenSource, error) {
	if o.vendor == "" {
		return nil, cmdline.Usagef("required flag not set: --vendor, for --path vendor")
	}
	key, _, err := s.Source("--client-secret", o.clientSecret)
	if err != nil {
		return nil, err
	}
	if key == nil {
		e := cmdline.Usagef("required flag not set: --client-secret, for --vendor")
		e.Advice = "set it or " + cmdline.VariableName("doshii", "client-secret") + " to the vendor key"
		return nil, e
	}
	return func(ctx context.Context) (secret.Value, error) {
		k, err := key(ctx)
		if err != nil {
			return "", err
		}
		return doshii.VendorJWT(time.Now(), o.vendor, k), nil
	}, nil
}

// quietHint returns a function that prints, once, the requirements for receiving
// events, unless some have been received on an earlier connection.
func quietHint(s *stream.Stream, o *options) func() {
	var events atomic.Bool
	s.Wrap = func(next proto.Sink) proto.Sink { return &eventSeen{next, &events} }
	said := false
	return func() {
		if said || events.Load() {
			return
		}
		said = true
		s.Say.Hint("%s", o.quietText())
	}
}

// eventSeen is a sink that records whether it has received an event.
type eventSeen struct {
	proto.Sink
	seen *atomic.Bool
}

// Event implements proto.Sink.
func (e *eventSeen) Event(ev *proto.Event) error {
	e.seen.Store(true)
	return e.Sink.Event(ev)
}

func (o *options) quietText() string {
	text := "the connection is in order, but no event has come for " + wire.Quiet.String() + "; for events to come, "
	if o.token() {
		return text + "an app must do something at the location, such as placing an order, and the credentials must be those of " + o.env
	}
	text += "the app must be subscribed to a location ('hark doshii subscribe-location ID', or the dashboard) in the same environment, " +
		"and something must happen at its point of sale; events of an order come to apps that created, changed or paid it"
	if o.deviceID != "" {
		text += "; the device of --device-id must be interested in them ('hark doshii devices list')"
	}
	return text
}

// auth returns the source of the auth parameter.
func auth(s *stream.Stream, o *options) (proto.TokenSource, error) {
	if o.authToken != "" {
		src, _, err := s.Source("--auth-token", o.authToken)
		return src, err
	}
	id, err := clientID(s, o.clientID, "--client-id or --auth-token")
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (secret.Value, error) {
		v, err := id(ctx)
		if err != nil {
			return "", err
		}
		return doshii.Auth(v), nil
	}, nil
}

// clientID returns the source of the client id. needed lists the flags that can provide
// it.
func clientID(s *stream.Stream, ref, needed string) (proto.TokenSource, error) {
	id, _, err := s.Source("--client-id", ref)
	if err != nil {
		return nil, err
	}
	if id == nil {
		e := cmdline.Usagef("required flag not set: %s", needed)
		e.Advice = "set it or " + cmdline.VariableName("doshii", "client-id") + ", or try --emulator"
		return nil, e
	}
	checked := func(ctx context.Context) (secret.Value, error) {
		v, err := id(ctx)
		if err == nil && doshii.Encoded(v) {
			e := cmdline.FlagErrorf("--client-id", ": the value is in base64 already")
			e.Advice = "give the client id as the dashboard shows it, or the encoded value with --auth-token"
			return "", e
		}
		return v, err
	}
	// A literal can be checked before connecting.
	if kind, _, _ := strings.Cut(ref, ":"); kind != "cmd" {
		if _, err := checked(context.Background()); ending.Is[*cmdline.UsageError](err) {
			return nil, err
		} else if err != nil {
			return nil, cmdline.Usagef("%v", err)
		}
	}
	return checked, nil
}

// hint returns the hint for Doshii's own failures.
func (o *options) hint(err error) string {
	h, ok := errors.AsType[*proto.HandshakeError](err)
	if !ok || h.Stage != netdial.StageUpgrade {
		return ""
	}
	switch h.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		switch {
		case o.token() && o.asVendor():
			return "check --vendor, --client-secret and --env; the clock of this machine must be right, too"
		case o.token():
			return "check --location-token and --env"
		}
		return "check --client-id and --env: sandbox and live have different client ids"
	case http.StatusBadRequest:
		return "check --device-id"
	case http.StatusNotFound:
		if o.path == wire.PathAppV3 {
			return "the server may know the older path: --path " + wire.PathApp
		}
		return "check --path"
	}
	return ""
}

// clocked reports whether a message is a heartbeat, or the answer to one.
func clocked(message []byte) bool {
	var m wire.Message
	var text string
	return json.Unmarshal(message, &m) == nil && m.Doshii != nil ||
		json.Unmarshal(message, &text) == nil && wire.IsPrimus(text)
}
