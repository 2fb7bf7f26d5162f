package stream

import (
	"context"
	"encoding/base64"
	"net/http"

	"github.com/hark-cli/hark/commands/network"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/proto"
)

// SocketFlags are the flags of commands that open any WebSocket.
type SocketFlags struct {
	subprotocols []string
	user         string
}

// Flags declares them.
func (f *SocketFlags) Flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "subprotocol", Essential: true, Aliases: []string{"s"}, Group: program.CatLink, Value: cmdline.Strings(&f.subprotocols),
			Usage: "offer the subprotocol `NAME`", Detail: "; one with a credential in it may be env:NAME, file:PATH, cmd:COMMAND or keyring:SERVICE/NAME"},
		{Name: "user", Essential: true, Pair: true, Aliases: []string{"u"}, Group: program.CatLink, Value: cmdline.String(&f.user),
			Usage: "log in with `USER:PASSWORD` (Basic)", Detail: "; the password, or all of it, may be a reference: " + credential.Forms},
	}
}

// Login adds the credentials of --user to the headers of the handshake. given are those
// of --header.
func (f *SocketFlags) Login(ctx context.Context, line *cmdline.Line, p *program.Program, given, header http.Header) error {
	if f.user == "" {
		return nil
	}
	as := line.GivenAs("user")
	if given.Get("Authorization") != "" {
		return cmdline.FlagErrorf(as, " cannot be used with the header Authorization")
	}
	ctx, cancel := proto.WithConnectTimeout(ctx, line.Duration("connect-timeout"))
	defer cancel()
	user, password, err := p.UserPassword(ctx, as, f.user)
	if err != nil {
		return err
	}
	p.Say.AddPair(user, password)
	header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	return nil
}

// Offered are the subprotocols of --subprotocol, references looked up, and their
// credentials withheld from now on.
func (f *SocketFlags) Offered(ctx context.Context, p *program.Program) ([]string, error) {
	var out []string
	for _, s := range f.subprotocols {
		if credential.IsReference(s) {
			src, _, err := p.Source("--subprotocol", s)
			if err != nil {
				return nil, err
			}
			v, err := src(ctx)
			if err != nil {
				return nil, program.CredentialFailure(err)
			}
			s = v.Reveal()
		}
		out = append(out, s)
		p.Say.Add(credential.Subprotocols(out)...)
		if !network.HeaderToken(s) { // it may be a credential
			return nil, network.BadSubprotocol(len(out))
		}
	}
	return out, nil
}
