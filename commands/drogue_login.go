package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/jsontext"
	"github.com/hark-cli/hark/internal/login"
	"github.com/hark-cli/hark/internal/tokenstore"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/wire"
)

// drogueLoginOptions are what the flags of "drogue login" say.
type drogueLoginOptions struct {
	drogueSite
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

func (p *program) drogueLogin() *cmdline.Command {
	o, f := &drogueLoginOptions{store: string(tokenstore.Auto), maxTime: 10 * time.Minute}, newStreamFlags()
	return &cmdline.Command{
		Name:  "login",
		Usage: "log in with a browser",
		Examples: `hark emulate drogue -- sh -c 'hark drogue login && hark drogue whoami && hark drogue logout'
hark drogue login --endpoint https://api.example.com
hark drogue login --endpoint https://api.example.com --no-browser
hark drogue login --endpoint https://api.example.com --device-flow`,
		Description: `Opens the login page of the installation in a browser, waits for the browser to come back to a port of localhost, and stores the login: in the keyring or, where there is none, in a file that only its owner can read, below $XDG_STATE_HOME/hark or the folder for configuration. The other commands then use it for the same address and renew its token by themselves.

--device-flow is for machines without a browser: it prints an address to open on any other device, if the installation allows it.`,
		Flags: append(append(cmdline.Own("drogue", append(o.drogueSite.flags(apiUsage), tokenStoreFlag(&o.store))...),
			&cmdline.Flag{Name: "device-flow", Group: catService, Value: cmdline.Bool(&o.deviceFlow),
				Usage: "log in with a browser on another device"},
			&cmdline.Flag{Name: "no-browser", Group: catService, Value: cmdline.Bool(&o.noBrowser),
				Usage: "print the address to open instead of opening it"},
			&cmdline.Flag{Name: "redirect-port", Group: catService, Value: cmdline.Int(&o.port),
				Usage: "the `PORT` of localhost that the browser comes back to; 0 takes a free one"},
			&cmdline.Flag{Name: "max-time", Aliases: []string{"m"}, Group: catEnd, Value: cmdline.Duration(&o.maxTime),
				Usage: "wait at most `D` for the user"},
		), requestFlags(f)...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			o.typed = line.Typed
			if err := o.check(); err != nil {
				return err
			}
			if err := f.networkFlags.check(ctx, line); err != nil {
				return err
			}
			s := p.newStream(f)
			defer s.close()
			err := s.logIn(ctx, o)
			return withHint(err, drogueLoginHint(err))
		},
	}
}

func (o *drogueLoginOptions) check() error {
	switch {
	case o.port < 0 || o.port > 65535:
		return cmdline.FlagErrorf("--redirect-port", " %d: expected a number from 0 to 65535", o.port)
	case o.deviceFlow && (o.noBrowser || o.port != 0):
		return cmdline.FlagErrorf("--device-flow", " excludes --no-browser and --redirect-port: no browser comes back")
	case o.maxTime <= 0:
		return cmdline.FlagErrorf("--max-time", " %s: the duration must be positive", o.maxTime)
	}
	return checkTokenStore(o.store)
}

// drogueLoginHint is the advice when a login fails.
func drogueLoginHint(err error) string {
	if errors.Is(err, login.ErrNoDeviceFlow) {
		return "log in without --device-flow; with --no-browser the address can be opened by hand"
	}
	return drogueHint(err)
}

// logIn lets the user log in and stores the login.
func (s *stream) logIn(ctx context.Context, o *drogueLoginOptions) error {
	api, err := o.needAPI("login")
	if err != nil {
		return err
	}
	k, err := s.keeper(o.store, api)
	if err != nil {
		return err
	}
	flow, err := within(ctx, s, func(ctx context.Context) (*login.Flow, error) { return s.flow(ctx, api) })
	if err != nil {
		return err
	}
	lctx, cancel := context.WithTimeoutCause(ctx, o.maxTime, &proto.OverdueError{What: "login", Limit: o.maxTime})
	defer cancel()
	var l *login.Login
	if o.deviceFlow {
		l, err = flow.Device(lctx, s.showCode)
	} else {
		l, err = s.browserLogin(lctx, flow, o)
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
	s.say.note("logged in to %s%s; the login is kept in %s", api, as, where)
	return nil
}

// flow finds out where to log in.
func (s *stream) flow(ctx context.Context, api string) (*login.Flow, error) {
	a := proto.DrogueAPI{Base: api, Client: s.client()}
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
	provider, err := login.Discover(ctx, s.client(), doc.IssuerURL)
	if err != nil {
		return nil, loginFailure(err)
	}
	return &login.Flow{Provider: provider, ClientID: wire.DrogueClientID, Client: s.client()}, nil
}

// browserLogin logs in with a browser of this machine.
func (s *stream) browserLogin(ctx context.Context, flow *login.Flow, o *drogueLoginOptions) (*login.Login, error) {
	listeners, err := login.Listen(o.port)
	if err != nil {
		return nil, cmdline.FlagErrorf("--redirect-port", " %d: %v", o.port, err)
	}
	return flow.Browser(ctx, listeners, func(address string) {
		if !o.noBrowser && s.openBrowser(address) {
			s.say.note("log in with the browser; if it does not open, open this address:")
		} else {
			s.say.note("open this address in a browser to log in:")
		}
		s.say.plain([]string{address})
	})
}

func (s *stream) showCode(address, complete, code string) {
	if complete != "" {
		s.say.note("open this address on any device to log in; it shows the code %s:", code)
		s.say.plain([]string{complete})
		return
	}
	s.say.note("open this address on any device, and enter the code %s to log in:", code)
	s.say.plain([]string{address})
}

// openBrowser opens an address: with $BROWSER, or as the desktop does. It does not
// wait for the browser; false when there is none.
func (p *program) openBrowser(address string) bool {
	var argv []string
	if browser, ok := p.LookupEnv("BROWSER"); ok && strings.TrimSpace(browser) != "" {
		argv = strings.Fields(browser)
	} else {
		switch runtime.GOOS {
		case "windows":
			argv = []string{"rundll32", "url.dll,FileProtocolHandler"}
		case "darwin":
			argv = []string{"open"}
		default:
			argv = []string{"xdg-open"}
		}
	}
	cmd := exec.Command(argv[0], append(argv[1:len(argv):len(argv)], address)...)
	cmd.Env = p.Environ()
	if cmd.Start() != nil {
		return false
	}
	go func() { _ = cmd.Wait() }() // it ends with the browser, whenever that is
	return true
}

// loginFailure says what the failure of a login means.
func loginFailure(err error) error {
	class := proto.Unreachable
	switch r, refused := errors.AsType[*login.RefusedError](err); {
	case is[*cmdline.UsageError](err), is[*signalError](err):
		return err
	case errors.Is(err, login.ErrNoDeviceFlow):
		class = proto.Refused
	case refused && (r.Final() || r.Status == 0):
		class = proto.Credentials
	case refused && r.Status < 500:
		class = proto.Refused
	case is[*proto.OverdueError](err):
		class = proto.Overdue
	}
	return &proto.Failure{Class: class, Err: err}
}

// within gives f the time of --connect-timeout, and says what its failure means.
func within[T any](ctx context.Context, s *stream, f func(context.Context) (T, error)) (T, error) {
	rctx, cancel := proto.WithConnectTimeout(ctx, s.flags.connectTimeout)
	defer cancel()
	v, err := f(rctx)
	if err != nil && ctx.Err() != nil {
		return v, context.Cause(ctx)
	}
	if is[*cmdline.UsageError](err) {
		return v, err
	}
	return v, proto.RequestFailure(err)
}

func (p *program) drogueLogout() *cmdline.Command {
	o, f := &drogueLoginOptions{store: string(tokenstore.Auto), maxTime: 10 * time.Minute}, newStreamFlags()
	return &cmdline.Command{
		Name:     "logout",
		Usage:    "forget the stored login",
		Examples: "hark emulate drogue -- hark drogue logout\nhark drogue logout --endpoint https://api.example.com",
		Description: "Removes the login that 'hark drogue login' has stored for the same address, and gives " +
			"its refresh token back to the login server, so that nobody can use it any more.",
		Flags: append(cmdline.Own("drogue", append(o.drogueSite.flags(apiUsage), tokenStoreFlag(&o.store))...), requestFlags(f)...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			o.typed = line.Typed
			if err := checkTokenStore(o.store); err != nil {
				return err
			}
			if err := f.networkFlags.check(ctx, line); err != nil {
				return err
			}
			s := p.newStream(f)
			defer s.close()
			return s.logOut(ctx, o)
		},
	}
}

func (s *stream) logOut(ctx context.Context, o *drogueLoginOptions) error {
	api, err := o.needAPI("logout")
	if err != nil {
		return err
	}
	k, err := s.keeper(o.store, api)
	if err != nil {
		return err
	}
	l, err := k.Forget(ctx)
	if errors.Is(err, login.ErrNone) {
		s.say.note("not logged in to %s", api)
		return nil
	}
	if err != nil {
		return err
	}
	if l != nil {
		_, err = within(ctx, s, func(ctx context.Context) (any, error) { return nil, login.Revoke(ctx, s.client(), l) })
		if err != nil {
			s.say.warning("the login is forgotten, but its refresh token could not be given back: %v", err)
		}
	}
	s.say.note("logged out of %s", api)
	return nil
}

func (p *program) drogueWhoami() *cmdline.Command {
	o, f := newDrogueAccount(), newStreamFlags()
	var printToken bool
	return &cmdline.Command{
		Name:  "whoami",
		Usage: "tell who is logged in, or print an access token",
		Examples: `hark drogue whoami --emulator
hark drogue whoami --endpoint https://api.example.com
curl -H "Authorization: Bearer $(hark drogue whoami -t)" https://api.example.com/api/registry/v1alpha1/apps`,
		Description: "Asks the API whom the credentials belong to, and prints the answer as one JSON line. With -t, " +
			"prints an access token that is good for some more time, renewed if need be: a credential.",
		Flags: append(cmdline.Own("drogue", append(o.flags(apiUsage),
			&cmdline.Flag{Name: "print-token", Aliases: []string{"t"}, Group: catService, Value: cmdline.Bool(&printToken),
				Usage: "print an access token instead"})...), requestFlags(f)...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			o.typed = line.Typed
			if err := f.networkFlags.check(ctx, line); err != nil {
				return err
			}
			s := p.newStream(f)
			defer s.close()
			out, err := s.whoami(ctx, o, printToken)
			if err != nil {
				return withHint(err, drogueHint(err))
			}
			return writeLine(s.Stdout, out)
		},
	}
}

// whoami is what "drogue whoami" prints.
func (s *stream) whoami(ctx context.Context, o *drogueAccount, token bool) ([]byte, error) {
	api, c, err := s.drogueAccess(ctx, o, "whoami")
	if err != nil {
		return nil, err
	}
	if c.token == nil && (c.accessToken == nil || token) {
		return nil, &proto.Failure{Class: proto.Credentials, Err: &proto.CredentialError{Err: login.ErrNone}}
	}
	return within(ctx, s, func(ctx context.Context) ([]byte, error) {
		cred, err := c.credential(ctx)
		if err != nil || token {
			return []byte(cred.Token.Reveal()), err
		}
		id, err := proto.DrogueAPI{Base: api, Client: s.client()}.Whoami(ctx, cred)
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

// drogueAccess finds the API and the credentials of a command that needs both.
func (s *stream) drogueAccess(ctx context.Context, o *drogueAccount, command string) (api string, c drogueCredentials, err error) {
	if err := s.emulateDrogue(o); err != nil {
		return "", c, err
	}
	if err := o.check(); err != nil {
		return "", c, err
	}
	if api, err = o.needAPI(command); err != nil {
		return "", c, err
	}
	c, err = s.credentials(ctx, o, api)
	return api, c, err
}

func (p *program) drogueEndpoints() *cmdline.Command {
	o, f := newDrogueAccount(), newStreamFlags()
	return &cmdline.Command{
		Name:  "endpoints",
		Usage: "print where the parts of an installation are",
		Examples: `hark drogue endpoints --emulator
hark drogue endpoints --endpoint https://api.example.com | jq -r .websocket_integration.url`,
		Description: "Prints the list of endpoints that the API has, as one JSON line. It needs no credentials, except " +
			"that installations older than 0.10 tell most of it only to those who have some.",
		Flags: append(cmdline.Own("drogue", o.flags(apiUsage)...), requestFlags(f)...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			o.typed = line.Typed
			if err := f.networkFlags.check(ctx, line); err != nil {
				return err
			}
			s := p.newStream(f)
			defer s.close()
			out, err := s.endpoints(ctx, o)
			if err != nil {
				return withHint(err, drogueHint(err))
			}
			return writeLine(s.Stdout, out)
		},
	}
}

// endpoints is what "drogue endpoints" prints.
func (s *stream) endpoints(ctx context.Context, o *drogueAccount) ([]byte, error) {
	api, c, err := s.drogueAccess(ctx, o, "endpoints")
	if err != nil {
		return nil, err
	}
	return within(ctx, s, func(ctx context.Context) ([]byte, error) {
		a := proto.DrogueAPI{Base: api, Client: s.client()}
		doc, raw, err := a.Endpoints(ctx)
		if err == nil && doc.WebSocket == nil && (c.token != nil || c.accessToken != nil) {
			var cred proto.DrogueCredential
			if cred, err = c.credential(ctx); err == nil {
				_, raw, err = a.Info(ctx, cred)
			}
		}
		if err != nil {
			return nil, err
		}
		line, _ := jsontext.AppendLine(nil, raw)
		return line, nil
	})
}
