package commands

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/drogue"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/wire"
)

// drogueOptions are what the flags of "drogue tail" say.
type drogueOptions struct {
	drogueAccount
	inQuery     bool
	group       string
	filter      proto.DrogueFilter
	decode      bool
	application string
	channel     string
}

func drogueService() service {
	return service{
		name: "drogue", title: "Drogue Cloud",
		command: (*program).drogueCommand, stream: (*program).drogueTail, arguments: []string{"x"},
		player: &proto.Drogue{}, demo: []string{"demo-app"},
		emulator: drogueEmulator,
		settings: []question{
			{name: "endpoint", ask: "endpoint: https:// of the API, or wss:// of the socket (empty for " + wire.DrogueAPI + ")"},
			{name: "user", ask: "user of an access token (empty if you log in with 'hark drogue login')"},
			{name: "access-token", ask: "access token" + orBetter, deflt: "env:DROGUE_ACCESS_TOKEN", needed: true, with: "user"},
		},
		ready: "with the first ping or event of Drogue Cloud, whose broker takes some seconds to assign the stream",
		tried: "application",
		// Renewed tokens are all that a client has to say.
		clocked: func([]byte) bool { return true },
	}
}

func drogueEmulator() emulator.Service { return drogue.Service(drogue.DefaultOptions()) }

func (p *program) drogueCommand() *cmdline.Command {
	return &cmdline.Command{
		Name:  "drogue",
		Usage: "events of Drogue Cloud",
		Examples: `hark drogue tail --emulator demo-app -n 5
hark drogue login --endpoint https://api.example.com
hark drogue tail --endpoint https://api.example.com example-app`,
		Commands: func() []*cmdline.Command {
			return []*cmdline.Command{
				p.drogueTail().run(p), p.drogueApps(), p.droguePublish(), p.drogueLogin(),
				p.drogueLogout(), p.drogueWhoami(), p.drogueEndpoints(),
			}
		},
	}
}

func (p *program) drogueTail() *streaming {
	o, f := &drogueOptions{drogueAccount: *newDrogueAccount()}, newStreamFlags()
	// The server hears only pings and pongs and hangs up after 10 s without any.
	// While the buffer is full our pings are all that it hears.
	f.pingInterval, f.pingTimeout = wire.DroguePing-wire.DroguePing/5, wire.DroguePing+wire.DrogueTimeout
	return &streaming{flags: f, command: &cmdline.Command{
		Name: "tail", Usual: true,
		Usage: "stream the events of an application, or of one of its channels",
		Examples: `hark drogue tail --emulator demo-app -n 5
hark drogue tail --emulator demo-app/temperature --jq .data
hark drogue tail example-app --endpoint https://api.example.com --group ci
hark drogue tail example-app --device sensor-7 --type io.drogue.event.v1
hark drogue tail example-app --token 'cmd:drg whoami -t'
hark drogue tail example-app --user alice --access-token env:DROGUE_ACCESS_TOKEN`,
		Complete: p.applicationNames,
		Args:     "APP[/CHANNEL]\nAPP\tthe name of the application\nCHANNEL\tonly events with this subject",
		Description: `Credentials are those of --token or --access-token, or of the login that 'hark drogue login' has stored for the same address; without any, only applications that are open to everybody can be read. A token of a login, a command or a file is renewed on the open connection before it expires.

Without --group nothing is replayed: events that are sent while the connection is down are missed. Members of one --group must all read the same channel, with the same filters: the server counts an event as read when it has reached any member, and drops it there if that member has asked for another channel.

--device, --sender and --type compare the CloudEvents attributes of these names. What does not match is not counted.`,
		Flags: append(cmdline.Own("drogue", append(o.drogueAccount.flags("the API is at `URL` and is asked where the socket is; with wss:// or ws://, the socket itself"),
			&cmdline.Flag{Name: "auth-in-query", Rare: true, Group: catService, Value: cmdline.Bool(&o.inQuery),
				Usage: "send the credentials in the address instead of a header"},
			&cmdline.Flag{Name: "group", Group: catService, Value: cmdline.String(&o.group),
				Usage: "read as consumer group `ID`: members share events and resume at the group's offset, per partition, once the group has read from it; all must read the same channel"},
			&cmdline.Flag{Name: "device", Group: catService, Value: cmdline.String(&o.filter.Device),
				Usage: "only events about the device `NAME`"},
			&cmdline.Flag{Name: "sender", Group: catService, Value: cmdline.String(&o.filter.Sender),
				Usage: "only events that the device `NAME` has sent, for itself or as a gateway"},
			&cmdline.Flag{Name: "type", Group: catService, Value: cmdline.String(&o.filter.Type),
				Usage: "only events of `TYPE`, such as " + wire.DrogueTypeConnection},
			&cmdline.Flag{Name: "decode", Group: catService, Value: cmdline.Bool(&o.decode),
				Usage: "turn data_base64 of a text content type into data"},
		)...), f.flags()...),
	},
		check: func(ctx context.Context, line *cmdline.Line) error {
			if err := f.check(ctx, line); err != nil {
				return err
			}
			o.typed = line.Typed
			return o.address(line.Arg(0))
		},
		open: func(ctx context.Context, _ *cmdline.Line, s *stream) (*opened, error) {
			svc, err := s.drogue(ctx, o)
			if err != nil {
				return nil, err
			}
			if o.decode {
				s.wrap = func(next proto.Sink) proto.Sink { return drogueDecoder{next} }
			}
			return &opened{Service: s.adviseOnGroups(svc, o), place: svc.Endpoint + " " + svc.Application}, nil
		},
		hint: func(_ *cmdline.Line, err error) string { return drogueHint(err) },
	}
}

// address takes APP[/CHANNEL] apart. A channel may itself have slashes.
func (o *drogueOptions) address(arg string) error {
	app, channel, slash := strings.Cut(arg, "/")
	if app == "" || slash && channel == "" {
		return cmdline.Usagef("%q: expected APP or APP/CHANNEL", arg)
	}
	o.application, o.channel = app, channel
	return nil
}

// drogue makes the service of the options.
func (s *stream) drogue(ctx context.Context, o *drogueOptions) (*proto.Drogue, error) {
	if err := s.emulateDrogue(&o.drogueAccount); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	api, socket, err := o.addresses()
	if err != nil {
		return nil, err
	}
	c, err := s.credentials(ctx, &o.drogueAccount, api)
	if err != nil {
		return nil, err
	}
	if o.inQuery && c.token == nil && c.accessToken == nil {
		return nil, cmdline.Usagef("--auth-in-query needs --token or --access-token, or a stored login")
	}
	if socket != "" {
		api = ""
	}
	return &proto.Drogue{
		API: api, Client: s.client(), Endpoint: socket,
		Application: o.application, Channel: o.channel, Group: o.group,
		Token: c.token, Renewable: c.renewable, AccessToken: c.accessToken, User: c.user,
		AuthInQuery: o.inQuery, Filter: o.filter,
	}, nil
}

// A drogueDecoder is a sink that decodes text on its way to the next one.
type drogueDecoder struct{ proto.Sink }

func (d drogueDecoder) Event(ev *proto.Event) error {
	giant := len(ev.Data) >= worthwhile
	ev.Data = proto.DrogueDecode(ev.Data)
	if giant { // what it was decoded in
		debug.FreeOSMemory()
	}
	err := d.Sink.Event(ev)
	if ev.Data = nil; giant {
		debug.FreeOSMemory()
	}
	return err
}

const (
	adviceGroup = "without --group nothing is replayed: events that are sent while the connection is down are missed; " +
		"with --group ID it resumes at the group's offset, in each partition from which the group has read"
	adviceSameGroup = "every member of a group must read the same channel with the same filters: an event that reaches " +
		"a member which does not want it is lost to the others"
)

// adviseOnGroups says what can be lost. That nothing is replayed is said at once to
// those who watch, and otherwise when the stream has been interrupted.
func (s *stream) adviseOnGroups(svc *proto.Drogue, o *drogueOptions) proto.Service {
	switch {
	case o.group != "" && s.watched && (o.channel != "" || o.filter != (proto.DrogueFilter{})):
		s.warn("%s", adviceSameGroup)
	case o.group == "" && s.flags.retries > 0 && s.standIn == nil:
		if !s.watched {
			return &interrupted{Drogue: svc, again: func() { s.warn("%s", adviceGroup) }}
		}
		s.warn("%s", adviceGroup)
	}
	return svc
}

// interrupted is a service that tells when a connection follows another one.
type interrupted struct {
	*proto.Drogue
	again func()
}

// Start implements proto.Service.
func (i *interrupted) Start() proto.Source {
	source, attempts := i.Drogue.Start(), 0
	return proto.SourceFunc(func(ctx context.Context) (*proto.Handshake, error) {
		if attempts++; attempts == 2 {
			i.again()
		}
		return source.Handshake(ctx)
	})
}

// drogueHint is the advice for Drogue Cloud's own failures.
func drogueHint(err error) string {
	if is[*proto.CredentialError](err) {
		return "log in with 'hark drogue login', or give --token or --access-token"
	}
	if h, ok := errors.AsType[*proto.HandshakeError](err); ok && h.Status == 0 && strings.HasPrefix(h.Address, wire.DrogueAPI) {
		return "that is the public sandbox, the default: --endpoint, or HARK_DROGUE_ENDPOINT, names the installation that you use"
	}
	if h, ok := errors.AsType[*proto.HandshakeError](err); ok && h.Stage == proto.StageDiscovery {
		return drogueDiscoveryHint(h)
	}
	if h, ok := errors.AsType[*proto.HandshakeError](err); ok && h.Stage == netdial.StageUpgrade {
		switch h.Status {
		case http.StatusNotFound:
			return "the application does not exist, or these credentials have no right to it, or none were sent; the server does not say which"
		case http.StatusForbidden:
			return "the credentials were rejected: --token takes an OpenID Connect access token, " +
				"--user and --access-token a user name and a personal access token"
		}
	}
	c, ok := errors.AsType[*proto.CloseError](err)
	if !ok {
		return ""
	}
	switch {
	case c.Reason == wire.DrogueTokenExpired:
		return "let hark renew the token: 'hark drogue login', --token 'cmd:COMMAND' or --token file:PATH; or use a personal access token"
	case c.Code == frame.StatusPolicy:
		return "the user of the new token has no right to the application"
	case strings.HasPrefix(c.Reason, wire.DrogueRefreshFailed):
		return "the server did not take the new token; see what --token gives"
	case c.Code == frame.StatusProtocol:
		return "the server takes nothing but new tokens from a client: leave out what was sent"
	case c.Reason == wire.DrogueStreamError:
		return "the application may have been deleted, or the message broker of the server is in trouble"
	}
	return ""
}

// drogueDiscoveryHint is the advice when the API does not say where things are.
func drogueDiscoveryHint(h *proto.HandshakeError) string {
	switch {
	case h.Status == http.StatusUnauthorized || h.Status == http.StatusForbidden:
		return "the credentials were rejected"
	case h.Status != 0 && h.Status < 500:
		return "is this the address of the API? --endpoint wss://… names the socket directly"
	case is[*proto.ProtocolError](h):
		return "name the socket directly with --endpoint wss://…, or with ws:// if it is meant to be without TLS"
	}
	return ""
}
