package commands

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/jsontext"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/wire"
	"github.com/urfave/cli/v2"
)

// doshiiREST are the flags of the commands that set things up through REST.
type doshiiREST struct {
	doshiiAccount
	stream *streamFlags
}

func newDoshiiREST() *doshiiREST { return &doshiiREST{stream: newStreamFlags()} }

func (o *doshiiREST) flags(more ...cli.Flag) []cli.Flag {
	return append(ownFlags("doshii", slices.Concat([]cli.Flag{
		&cli.StringFlag{Name: "api", Category: catService, Destination: &o.api,
			Usage: "the REST interface is at `URL` instead of the address that --env gives"},
		o.envFlag(),
	}, o.clientFlags("the app's client secret, `SECRET`; it signs a token for each request"),
		[]cli.Flag{o.emulatorFlag()}, more)...), requestFlags(o.stream)...)
}

// doshiiCall is the Action of a command that makes one request and prints lines.
func (p *program) doshiiCall(o *doshiiREST, call func(context.Context, *cli.Context, *proto.DoshiiAPI) ([][]byte, error)) cli.ActionFunc {
	return func(c *cli.Context) error {
		o.typed = typedFlags(c)
		if err := o.stream.networkFlags.check(c); err != nil {
			return err
		}
		s := p.newStream(o.stream)
		defer s.close()
		api, err := s.doshiiAPI(o)
		if err != nil {
			return err
		}
		lines, err := within(c.Context, s, func(ctx context.Context) ([][]byte, error) { return call(ctx, c, api) })
		if err != nil {
			return withHint(err, doshiiRESTHint(err))
		}
		for _, l := range lines {
			line, ok := jsontext.AppendLine(nil, l)
			if !ok {
				line = jsontext.AppendString(nil, l) // every line is one JSON value
			}
			if err := writeLine(s.Stdout, line); err != nil {
				return err
			}
		}
		return nil
	}
}

// doshiiAPI is the REST interface of the options.
func (s *stream) doshiiAPI(o *doshiiREST) (*proto.DoshiiAPI, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.typed("env") && o.typed("api") {
		return nil, usagef("--env chooses the vendor's address; it excludes --api")
	}
	if o.emulator {
		if o.typed("api") {
			return nil, usagef("--api and --emulator exclude each other")
		}
		err := s.emulate("doshii", o.typed, &o.endpoint,
			demo{"client-id", "HARK_DOSHII_CLIENT_ID", &o.clientID}, demo{"client-secret", "HARK_DOSHII_CLIENT_SECRET", &o.clientSecret})
		if err != nil {
			return nil, err
		}
		o.api = s.standIn.demo[variableName("doshii", "api")]
	}
	if o.api == "" || o.typed("env") {
		o.api = wire.DoshiiREST(o.env)
	}
	base, err := serviceEndpoint(o.api)
	if err != nil {
		return nil, err
	}
	if !isHTTP(base) {
		return nil, usagef("--api takes an address that begins with https:// or http://")
	}
	id, err := s.doshiiClientID(o.clientID, "--client-id")
	if err != nil {
		return nil, err
	}
	key, _, err := s.source("--client-secret", secretRef(o.clientSecret))
	if err != nil {
		return nil, err
	}
	if key == nil {
		e := usagef("the REST interface of doshii needs --client-secret")
		e.Advice = "set it or " + variableName("doshii", "client-secret") + ", or try --emulator"
		return nil, e
	}
	return &proto.DoshiiAPI{
		Base: base, ClientID: id, ClientSecret: key, Client: s.client(),
		Secret: func(v string) { s.say.Add(v) },
	}, nil
}

// doshiiRESTHint is the advice for a request that failed.
func doshiiRESTHint(err error) string {
	h, ok := errors.AsType[*proto.HandshakeError](err)
	if !ok {
		return ""
	}
	switch h.Status {
	case http.StatusUnauthorized:
		return "check --client-id, --client-secret and --env; the clock of this machine must be right to ten minutes, too"
	case http.StatusForbidden:
		return "the app has no right to this; was the id made in the same environment (--env)?"
	case http.StatusNotFound:
		return "check the id; ids are the hashed ones that the dashboard and the REST interface show"
	}
	return ""
}

func (p *program) doshiiSubscribe() *cli.Command {
	o := newDoshiiREST()
	var sub proto.DoshiiSubscription
	return &cli.Command{
		Name:  "subscribe-location",
		Usage: "subscribe the app to a location, so that its events come",
		UsageText: `hark doshii subscribe-location --emulator dEm0Loc2
hark doshii subscribe-location Abc123 --client-id env:DOSHII_CLIENT_ID --client-secret env:DOSHII_CLIENT_SECRET`,
		ArgsUsage:   "ID\nID\tthe hashed id of the location",
		Description: "Without a subscription 'hark doshii listen' gets no event of the location. Prints the answer of the service as one JSON line.",
		Flags: o.flags(
			&cli.StringFlag{Name: "mapped-location-id", Category: catService, Destination: &sub.MappedLocationID,
				Usage: "the `ID` that the app itself has for the location"},
			&cli.BoolFlag{Name: "use-filtered-menu", Category: catService, Destination: &sub.UseFilteredMenu,
				Usage: "the app uses a filtered menu"}),
		Action: p.doshiiCall(o, func(ctx context.Context, c *cli.Context, api *proto.DoshiiAPI) ([][]byte, error) {
			answer, err := api.Subscribe(ctx, c.Args().First(), sub)
			return [][]byte{answer}, err
		}),
	}
}

func (p *program) doshiiUnsubscribe() *cli.Command {
	o := newDoshiiREST()
	return &cli.Command{
		Name:      "unsubscribe-location",
		Usage:     "end the subscription to a location",
		UsageText: `hark doshii unsubscribe-location --emulator dEm0Loc1`,
		ArgsUsage: "ID\nID\tthe hashed id of the location",
		Flags:     o.flags(),
		Action: p.doshiiCall(o, func(ctx context.Context, c *cli.Context, api *proto.DoshiiAPI) ([][]byte, error) {
			answer, err := api.Unsubscribe(ctx, c.Args().First())
			return [][]byte{answer}, err
		}),
	}
}

func (p *program) doshiiDevices() (*cli.Command, []branch) {
	return &cli.Command{
		Name:      "devices",
		Usage:     "the devices of an app, which narrow the events of a connection",
		UsageText: `hark doshii devices list --emulator`,
	}, []branch{leaf("list", p.doshiiDevicesList), leaf("create", p.doshiiDevicesCreate), leaf("delete", p.doshiiDevicesDelete)}
}

func (p *program) doshiiDevicesList() *cli.Command {
	o := newDoshiiREST()
	return &cli.Command{
		Name:  "list",
		Usage: "print the registered devices, one JSON line each",
		UsageText: `hark doshii devices list --emulator
hark doshii devices list --client-id env:DOSHII_CLIENT_ID --client-secret env:DOSHII_CLIENT_SECRET | jq -r .doshiiId`,
		Flags: o.flags(),
		Action: p.doshiiCall(o, func(ctx context.Context, c *cli.Context, api *proto.DoshiiAPI) ([][]byte, error) {
			list, err := api.Devices(ctx)
			lines := make([][]byte, len(list))
			for i, d := range list {
				lines[i] = d
			}
			return lines, err
		}),
	}
}

func (p *program) doshiiDevicesCreate() *cli.Command {
	o := newDoshiiREST()
	var d proto.DoshiiNewDevice
	var events, terminals, channels, locations string
	return &cli.Command{
		Name:  "create",
		Usage: "register a device",
		UsageText: `hark doshii devices create --emulator --name till --events order_created,order_updated
hark doshii devices create --name till --channels 'Order ahead,Pay@Table' --locations Abc123 \
    --client-id env:DOSHII_CLIENT_ID --client-secret env:DOSHII_CLIENT_SECRET`,
		Description: "Prints the device as one JSON line. Its doshiiId is what --device-id of 'hark doshii listen' takes. " +
			"A list that is left out is no restriction.",
		Flags: o.flags(
			&cli.StringFlag{Name: "name", Category: catService, Destination: &d.Name,
				Usage: "the `NAME` of the device"},
			&cli.StringFlag{Name: "ref", Category: catService, Destination: &d.Ref,
				Usage: "the app's own `REFERENCE` for it"},
			&cli.StringFlag{Name: "events", Category: catService, Destination: &events,
				Usage: "interested in events of these names: `NAME,…`"},
			&cli.StringFlag{Name: "terminals", Category: catService, Destination: &terminals,
				Usage: "interested in these terminals of points of sale: `ID,…`"},
			&cli.StringFlag{Name: "channels", Category: catService, Destination: &channels,
				Usage: "interested in these channels: `NAME,…`, such as 'Order ahead'"},
			&cli.StringFlag{Name: "locations", Category: catService, Destination: &locations,
				Usage: "interested in these locations: `ID,…`"}),
		Action: p.doshiiCall(o, func(ctx context.Context, c *cli.Context, api *proto.DoshiiAPI) ([][]byte, error) {
			if d.Name == "" {
				return nil, usagef("devices create needs --name")
			}
			if d.Ref == "" {
				d.Ref = d.Name
			}
			for _, l := range []struct {
				flag, text string
				to         *[]string
			}{
				{"events", events, &d.Events}, {"terminals", terminals, &d.Terminals},
				{"channels", channels, &d.Channels}, {"locations", locations, &d.LocationIDs},
			} {
				var err error
				if *l.to, err = nameList(l.flag, l.text); err != nil {
					return nil, err
				}
			}
			answer, err := api.CreateDevice(ctx, d)
			return [][]byte{answer}, err
		}),
	}
}

// nameList reads the value of a flag that takes NAME,NAME.
func nameList(flag, text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	var names []string
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name == "" {
			return nil, usagef("--%s %q: a name is empty; expected NAME,NAME", flag, cut(text, 60))
		}
		names = append(names, name)
	}
	return names, nil
}

func (p *program) doshiiDevicesDelete() *cli.Command {
	o := newDoshiiREST()
	return &cli.Command{
		Name:      "delete",
		Usage:     "end the registration of a device",
		UsageText: `hark doshii devices delete --emulator dEm0Dev1`,
		ArgsUsage: "ID\nID\tthe doshiiId of the device",
		Flags:     o.flags(),
		Action: p.doshiiCall(o, func(ctx context.Context, c *cli.Context, api *proto.DoshiiAPI) ([][]byte, error) {
			answer, err := api.DeleteDevice(ctx, c.Args().First())
			return [][]byte{answer}, err
		}),
	}
}
