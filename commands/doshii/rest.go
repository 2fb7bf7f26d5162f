package doshii

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/network"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/doshii"
	"github.com/hark-cli/hark/proto/doshii/wire"
)

// rest has the flags of the commands that use the REST interface.
type rest struct {
	account
	stream *stream.Flags
}

func newREST() *rest {
	return &rest{account: account{env: wire.Sandbox}, stream: stream.NewFlags()}
}

func (o *rest) flags(more ...*cmdline.Flag) []*cmdline.Flag {
	return append(cmdline.Own("doshii", slices.Concat([]*cmdline.Flag{
		{Name: "api", Group: program.CatService, Value: cmdline.String(&o.api),
			Usage: "use the REST interface at `URL` instead of that of --env"},
		o.envFlag(),
	}, o.clientFlags("the app's client secret, `SECRET`; it signs a token for each request"),
		[]*cmdline.Flag{o.emulatorFlag()}, more)...), stream.RequestFlags(o.stream)...)
}

// call is the Run of a command that sends one request and prints lines.
func call(p *program.Program, o *rest, call func(context.Context, *cmdline.Line, *doshii.API) ([][]byte, error)) func(context.Context, *cmdline.Line) error {
	return func(ctx context.Context, line *cmdline.Line) error {
		o.readFrom(line)
		if err := o.stream.NetworkFlags.Check(ctx, line); err != nil {
			return err
		}
		s := stream.New(p, o.stream)
		defer s.Close()
		api, err := api(s, o)
		if err != nil {
			return err
		}
		lines, err := stream.Within(ctx, s, func(ctx context.Context) ([][]byte, error) { return call(ctx, line, api) })
		if err != nil {
			return ending.WithHint(err, restHint(err))
		}
		for _, l := range lines {
			line, ok := eventjson.AppendLine(nil, l)
			if !ok {
				line = eventjson.AppendString(nil, l) // every line is a JSON value
			}
			if err := program.WriteLine(s.Stdout, line); err != nil {
				return err
			}
		}
		return nil
	}
}

// api returns the REST interface of the options.
func api(s *stream.Stream, o *rest) (*doshii.API, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.typed("env") && o.typed("api") {
		return nil, cmdline.FlagErrorf("--env", " cannot be used with --api: it chooses the vendor's address")
	}
	if o.emulator {
		if o.typed("api") {
			return nil, cmdline.FlagErrorf("--api", " cannot be used with --emulator")
		}
		err := s.Emulate(emulated(), o.typed, &o.endpoint,
			stream.Demo{Flag: "client-id", Variable: "HARK_DOSHII_CLIENT_ID", Setting: &o.clientID}, stream.Demo{Flag: "client-secret", Variable: "HARK_DOSHII_CLIENT_SECRET", Setting: &o.clientSecret})
		if err != nil {
			return nil, err
		}
		o.api = s.Emulated.Demo[cmdline.VariableName("doshii", "api")]
	}
	if o.api == "" || o.typed("env") {
		o.api = wire.REST(o.env)
	}
	base, err := network.ServiceEndpoint(o.api)
	if err != nil {
		return nil, err
	}
	if !network.IsHTTP(base) {
		return nil, cmdline.FlagErrorf("--api", " requires an address that begins with https:// or http://")
	}
	id, err := clientID(s, o.clientID, "--client-id")
	if err != nil {
		return nil, err
	}
	key, _, err := s.Source("--client-secret", o.clientSecret)
	if err != nil {
		return nil, err
	}
	if key == nil {
		e := cmdline.Usagef("the REST interface of required flag not set: --client-secret")
		e.Advice = "set it or " + cmdline.VariableName("doshii", "client-secret") + ", or try --emulator"
		return nil, e
	}
	return &doshii.API{
		Base: base, ClientID: id, ClientSecret: key, Client: s.Client(),
		Secret: func(v string) { s.Say.Add(v) },
	}, nil
}

// restHint returns the hint for a request that failed.
func restHint(err error) string {
	h, ok := errors.AsType[*proto.HandshakeError](err)
	if !ok {
		return ""
	}
	switch h.Status {
	case http.StatusUnauthorized:
		return "check --client-id, --client-secret, --env, and the clock of this machine, which may be off by ten minutes at most"
	case http.StatusForbidden:
		return "the app has no permission for this; was the id created in the same environment (--env)?"
	case http.StatusNotFound:
		return "check the id; ids are the hashed ones that the dashboard and the REST interface show"
	}
	return ""
}

func subscribeCommand(p *program.Program) *cmdline.Command {
	o := newREST()
	var sub doshii.Subscription
	return &cmdline.Command{
		Name:  "subscribe-location",
		Usage: "subscribe the app to a location",
		Examples: `hark doshii subscribe-location --emulator dEm0Loc2
hark doshii subscribe-location Abc123 --client-id env:DOSHII_CLIENT_ID --client-secret env:DOSHII_CLIENT_SECRET`,
		Args:        "ID\nID\tthe hashed id of the location",
		Description: "Without a subscription 'hark doshii listen' gets no events of the location. Prints the response of the service as one JSON line.",
		Flags: o.flags(
			&cmdline.Flag{Name: "mapped-location-id", Group: program.CatService, Value: cmdline.String(&sub.MappedLocationID),
				Usage: "`ID` of the location in the app"},
			&cmdline.Flag{Name: "use-filtered-menu", Group: program.CatService, Value: cmdline.Bool(&sub.UseFilteredMenu),
				Usage: "the app uses a filtered menu"}),
		Run: call(p, o, func(ctx context.Context, line *cmdline.Line, api *doshii.API) ([][]byte, error) {
			answer, err := api.Subscribe(ctx, line.Arg(0), sub)
			return [][]byte{answer}, err
		}),
	}
}

func unsubscribeCommand(p *program.Program) *cmdline.Command {
	o := newREST()
	return &cmdline.Command{
		Name:     "unsubscribe-location",
		Usage:    "unsubscribe the app from a location",
		Examples: `hark doshii unsubscribe-location --emulator dEm0Loc1`,
		Args:     "ID\nID\tthe hashed id of the location",
		Flags:    o.flags(),
		Run: call(p, o, func(ctx context.Context, line *cmdline.Line, api *doshii.API) ([][]byte, error) {
			answer, err := api.Unsubscribe(ctx, line.Arg(0))
			return [][]byte{answer}, err
		}),
	}
}

func devicesCommand(p *program.Program) *cmdline.Command {
	return &cmdline.Command{
		Name:     "devices",
		Usage:    "the devices of an app, which narrow the events of a connection",
		Examples: `hark doshii devices list --emulator`,
		Commands: func() []*cmdline.Command {
			return []*cmdline.Command{devicesList(p), devicesCreate(p), devicesDelete(p)}
		},
	}
}

func devicesList(p *program.Program) *cmdline.Command {
	o := newREST()
	return &cmdline.Command{
		Name:  "list",
		Usage: "print the registered devices, one JSON line each",
		Examples: `hark doshii devices list --emulator
hark doshii devices list --client-id env:DOSHII_CLIENT_ID --client-secret env:DOSHII_CLIENT_SECRET | jq -r .doshiiId`,
		Flags: o.flags(),
		Run: call(p, o, func(ctx context.Context, line *cmdline.Line, api *doshii.API) ([][]byte, error) {
			list, err := api.Devices(ctx)
			lines := make([][]byte, len(list))
			for i, d := range list {
				lines[i] = d
			}
			return lines, err
		}),
	}
}

func devicesCreate(p *program.Program) *cmdline.Command {
	o := newREST()
	var d doshii.NewDevice
	var events, terminals, channels, locations string
	return &cmdline.Command{
		Name:  "create",
		Usage: "register a device",
		Examples: `hark doshii devices create --emulator --name till --events order_created,order_updated
hark doshii devices create --name till --channels 'Order ahead,Pay@Table' --locations Abc123 \
    --client-id env:DOSHII_CLIENT_ID --client-secret env:DOSHII_CLIENT_SECRET`,
		Description: "Prints the device as one JSON line. Use its doshiiId as --device-id of 'hark doshii listen'. " +
			"An omitted list means no restriction.",
		Flags: o.flags(
			&cmdline.Flag{Name: "name", Group: program.CatService, Value: cmdline.String(&d.Name),
				Usage: "`NAME` of the device"},
			&cmdline.Flag{Name: "ref", Group: program.CatService, Value: cmdline.String(&d.Ref),
				Usage: "`REFERENCE` of the device in the app"},
			&cmdline.Flag{Name: "events", Group: program.CatService, Value: cmdline.String(&events),
				Usage: "receive events of these names only: `NAME,…`"},
			&cmdline.Flag{Name: "terminals", Group: program.CatService, Value: cmdline.String(&terminals),
				Usage: "receive events of these terminals of points of sale only: `ID,…`"},
			&cmdline.Flag{Name: "channels", Group: program.CatService, Value: cmdline.String(&channels),
				Usage: "receive events of these channels only: `NAME,…`, such as 'Order ahead'"},
			&cmdline.Flag{Name: "locations", Group: program.CatService, Value: cmdline.String(&locations),
				Usage: "receive events of these locations only: `ID,…`"}),
		Run: call(p, o, func(ctx context.Context, line *cmdline.Line, api *doshii.API) ([][]byte, error) {
			if d.Name == "" {
				return nil, cmdline.Usagef("required flag not set: --name")
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
				if *l.to, err = stream.NameList(l.flag, l.text); err != nil {
					return nil, err
				}
			}
			answer, err := api.CreateDevice(ctx, d)
			return [][]byte{answer}, err
		}),
	}
}

func devicesDelete(p *program.Program) *cmdline.Command {
	o := newREST()
	return &cmdline.Command{
		Name:     "delete",
		Usage:    "unregister a device",
		Examples: `hark doshii devices delete --emulator dEm0Dev1`,
		Args:     "ID\nID\tthe doshiiId of the device",
		Flags:    o.flags(),
		Run: call(p, o, func(ctx context.Context, line *cmdline.Line, api *doshii.API) ([][]byte, error) {
			answer, err := api.DeleteDevice(ctx, line.Arg(0))
			return [][]byte{answer}, err
		}),
	}
}
