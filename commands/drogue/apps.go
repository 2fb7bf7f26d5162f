package drogue

import (
	"context"
	"encoding/json"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/login"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/drogue"
)

func appsCommand(p *program.Program) *cmdline.Command {
	o, f := newAccount(), stream.NewFlags()
	return &cmdline.Command{
		Name:  "apps",
		Usage: "list applications, one JSON line each",
		Examples: `hark drogue apps --emulator
hark drogue apps --endpoint https://api.example.com --jq .metadata.name -r`,
		Description: "Prints the applications that the user has, as the device registry shows them.",
		Flags:       append(cmdline.Own("drogue", o.flags(apiUsage)...), f.RestFlags("count")...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			if err := f.Check(ctx, line); err != nil {
				return err
			}
			o.readFrom(line)
			s := stream.New(p, f)
			defer s.Close()
			w, err := s.Writer(ctx)
			if err != nil {
				return err
			}
			apps, err := applications(ctx, s, o)
			if err != nil {
				return ending.WithHint(err, hint(err))
			}
			for i, app := range apps {
				if err := s.Print(w, uint64(i+1), app); err != nil {
					return err
				}
			}
			return w.Flush()
		},
	}
}

// applications requests the applications from the registry.
func applications(ctx context.Context, s *stream.Stream, o *account) ([]json.RawMessage, error) {
	api, c, err := access(ctx, s, o, "apps")
	if err != nil {
		return nil, err
	}
	if c.token == nil && c.accessToken == nil {
		return nil, &proto.Failure{Class: proto.Credentials, Err: &proto.CredentialError{Err: login.ErrNone}}
	}
	return stream.Within(ctx, s, func(ctx context.Context) ([]json.RawMessage, error) {
		cred, err := c.credential(ctx)
		if err != nil {
			return nil, err
		}
		return drogue.API{Base: api, Client: s.Client()}.Applications(ctx, cred)
	})
}
