package drogue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/login"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/internal/tokenstore"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/drogue"
	"github.com/hark-cli/hark/proto/drogue/wire"
)

// loginOptions are the flags of "drogue login".
type loginOptions struct {
	site
	store      string
	deviceFlow bool
	noBrowser  bool
	port       int
	maxTime    time.Duration
}

const (
	apiUsage   = "the API of the installation is at `URL`"
	errNoLogin = "the installation names no login server"
)

func loginCommand(p *program.Program) *cmdline.Command {
	o, f := &loginOptions{store: string(tokenstore.Auto), maxTime: 10 * time.Minute}, stream.NewFlags()
	return &cmdline.Command{
		Name:  "login",
		Usage: "log in with a browser",
		Examples: `hark emulate drogue -- sh -c 'hark drogue login && hark drogue whoami && hark drogue logout'
hark drogue login --endpoint https://api.example.com
hark drogue login --endpoint https://api.example.com --no-browser
hark drogue login --endpoint https://api.example.com --device-flow`,
		Description: `Opens the login page of the installation in a browser, waits for the browser to return to a port of localhost, and stores the login: in the keyring or, without one, in a file in $XDG_STATE_HOME/hark or the configuration folder that only its owner can read. The other commands then use it for the same address and renew its token.

--device-flow is for machines without a browser: it prints an address to open on any other device, if the installation allows it.`,
		Flags: append(append(cmdline.Own("drogue", append(o.site.flags(apiUsage), tokenStoreFlag(&o.store))...),
			&cmdline.Flag{Name: "device-flow", Group: program.CatService, Value: cmdline.Bool(&o.deviceFlow),
				Usage: "log in with a browser on another device"},
			&cmdline.Flag{Name: "no-browser", Group: program.CatService, Value: cmdline.Bool(&o.noBrowser),
				Usage: "print the address to open instead of opening it"},
			&cmdline.Flag{Name: "redirect-port", Group: program.CatService, Value: cmdline.Int(&o.port),
				Usage: "`PORT` of localhost that the browser returns to; 0 for any free port"},
			&cmdline.Flag{Name: "max-time", Aliases: []string{"m"}, Group: program.CatEnd, Value: cmdline.Duration(&o.maxTime),
				Usage: "wait at most `D` for the user"},
		), stream.RequestFlags(f)...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			o.readFrom(line)
			if err := o.check(); err != nil {
				return err
			}
			if err := f.NetworkFlags.Check(ctx, line); err != nil {
				return err
			}
			s := stream.New(p, f)
			defer s.Close()
			err := logIn(ctx, s, o)
			return ending.WithHint(err, loginHint(err))
		},
	}
}

func (o *loginOptions) check() error {
	switch {
	case o.port < 0 || o.port > 65535:
		return cmdline.ValueErrorf("--redirect-port", strconv.Itoa(o.port), "expected a number from 0 to 65535")
	case o.deviceFlow && (o.noBrowser || o.port != 0):
		return cmdline.FlagErrorf("--device-flow", " cannot be used with --no-browser or --redirect-port")
	case o.maxTime <= 0:
		return cmdline.ValueErrorf("--max-time", o.maxTime.String(), "must be positive")
	}
	return checkTokenStore(o.store)
}

// loginHint returns the hint for a failed login.
func loginHint(err error) string {
	if errors.Is(err, login.ErrNoDeviceFlow) {
		return "log in without --device-flow; with --no-browser the address can be opened by hand"
	}
	return hint(err)
}

// logIn has the user log in and stores the login.
func logIn(ctx context.Context, s *stream.Stream, o *loginOptions) error {
	api, err := o.needAPI("login")
	if err != nil {
		return err
	}
	k, err := keeper(s, o.store, api)
	if err != nil {
		return err
	}
	flow, err := stream.Within(ctx, s, func(ctx context.Context) (*login.Flow, error) { return flow(ctx, s, api) })
	if err != nil {
		return err
	}
	lctx, cancel := context.WithTimeoutCause(ctx, o.maxTime, &proto.TimeoutError{What: "login", Limit: o.maxTime})
	defer cancel()
	var l *login.Login
	if o.deviceFlow {
		l, err = flow.Device(lctx, func(address, complete, code string) { showCode(s, address, complete, code) })
	} else {
		l, err = browserLogin(lctx, s, flow, o)
	}
	if err != nil {
		return loginFailure(err)
	}
	where, err := k.Save(ctx, l)
	if err != nil {
		return fmt.Errorf("the login could not be stored: %w", err)
	}
	as := ""
	if l.User != "" {
		as = " as " + l.User
	}
	s.Say.Note("logged in to %s%s; the login is kept in %s", api, as, where)
	return nil
}

// flow discovers the provider.
func flow(ctx context.Context, s *stream.Stream, api string) (*login.Flow, error) {
	a := drogue.API{Base: api, Client: s.Client()}
	doc, _, err := a.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	if doc.IssuerURL == "" {
		return nil, &proto.Failure{Class: proto.Refused, Err: errors.New(errNoLogin)}
	}
	if err := a.Trusted(doc.IssuerURL); err != nil {
		return nil, err
	}
	provider, err := login.Discover(ctx, s.Client(), doc.IssuerURL)
	if err != nil {
		return nil, loginFailure(err)
	}
	return &login.Flow{Provider: provider, ClientID: wire.ClientID, Client: s.Client()}, nil
}

// browserLogin logs in with a browser of this machine.
func browserLogin(ctx context.Context, s *stream.Stream, flow *login.Flow, o *loginOptions) (*login.Login, error) {
	listeners, err := login.Listen(o.port)
	if err != nil {
		return nil, cmdline.FlagErrorf("--redirect-port", " %d: %v", o.port, err)
	}
	return flow.Browser(ctx, listeners, func(address string) {
		if !o.noBrowser && s.OpenBrowser(address) {
			s.Say.Note("log in with the browser; if it does not open, open this address:")
		} else {
			s.Say.Note("open this address in a browser to log in:")
		}
		s.Say.Plain([]string{address})
	})
}

func showCode(s *stream.Stream, address, complete, code string) {
	if complete != "" {
		s.Say.Note("open this address on any device to log in; it shows the code %s:", code)
		s.Say.Plain([]string{complete})
		return
	}
	s.Say.Note("open this address on any device, and enter the code %s to log in:", code)
	s.Say.Plain([]string{address})
}

// loginFailure classifies the failure of a login.
func loginFailure(err error) error {
	class := proto.Unreachable
	switch r, refused := errors.AsType[*login.RefusedError](err); {
	case ending.Is[*cmdline.UsageError](err), ending.Is[*process.SignalError](err):
		return err
	case errors.Is(err, login.ErrNoDeviceFlow):
		class = proto.Refused
	case refused && (r.Final() || r.Status == 0):
		class = proto.Credentials
	case refused && r.Status < 500:
		class = proto.Refused
	case ending.Is[*proto.TimeoutError](err):
		class = proto.TimedOut
	}
	return &proto.Failure{Class: class, Err: err}
}

func logoutCommand(p *program.Program) *cmdline.Command {
	o, f := &loginOptions{store: string(tokenstore.Auto), maxTime: 10 * time.Minute}, stream.NewFlags()
	return &cmdline.Command{
		Name:     "logout",
		Usage:    "log out",
		Examples: "hark emulate drogue -- hark drogue logout\nhark drogue logout --endpoint https://api.example.com",
		Description: "Removes the login that 'hark drogue login' has stored for the same address, and has " +
			"the login server revoke its refresh token.",
		Flags: append(cmdline.Own("drogue", append(o.site.flags(apiUsage), tokenStoreFlag(&o.store))...), stream.RequestFlags(f)...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			o.readFrom(line)
			if err := checkTokenStore(o.store); err != nil {
				return err
			}
			if err := f.NetworkFlags.Check(ctx, line); err != nil {
				return err
			}
			s := stream.New(p, f)
			defer s.Close()
			return logOut(ctx, s, o)
		},
	}
}

func logOut(ctx context.Context, s *stream.Stream, o *loginOptions) error {
	api, err := o.needAPI("logout")
	if err != nil {
		return err
	}
	k, err := keeper(s, o.store, api)
	if err != nil {
		return err
	}
	l, err := k.Forget(ctx)
	if errors.Is(err, login.ErrNone) {
		s.Say.Note("not logged in to %s", api)
		return nil
	}
	if err != nil {
		return err
	}
	if l != nil {
		_, err = stream.Within(ctx, s, func(ctx context.Context) (any, error) { return nil, login.Revoke(ctx, s.Client(), l) })
		if err != nil {
			s.Say.Warning("the login was removed, but its refresh token could not be revoked: %v", err)
		}
	}
	s.Say.Note("logged out of %s", api)
	return nil
}

func whoamiCommand(p *program.Program) *cmdline.Command {
	o, f := newAccount(), stream.NewFlags()
	var printToken bool
	return &cmdline.Command{
		Name:  "whoami",
		Usage: "show who is logged in, or print an access token",
		Examples: `hark drogue whoami --emulator
hark drogue whoami --endpoint https://api.example.com
curl -H "Authorization: Bearer $(hark drogue whoami -t)" https://api.example.com/api/registry/v1alpha1/apps`,
		Description: "Asks the API which user the credentials belong to, and prints the response as one JSON line. With -t, " +
			"prints an access token, which is a credential; it is renewed first if it expires soon.",
		Flags: append(cmdline.Own("drogue", append(o.flags(apiUsage),
			&cmdline.Flag{Name: "print-token", Aliases: []string{"t"}, Group: program.CatService, Value: cmdline.Bool(&printToken),
				Usage: "print an access token instead"})...), stream.RequestFlags(f)...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			o.readFrom(line)
			if err := f.NetworkFlags.Check(ctx, line); err != nil {
				return err
			}
			s := stream.New(p, f)
			defer s.Close()
			out, err := whoami(ctx, s, o, printToken)
			if err != nil {
				return ending.WithHint(err, hint(err))
			}
			return program.WriteLine(s.Stdout, out)
		},
	}
}

// whoami returns the output of "drogue whoami".
func whoami(ctx context.Context, s *stream.Stream, o *account, token bool) ([]byte, error) {
	api, c, err := access(ctx, s, o, "whoami")
	if err != nil {
		return nil, err
	}
	if c.token == nil && (c.accessToken == nil || token) {
		return nil, &proto.Failure{Class: proto.Credentials, Err: &proto.CredentialError{Err: login.ErrNone}}
	}
	return stream.Within(ctx, s, func(ctx context.Context) ([]byte, error) {
		cred, err := c.credential(ctx)
		if err != nil || token {
			return []byte(cred.Token.Reveal()), err
		}
		id, err := drogue.API{Base: api, Client: s.Client()}.Whoami(ctx, cred)
		if err != nil {
			return nil, err
		}
		who := struct {
			ID      string     `json:"id"`
			User    string     `json:"user,omitempty"`
			API     string     `json:"api"`
			Expires *time.Time `json:"token_expires,omitempty"`
		}{ID: id, User: cred.User, API: api}
		if user, expires := login.Inspect(cred.Token.Reveal()); !expires.IsZero() {
			who.User, who.Expires = user, new(expires.UTC())
		}
		return json.Marshal(who)
	})
}

// access returns the API and the credentials of a command that requires both.
func access(ctx context.Context, s *stream.Stream, o *account, command string) (api string, c credentials, err error) {
	if err := emulate(s, o); err != nil {
		return "", c, err
	}
	if err := o.check(); err != nil {
		return "", c, err
	}
	if api, err = o.needAPI(command); err != nil {
		return "", c, err
	}
	c, err = lookUp(ctx, s, o, api)
	return api, c, err
}

func endpointsCommand(p *program.Program) *cmdline.Command {
	o, f := newAccount(), stream.NewFlags()
	return &cmdline.Command{
		Name:  "endpoints",
		Usage: "print the endpoints of an installation",
		Examples: `hark drogue endpoints --emulator
hark drogue endpoints --endpoint https://api.example.com | jq -r .websocket_integration.url`,
		Description: "Prints the endpoints that the API publishes, as one JSON line. It requires no credentials, except " +
			"that installations older than 0.10 publish most of them to authenticated users only.",
		Flags: append(cmdline.Own("drogue", o.flags(apiUsage)...), stream.RequestFlags(f)...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			o.readFrom(line)
			if err := f.NetworkFlags.Check(ctx, line); err != nil {
				return err
			}
			s := stream.New(p, f)
			defer s.Close()
			out, err := endpoints(ctx, s, o)
			if err != nil {
				return ending.WithHint(err, hint(err))
			}
			return program.WriteLine(s.Stdout, out)
		},
	}
}

// endpoints returns the output of "drogue endpoints".
func endpoints(ctx context.Context, s *stream.Stream, o *account) ([]byte, error) {
	api, c, err := access(ctx, s, o, "endpoints")
	if err != nil {
		return nil, err
	}
	return stream.Within(ctx, s, func(ctx context.Context) ([]byte, error) {
		a := drogue.API{Base: api, Client: s.Client()}
		doc, raw, err := a.Endpoints(ctx)
		if err == nil && doc.WebSocket == nil && (c.token != nil || c.accessToken != nil) {
			var cred drogue.Credential
			if cred, err = c.credential(ctx); err == nil {
				_, raw, err = a.Info(ctx, cred)
			}
		}
		if err != nil {
			return nil, err
		}
		line, _ := eventjson.AppendLine(nil, raw)
		return line, nil
	})
}
