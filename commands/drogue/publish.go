package drogue

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/network"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/drogue"
)

// publishOptions are the flags of "drogue publish".
type publishOptions struct {
	site
	httpEndpoint string
	application  string
	channel      string
	device       string
	as           string
	password     string
	username     string
	contentType  string
}

func publishCommand(p *program.Program) *cmdline.Command {
	o, f := &publishOptions{}, stream.NewFlags()
	return &cmdline.Command{
		Name:  "publish",
		Usage: "send events as a device does",
		Examples: `hark emulate drogue -- hark drogue publish demo-app/temperature --device dev-1 '{"temp":21.5}'
seq 3 | hark drogue publish example-app/counter --device dev-1 --password env:DEVICE_PASSWORD -
hark drogue publish example-app/btmesh --device gw-1 --password env:DEVICE_PASSWORD --as sensor-7 '{"on":true}'`,
		Complete: applicationNames(p),
		Args: "APP/CHANNEL [DATA|-]\nAPP\tthe name of the application\nCHANNEL\tthe subject of the event\n" +
			"DATA\tthe data of one event; - or no DATA sends one event per line of stdin, except empty lines",
		Description: `Sends through the HTTP endpoint of the installation, with the credentials of a device, not those of a user. Data that is JSON is sent as application/json, other text as text/plain, anything else as application/octet-stream, unless --content-type is given. The command exits at the first event that is refused.`,
		Flags: append(cmdline.Own("drogue", append(o.site.flags("API at `URL`, which is asked for the HTTP endpoint"),
			&cmdline.Flag{Name: "http", Group: program.CatService, Value: cmdline.String(&o.httpEndpoint),
				Usage: "send to the HTTP endpoint for devices at `URL`, without asking the API"},
			&cmdline.Flag{Name: "device", Group: program.CatService, Value: cmdline.String(&o.device),
				Usage: "device `NAME`"},
			&cmdline.Flag{Name: "password", Secret: true, Group: program.CatService, Value: cmdline.String(&o.password),
				Usage: "password of the device, `SECRET`", Detail: credential.Forms},
			&cmdline.Flag{Name: "username", Group: program.CatService, Value: cmdline.String(&o.username),
				Usage: "user `NAME` of the device, to whom --password belongs"},
			&cmdline.Flag{Name: "as", Group: program.CatService, Value: cmdline.String(&o.as),
				Usage: "send on behalf of the device `NAME`, with --device as its gateway"},
			&cmdline.Flag{Name: "content-type", Group: program.CatService, Value: cmdline.String(&o.contentType),
				Usage: "content `TYPE` of the data"},
		)...), stream.RequestFlags(f)...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			o.readFrom(line)
			if err := o.check(line.Arg(0)); err != nil {
				return err
			}
			if err := f.NetworkFlags.Check(ctx, line); err != nil {
				return err
			}
			s := stream.New(p, f)
			defer s.Close()
			pub, err := publisher(ctx, s, o)
			if err != nil {
				return ending.WithHint(err, publishHint(err))
			}
			err = publish(ctx, s, pub, o.contentType, line.Args()[1:])
			return ending.WithHint(err, publishHint(err))
		},
	}
}

func (o *publishOptions) check(arg string) error {
	app, channel, _ := strings.Cut(arg, "/")
	switch {
	case app == "" || channel == "":
		return cmdline.Usagef("%q: expected APP/CHANNEL", arg)
	case o.device == "":
		return cmdline.Usagef("required flag not set: --device")
	case o.username != "" && o.password == "":
		return cmdline.Usagef("required flag not set: --password, for --username")
	case strings.Contains(o.username, ":"):
		return cmdline.FlagErrorf("--username", " must not contain a colon")
	case o.password != "" && o.username == "" && strings.Contains(o.device, ":"):
		e := cmdline.FlagErrorf("--device", " %q: a name with a colon cannot be sent with a password of its own", cmdline.Cut(o.device, 40))
		e.Advice = "use a user of the device: --username"
		return e
	case !network.HeaderValue(o.contentType):
		return cmdline.FlagErrorf("--content-type", ": the value has a control character in it")
	}
	o.application, o.channel = app, channel
	return nil
}

// publisher discovers the HTTP endpoint.
func publisher(ctx context.Context, s *stream.Stream, o *publishOptions) (*drogue.Publisher, error) {
	password, _, err := s.Source("--password", o.password)
	if err != nil {
		return nil, err
	}
	p := &drogue.Publisher{
		Application: o.application, Channel: o.channel, Device: o.device, As: o.as,
		Password: password, Username: o.username, Client: s.Client(),
	}
	// An address of the environment does not belong to the installation on the command
	// line.
	if o.httpEndpoint != "" && (o.typed("http") || !o.typed("endpoint") && !o.typed("api")) {
		p.Endpoint, err = network.ServiceEndpoint(o.httpEndpoint)
		if err == nil && !network.IsHTTP(p.Endpoint) {
			err = cmdline.FlagErrorf("--http", " requires an address that begins with https:// or http://")
		}
		return p, err
	}
	api, err := o.needAPI("publish")
	if err != nil {
		if u, ok := errors.AsType[*cmdline.UsageError](err); ok && u.Advice != "" {
			u.Advice += ", or the HTTP endpoint itself as --http https://…"
		}
		return nil, err
	}
	p.Endpoint, err = stream.Within(ctx, s, func(ctx context.Context) (string, error) {
		a := drogue.API{Base: api, Client: s.Client()}
		doc, _, err := a.Endpoints(ctx)
		if err != nil {
			return "", err
		}
		if doc.HTTP == nil || doc.HTTP.URL == "" {
			return "", &proto.Failure{Class: proto.Refused, Err: errNoHTTP}
		}
		return strings.TrimRight(doc.HTTP.URL, "/"), a.Trusted(doc.HTTP.URL)
	})
	return p, err
}

var errNoHTTP = errors.New("the installation does not publish the address of its HTTP endpoint")

// publish sends the data of the arguments, or the lines of stdin.
func publish(ctx context.Context, s *stream.Stream, p *drogue.Publisher, contentType string, data []string) error {
	send := func(data []byte) error {
		_, err := stream.Within(ctx, s, func(ctx context.Context) (any, error) { return nil, p.Publish(ctx, contentType, data) })
		return err
	}
	if len(data) > 0 && data[0] != "-" {
		return send([]byte(data[0]))
	}
	lines, failed := stream.InputLines(ctx, s.Stdin)
	sent := 0
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case l, ok := <-lines:
			if !ok {
				if err := <-failed; err != nil {
					return fmt.Errorf("stdin: %w", err)
				}
				s.Tell("%d events sent", sent)
				return nil
			}
			if err := send(l.Text); err != nil {
				return &stream.LineError{Line: l.Number, Before: sent, Err: err}
			}
			sent++
		}
	}
}

// publishHint returns the hint for an event that was not accepted.
func publishHint(err error) string {
	if errors.Is(err, errNoHTTP) {
		return "set it with --http https://…"
	}
	h, ok := errors.AsType[*proto.HandshakeError](err)
	if !ok || h.Stage != proto.StageRequest {
		return hint(err)
	}
	switch h.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "the device was not accepted: check APP, --device, --password and --username; these are credentials of a device, not of a user"
	case http.StatusNotFound:
		return "is this the HTTP endpoint for devices? 'hark drogue endpoints' shows it"
	case http.StatusNotAcceptable:
		return "the installation did not accept the event: the data may not match --content-type"
	}
	return ""
}
