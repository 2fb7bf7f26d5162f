// Package drogue has the commands of Drogue Cloud, and its entry in the list of
// services.
package drogue

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/hark-cli/hark/commands/complete"
	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/emulator"
	drogueemu "github.com/hark-cli/hark/internal/emulator/drogue"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/drogue"
	"github.com/hark-cli/hark/proto/drogue/wire"
	"github.com/hark-cli/hark/proto/frame"
)

// options are the flags of "drogue tail".
type options struct {
	account
	inQuery     bool
	group       string
	filter      drogue.Filter
	decode      bool
	application string
	channel     string
}

// Service returns the entry of Drogue Cloud in the list of services.
func Service() stream.Service {
	return stream.Service{
		Name: "drogue", Title: "Drogue Cloud",
		Command: newCommand, Stream: tail, Arguments: []string{"x"},
		Player: &drogue.Service{}, Demo: []string{"demo-app"},
		Emulator: emulated,
		Settings: []stream.Question{
			{Name: "endpoint", Ask: "endpoint: https:// of the API, or wss:// of the socket (empty for " + wire.API + ")"},
			{Name: "user", Ask: "user of an access token (empty if you log in with 'hark drogue login')"},
			{Name: "access-token", Ask: "access token" + stream.OrBetter, Default: "env:DROGUE_ACCESS_TOKEN", Needed: true, With: "user"},
		},
		Ready: "after the first ping or event of Drogue Cloud, whose broker takes some seconds to assign the stream",
		Tried: "application",
		// A client sends only renewed tokens.
		Clocked: func([]byte) bool { return true },
	}
}

func emulated() emulator.Service { return drogueemu.Service(drogueemu.DefaultOptions()) }

func newCommand(p *program.Program) *cmdline.Command {
	return &cmdline.Command{
		Name:  "drogue",
		Usage: "events of Drogue Cloud",
		Examples: `hark drogue tail --emulator demo-app -n 5
hark drogue login --endpoint https://api.example.com
hark drogue tail --endpoint https://api.example.com example-app`,
		Commands: func() []*cmdline.Command {
			return []*cmdline.Command{
				tail(p).Run(p), appsCommand(p), publishCommand(p), loginCommand(p),
				logoutCommand(p), whoamiCommand(p), endpointsCommand(p),
			}
		},
	}
}

func tail(p *program.Program) *stream.Streaming {
	o, f := &options{account: *newAccount()}, stream.NewFlags()
	// The server closes a connection after 10 s without pings and pongs. While the
	// buffer is full hark sends only pings.
	f.PingInterval, f.PingTimeout = wire.Ping-wire.Ping/5, wire.Ping+wire.Timeout
	return &stream.Streaming{Flags: f, NoCursor: "the position is that of the consumer group, which Drogue Cloud keeps: use --group, see docs/drogue.md", Command: &cmdline.Command{
		Name: "tail", Usual: true,
		Usage: "stream the events of an application, or of one of its channels",
		Examples: `hark drogue tail --emulator demo-app -n 5
hark drogue tail --emulator demo-app/temperature --jq .data
hark drogue tail example-app --endpoint https://api.example.com --group ci
hark drogue tail example-app --device sensor-7 --type io.drogue.event.v1
hark drogue tail example-app --token 'cmd:drg whoami -t'
hark drogue tail example-app --user alice --access-token env:DROGUE_ACCESS_TOKEN`,
		Complete: applicationNames(p),
		Args:     "APP[/CHANNEL]\nAPP\tthe name of the application\nCHANNEL\tonly events with this subject",
		Description: `Credentials are those of --token or --access-token, or of the login that 'hark drogue login' has stored for the same address; without any, only public applications can be read. A token of a login, a command or a file is renewed on the open connection before it expires.

Without --group nothing is replayed: events sent while the connection is down are lost. Members of one --group must all read the same channel, with the same filters: the server counts an event as read when it has reached any member, and drops it there if that member has asked for another channel.

--device, --sender and --type compare the CloudEvents attributes of these names. Events that do not match are not counted.`,
		Flags: append(cmdline.Own("drogue", append(o.account.flags("API at `URL`, or the wss:// address of the socket"),
			&cmdline.Flag{Name: "auth-in-query", Rare: true, Group: program.CatService, Value: cmdline.Bool(&o.inQuery),
				Usage: "send the credentials in the address instead of a header"},
			&cmdline.Flag{Name: "group", Group: program.CatService, Value: cmdline.String(&o.group),
				Usage: "read as consumer group `ID`", Detail: ": members share events and resume at the group's offset, per partition, once the group has read from it; all must read the same channel"},
			&cmdline.Flag{Name: "device", Group: program.CatService, Value: cmdline.String(&o.filter.Device),
				Usage: "only events about the device `NAME`"},
			&cmdline.Flag{Name: "sender", Rare: true, Group: program.CatService, Value: cmdline.String(&o.filter.Sender),
				Usage: "only events that the device `NAME` has sent", Detail: ", for itself or as a gateway"},
			&cmdline.Flag{Name: "type", Rare: true, Group: program.CatService, Value: cmdline.String(&o.filter.Type),
				Usage: "only events of `TYPE`", Detail: ", such as " + wire.TypeConnection},
			&cmdline.Flag{Name: "decode", Rare: true, Group: program.CatService, Value: cmdline.Bool(&o.decode),
				Usage: "turn data_base64 of a text content type into data"},
		)...), f.Flags()...),
	},
		Check: func(ctx context.Context, line *cmdline.Line) error {
			if err := f.Check(ctx, line); err != nil {
				return err
			}
			o.readFrom(line)
			return o.address(line.Arg(0))
		},
		Open: func(ctx context.Context, _ *cmdline.Line, s *stream.Stream) (*stream.Opened, error) {
			svc, err := open(ctx, s, o)
			if err != nil {
				return nil, err
			}
			if o.decode {
				s.Wrap = func(next proto.Sink) proto.Sink { return decoder{next} }
			}
			return &stream.Opened{Service: adviseOnGroups(s, svc, o), Place: svc.Endpoint + " " + svc.Application}, nil
		},
		Hint: func(_ *cmdline.Line, err error) string { return hint(err) },
	}
}

// address splits APP[/CHANNEL]. A channel may contain slashes.
func (o *options) address(arg string) error {
	app, channel, slash := strings.Cut(arg, "/")
	if app == "" || slash && channel == "" {
		return cmdline.Usagef("%q: expected APP or APP/CHANNEL", arg)
	}
	o.application, o.channel = app, channel
	return nil
}

// open returns the service of the options.
func open(ctx context.Context, s *stream.Stream, o *options) (*drogue.Service, error) {
	if err := emulate(s, &o.account); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	api, socket, err := o.addresses()
	if err != nil {
		return nil, err
	}
	c, err := lookUp(ctx, s, &o.account, api)
	if err != nil {
		return nil, err
	}
	if o.inQuery && c.token == nil && c.accessToken == nil {
		return nil, cmdline.Usagef("--auth-in-query requires --token, --access-token or a stored login")
	}
	if socket != "" {
		api = ""
	}
	return &drogue.Service{
		API: api, Client: s.Client(), Endpoint: socket,
		Application: o.application, Channel: o.channel, Group: o.group,
		Token: c.token, Renewable: c.renewable, AccessToken: c.accessToken, User: c.user,
		AuthInQuery: o.inQuery, Filter: o.filter,
	}, nil
}

// A decoder is a sink that decodes text for the next one.
type decoder struct{ proto.Sink }

// Event implements proto.Sink.
func (d decoder) Event(ev *proto.Event) error {
	giant := len(ev.Data) >= stream.Worthwhile
	ev.Data = drogue.Decode(ev.Data)
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
	adviceGroup = "without --group nothing is replayed: events sent while the connection is down are lost; " +
		"with --group ID it resumes at the group's offset, in each partition from which the group has read"
	adviceSameGroup = "every member of a group must read the same channel with the same filters: an event that reaches " +
		"a member that filters it out is lost to the others"
)

// adviseOnGroups warns about events that can be lost. That nothing is replayed is
// reported at once on a terminal, otherwise when the stream has been interrupted.
func adviseOnGroups(s *stream.Stream, svc *drogue.Service, o *options) proto.Service {
	switch {
	case o.group != "" && s.Watched && (o.channel != "" || o.filter != (drogue.Filter{})):
		s.Warn("%s", adviceSameGroup)
	case o.group == "" && s.Flags.Retries > 0 && s.Emulated == nil:
		if !s.Watched {
			return &interrupted{Service: svc, again: func() { s.Warn("%s", adviceGroup) }}
		}
		s.Warn("%s", adviceGroup)
	}
	return svc
}

// interrupted is a service that reports when a connection follows another one.
type interrupted struct {
	*drogue.Service
	again func()
}

// Start implements proto.Service.
func (i *interrupted) Start() proto.Source {
	source, attempts := i.Service.Start(), 0
	return proto.SourceFunc(func(ctx context.Context) (*proto.Handshake, error) {
		if attempts++; attempts == 2 {
			i.again()
		}
		return source.Handshake(ctx)
	})
}

// hint returns the hint for Drogue Cloud's own failures.
func hint(err error) string {
	if ending.Is[*proto.CredentialError](err) {
		return "log in with 'hark drogue login', or give --token or --access-token"
	}
	if h, ok := errors.AsType[*proto.HandshakeError](err); ok && h.Status == 0 && strings.HasPrefix(h.Address, wire.API) {
		return "that is the public sandbox, the default: --endpoint, or HARK_DROGUE_ENDPOINT, names the installation that you use"
	}
	if h, ok := errors.AsType[*proto.HandshakeError](err); ok && h.Stage == proto.StageDiscovery {
		return discoveryHint(h)
	}
	if h, ok := errors.AsType[*proto.HandshakeError](err); ok && h.Stage == netdial.StageUpgrade {
		switch h.Status {
		case http.StatusNotFound:
			return "the application does not exist, or the credentials have no access to it, or none were sent; the server does not say which"
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
	case c.Reason == wire.TokenExpired:
		return "let hark renew the token: 'hark drogue login', --token 'cmd:COMMAND' or --token file:PATH; or use a personal access token"
	case c.Code == frame.StatusPolicy:
		return "the user of the new token has no access to the application"
	case strings.HasPrefix(c.Reason, wire.RefreshFailed):
		return "the server did not accept the new token: check what --token returns"
	case c.Code == frame.StatusProtocol:
		return "the server accepts only new tokens from a client: do not send anything else"
	case c.Reason == wire.StreamError:
		return "the application may have been deleted, or the message broker of the server has failed"
	}
	return ""
}

// discoveryHint returns the hint for a failed discovery.
func discoveryHint(h *proto.HandshakeError) string {
	switch {
	case h.Status == http.StatusUnauthorized || h.Status == http.StatusForbidden:
		return "the credentials were rejected"
	case h.Status != 0 && h.Status < 500:
		return "is this the address of the API? --endpoint wss://… names the socket directly"
	case ending.Is[*proto.ProtocolError](h):
		return "set the address of the socket with --endpoint wss://…, or ws:// if it has no TLS"
	}
	return ""
}

// applicationNames completes the name of an application of Drogue Cloud.
func applicationNames(p *program.Program) cmdline.Completion {
	return func(ctx context.Context, line *cmdline.Line) []cmdline.Candidate {
		return program.PlainNames(complete.Asked(ctx, p, line, "drogue", "apps", "--raw-output", "--jq", ".metadata.name", "--token-store", "file"))
	}
}
