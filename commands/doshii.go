package commands

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/wire"
	"github.com/urfave/cli/v2"
)

// doshiiOptions are what the flags of the Doshii commands say.
type doshiiOptions struct {
	endpoint   string
	env        string
	path       string
	clientID   string
	authToken  string
	deviceID   string
	appVersion string
	heartbeat  time.Duration
	emulator   bool
	typed      func(flag string) bool
}

func (p *program) doshiiCommand() *cli.Command {
	return &cli.Command{
		Name:        "doshii",
		Usage:       "events of Doshii",
		UsageText:   `hark doshii listen --emulator -n 5`,
		Subcommands: []*cli.Command{p.doshiiListen()},
	}
}

func (p *program) doshiiListen() *cli.Command {
	o, f := &doshiiOptions{}, newStreamFlags()
	return &cli.Command{
		Name:  "listen",
		Usage: "stream the events of an app",
		UsageText: `hark doshii listen --emulator -n 5
hark doshii listen --emulator --until '.emit[0] == "order_created"' -m 30s
hark doshii listen --client-id env:DOSHII_CLIENT_ID --env sandbox --jq '.emit[1]'`,
		Description: "Events come only for locations that the app is subscribed to. Until one does, " +
			"heartbeats and their answers are the only traffic; -v shows them.",
		Flags: append(ownFlags("doshii",
			&cli.StringFlag{Name: "endpoint", Category: catService, Destination: &o.endpoint,
				Usage: "reach the socket at `URL` instead of the address that --env gives"},
			&cli.StringFlag{Name: "env", Category: catService, Destination: &o.env, Value: wire.DoshiiSandbox,
				Usage: "the environment: `sandbox|live`"},
			&cli.StringFlag{Name: "path", Category: catService, Destination: &o.path, Value: wire.DoshiiPathAppV3,
				Usage: "the `PATH` of the socket; older documents have " + wire.DoshiiPathApp},
			secretFlag(&cli.StringFlag{Name: "client-id", Category: catService, Destination: &o.clientID,
				Usage: "the app's client id as the dashboard shows it, `SECRET`: " + secretForms}),
			secretFlag(&cli.StringFlag{Name: "auth-token", Category: catService, Destination: &o.authToken,
				Usage: "send `SECRET` as it is instead of encoding --client-id"}),
			&cli.StringFlag{Name: "device-id", Category: catService, Destination: &o.deviceID,
				Usage: "only events that the registered device `ID` is interested in"},
			&cli.StringFlag{Name: "app-version", Category: catService, Destination: &o.appVersion, Value: "1.0.0",
				Usage: "the `VERSION` that heartbeats state"},
			&cli.DurationFlag{Name: "heartbeat", Category: catService, Destination: &o.heartbeat, Value: wire.DoshiiHeartbeatPeriod,
				Usage: "send a heartbeat every `D`"},
			&cli.BoolFlag{Name: "emulator", Category: catService, Destination: &o.emulator,
				Usage: "use the built-in stand-in instead of the service"},
		), f.flags()...),
		Action: func(c *cli.Context) error {
			if err := f.check(c); err != nil {
				return err
			}
			o.typed = typedFlags(c)
			if err := o.check(); err != nil {
				return err
			}
			s := p.newStream(f)
			defer s.close()
			svc, err := s.doshii(o)
			if err != nil {
				return err
			}
			err = s.run(c.Context, svc, nil)
			return withHint(err, o.hint(err))
		},
	}
}

func (o *doshiiOptions) check() error {
	switch {
	case o.env != wire.DoshiiSandbox && o.env != wire.DoshiiLive:
		return usagef("--env %q: expected sandbox or live", o.env)
	case o.typed("env") && (o.typed("endpoint") || o.emulator):
		return usagef("--env chooses the vendor's address; it excludes --endpoint and --emulator")
	case !strings.HasPrefix(o.path, "/"):
		return usagef("--path %q: a path begins with a slash", o.path)
	case o.clientID != "" && o.authToken != "" && !o.emulator:
		return usagef("--client-id and --auth-token exclude each other")
	case o.heartbeat <= 0:
		return usagef("--heartbeat %s: the duration must be positive", o.heartbeat)
	}
	return nil
}

// doshii makes the service of the options.
func (s *stream) doshii(o *doshiiOptions) (*proto.Doshii, error) {
	if o.emulator {
		err := s.emulate("doshii", o.typed, &o.endpoint,
			demo{"client-id", "HARK_DOSHII_CLIENT_ID", &o.clientID}, demo{"auth-token", "", &o.authToken})
		if err != nil {
			return nil, err
		}
	}
	if o.endpoint == "" {
		o.endpoint = wire.DoshiiEndpoint(o.env, wire.DoshiiHostCurrent)
	}
	endpoint, err := serviceEndpoint(o.endpoint)
	if err != nil {
		return nil, err
	}
	auth, err := s.doshiiAuth(o)
	if err != nil {
		return nil, err
	}
	return &proto.Doshii{
		Endpoint: endpoint, Path: o.path, Auth: auth, DeviceID: o.deviceID,
		AppVersion: o.appVersion, Heartbeat: o.heartbeat,
	}, nil
}

// doshiiAuth is the source of the auth parameter.
func (s *stream) doshiiAuth(o *doshiiOptions) (proto.TokenSource, error) {
	if o.authToken != "" {
		src, _, err := s.source("--auth-token", secretRef(o.authToken))
		return src, err
	}
	id, _, err := s.source("--client-id", secretRef(o.clientID))
	if err != nil {
		return nil, err
	}
	if id == nil {
		e := usagef("doshii needs --client-id or --auth-token")
		e.Advice = "set it or " + variableName("doshii", "client-id") + ", or try --emulator"
		return nil, e
	}
	encode := func(v secret.Value) (secret.Value, error) {
		if proto.DoshiiEncoded(v) {
			e := usagef("--client-id: the value is in base64 already")
			e.Advice = "give the client id as the dashboard shows it, or the encoded value with --auth-token"
			return "", e
		}
		return proto.DoshiiAuth(v), nil
	}
	// A literal can be checked before anything is dialled.
	if kind, _, _ := strings.Cut(o.clientID, ":"); !slices.Contains([]string{"cmd"}, kind) {
		v, err := id(context.Background())
		if err != nil {
			return nil, usagef("%v", err)
		}
		if _, err := encode(v); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) (secret.Value, error) {
		v, err := id(ctx)
		if err != nil {
			return "", err
		}
		return encode(v)
	}, nil
}

// hint is the advice for Doshii's own failures.
func (o *doshiiOptions) hint(err error) string {
	h, ok := errors.AsType[*proto.HandshakeError](err)
	if !ok || h.Stage != proto.StageUpgrade {
		return ""
	}
	switch h.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "check --client-id and --env: sandbox and live have different client ids"
	case http.StatusBadRequest:
		return "check --device-id"
	case http.StatusNotFound:
		if o.path == wire.DoshiiPathAppV3 {
			return "the server may know the older path: --path " + wire.DoshiiPathApp
		}
		return "check --path"
	}
	return ""
}
