package commands

import (
	"errors"
	"net/http"
	"strings"

	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/wire"
	"github.com/urfave/cli/v2"
)

// drogueOptions are what the flags of the Drogue Cloud commands say.
type drogueOptions struct {
	endpoint    string
	token       string
	user        string
	accessToken string
	inQuery     bool
	group       string
	emulator    bool
	application string
	channel     string
	typed       func(flag string) bool
}

func (p *program) drogueCommand() *cli.Command {
	return &cli.Command{
		Name:        "drogue",
		Usage:       "events of Drogue Cloud",
		UsageText:   `hark drogue tail --emulator demo-app -n 5`,
		Subcommands: []*cli.Command{p.drogueTail()},
	}
}

func (p *program) drogueTail() *cli.Command {
	o, f := &drogueOptions{}, newStreamFlags()
	// The server hears only pings and pongs and hangs up after 10 s without any.
	// While the buffer is full our pings are all that it hears.
	f.pingInterval, f.pingTimeout = wire.DroguePing-wire.DroguePing/5, wire.DroguePing+wire.DrogueTimeout
	return &cli.Command{
		Name:  "tail",
		Usage: "stream the events of an application, or of one of its channels",
		UsageText: `hark drogue tail --emulator demo-app -n 5
hark drogue tail --emulator demo-app/temperature --jq .data
hark drogue tail example-app --token 'cmd:drg whoami -t' --group ci
hark drogue tail example-app --user alice --access-token env:DROGUE_ACCESS_TOKEN`,
		ArgsUsage: "APP[/CHANNEL]\nAPP\tthe name of the application\nCHANNEL\tonly events with this subject",
		Description: "Without credentials only applications that are open to everybody can be read. A token " +
			"that comes from a command or a file is renewed on the open connection before it expires.",
		Flags: append(ownFlags("drogue",
			&cli.StringFlag{Name: "endpoint", Category: catService, Destination: &o.endpoint, DefaultText: wire.DrogueEndpoint,
				Usage: "reach the WebSocket integration at `URL`"},
			secretFlag(&cli.StringFlag{Name: "token", Category: catService, Destination: &o.token,
				Usage: "OpenID Connect access token, `SECRET`: " + secretForms}),
			&cli.StringFlag{Name: "user", Category: catService, Destination: &o.user,
				Usage: "the user `NAME` of --access-token"},
			secretFlag(&cli.StringFlag{Name: "access-token", Category: catService, Destination: &o.accessToken,
				Usage: "personal access token, `SECRET`: " + secretForms}),
			&cli.BoolFlag{Name: "auth-in-query", Category: catService, Destination: &o.inQuery,
				Usage: "send the credentials in the address instead of a header"},
			&cli.StringFlag{Name: "group", Category: catService, Destination: &o.group,
				Usage: "read as a member of consumer group `ID`: members share the events, and a member that comes back goes on where it was"},
			&cli.BoolFlag{Name: "emulator", Category: catService, Destination: &o.emulator,
				Usage: "use the built-in stand-in instead of the service"},
		), f.flags()...),
		Action: func(c *cli.Context) error {
			if err := f.check(c); err != nil {
				return err
			}
			if err := o.address(c.Args().First()); err != nil {
				return err
			}
			o.typed = typedFlags(c)
			s := p.newStream(f)
			defer s.close()
			svc, err := s.drogue(o)
			if err != nil {
				return err
			}
			err = s.run(c.Context, svc, nil)
			return withHint(err, drogueHint(err))
		},
	}
}

// address takes APP[/CHANNEL] apart. A channel may itself have slashes.
func (o *drogueOptions) address(arg string) error {
	app, channel, slash := strings.Cut(arg, "/")
	if app == "" || slash && channel == "" {
		return usagef("%q: expected APP or APP/CHANNEL", arg)
	}
	o.application, o.channel = app, channel
	return nil
}

// check finds credentials that exclude each other: the server refuses two forms
// at once.
func (o *drogueOptions) check() error {
	switch {
	case o.token != "" && o.accessToken != "":
		return usagef("--token and --access-token exclude each other")
	case o.token != "" && o.user != "":
		return usagef("--user goes with --access-token, not with --token")
	case o.accessToken != "" && o.user == "":
		return usagef("--access-token needs --user")
	case o.user != "" && o.accessToken == "":
		return usagef("--user needs --access-token")
	case o.inQuery && o.token == "" && o.accessToken == "":
		return usagef("--auth-in-query needs --token or --access-token")
	case strings.Contains(o.user, ":"):
		return usagef("--user must not contain a colon")
	}
	return nil
}

// drogue makes the service of the options.
func (s *stream) drogue(o *drogueOptions) (*proto.Drogue, error) {
	if o.emulator {
		err := s.emulate("drogue", o.typed, &o.endpoint,
			demo{"token", "HARK_DROGUE_TOKEN", &o.token},
			demo{"user", "", &o.user}, demo{"access-token", "", &o.accessToken})
		if err != nil {
			return nil, err
		}
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.endpoint == "" {
		o.endpoint = wire.DrogueEndpoint
	}
	endpoint, err := serviceEndpoint(o.endpoint)
	if err != nil {
		return nil, err
	}
	svc := &proto.Drogue{
		Endpoint: endpoint, Application: o.application, Channel: o.channel, Group: o.group,
		User: o.user, AuthInQuery: o.inQuery,
	}
	if svc.Token, svc.Renewable, err = s.source("--token", secretRef(o.token)); err != nil {
		return nil, err
	}
	svc.AccessToken, _, err = s.source("--access-token", secretRef(o.accessToken))
	return svc, err
}

// drogueHint is the advice for Drogue Cloud's own failures.
func drogueHint(err error) string {
	if h, ok := errors.AsType[*proto.HandshakeError](err); ok && h.Stage == proto.StageUpgrade {
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
		return "let hark renew the token: --token 'cmd:COMMAND' or --token file:PATH, or use a personal access token"
	case c.Code == wire.StatusPolicy:
		return "the user of the new token has no right to the application"
	case strings.HasPrefix(c.Reason, wire.DrogueRefreshFailed):
		return "the server did not take the new token; see what --token gives"
	case c.Reason == wire.DrogueStreamError:
		return "the application may have been deleted, or the message broker of the server is in trouble"
	}
	return ""
}
