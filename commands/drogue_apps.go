package commands

import (
	"context"
	"encoding/json"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/login"
	"github.com/hark-cli/hark/proto"
)

func (p *program) drogueApps() *cmdline.Command {
	o, f := newDrogueAccount(), newStreamFlags()
	return &cmdline.Command{
		Name:  "apps",
		Usage: "list applications, one JSON line each",
		Examples: `hark drogue apps --emulator
hark drogue apps --endpoint https://api.example.com --jq .metadata.name -r`,
		Description: "Prints the applications that the user has, as the device registry shows them.",
		Flags:       append(cmdline.Own("drogue", o.flags(apiUsage)...), f.restFlags("count")...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			if err := f.check(ctx, line); err != nil {
				return err
			}
			o.typed = line.Typed
			s := p.newStream(f)
			defer s.close()
			w, err := s.writer(ctx)
			if err != nil {
				return err
			}
			apps, err := s.applications(ctx, o)
			if err != nil {
				return withHint(err, drogueHint(err))
			}
			for i, app := range apps {
				if err := s.print(w, uint64(i+1), app); err != nil {
					return err
				}
			}
			return w.Flush()
		},
	}
}

// applications asks the registry.
func (s *stream) applications(ctx context.Context, o *drogueAccount) ([]json.RawMessage, error) {
	api, c, err := s.drogueAccess(ctx, o, "apps")
	if err != nil {
		return nil, err
	}
	if c.token == nil && c.accessToken == nil {
		return nil, &proto.Failure{Class: proto.Credentials, Err: &proto.CredentialError{Err: login.ErrNone}}
	}
	return within(ctx, s, func(ctx context.Context) ([]json.RawMessage, error) {
		cred, err := c.credential(ctx)
		if err != nil {
			return nil, err
		}
		return proto.DrogueAPI{Base: api, Client: s.client()}.Applications(ctx, cred)
	})
}
