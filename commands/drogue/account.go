package drogue

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/network"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/login"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/internal/tokenstore"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/drogue"
	"github.com/hark-cli/hark/proto/drogue/wire"
)

// site has the flags for the installation of Drogue Cloud.
type site struct {
	endpoint string
	api      string
	emulator bool
	typed    func(flag string) bool
	rivals   func(one, other string, drop func(name string)) error
}

// readFrom records where the flags were set.
func (o *site) readFrom(line *cmdline.Line) { o.typed, o.rivals = line.Typed, line.Rivals }

// flags declares them; use is the usage of --endpoint.
func (o *site) flags(use string) []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "endpoint", Group: program.CatService, Value: cmdline.String(&o.endpoint), Default: wire.API, Usage: use},
		{Name: "api", Rare: true, Group: program.CatService, Value: cmdline.String(&o.api),
			Usage: "API at `URL`, when --endpoint is the address of the socket"},
	}
}

// addresses returns the base of the API, and that of the socket if it is set. If their
// sources differ, only the one with the higher precedence is used, because the other
// may belong to another installation.
func (o *site) addresses() (api, socket string, err error) {
	endpoint, api := o.endpoint, o.api
	if endpoint != "" && api != "" {
		// With the same source they belong together.
		_ = o.rivals("endpoint", "api", func(flag string) {
			if flag == "api" {
				api = ""
			} else {
				endpoint = ""
			}
		})
	}
	if endpoint != "" {
		if endpoint, err = network.ServiceEndpoint(endpoint); err != nil {
			return "", "", err
		}
	}
	if api != "" {
		if api, err = network.ServiceEndpoint(api); err != nil {
			return "", "", err
		}
		if !network.IsHTTP(api) {
			return "", "", cmdline.FlagErrorf("--api", " requires an address that begins with https:// or http://")
		}
	}
	switch {
	case network.IsHTTP(endpoint) && api != "" && api != endpoint:
		return "", "", cmdline.FlagErrorf("--endpoint", " and --api are the addresses of two APIs; for the socket, --endpoint requires wss:// or ws://")
	case network.IsHTTP(endpoint):
		return endpoint, "", nil
	case endpoint == "" && api == "":
		return wire.API, "", nil
	}
	return api, endpoint, nil
}

// needAPI is addresses for commands that require the API.
func (o *site) needAPI(command string) (string, error) {
	api, _, err := o.addresses()
	if err == nil && api == "" {
		e := cmdline.Usagef("%s requires the address of the API, but --endpoint names the socket", command)
		e.Advice = "give it as --endpoint https://… or --api https://…"
		return "", e
	}
	return api, err
}

// loginKey returns the key of the login of an API in the store, which is the same for
// all spellings of the address.
func loginKey(api string) string {
	if u, err := url.Parse(api); err == nil {
		u.Scheme, u.Host, u.User = strings.ToLower(u.Scheme), strings.ToLower(u.Host), nil
		api = u.String()
	}
	return "drogue " + strings.TrimRight(api, "/")
}

// account has the flags for credentials.
type account struct {
	site
	token       string
	user        string
	accessToken string
	anonymous   bool
	store       string
}

func newAccount() *account { return &account{store: string(tokenstore.Auto)} }

func (o *account) flags(use string) []*cmdline.Flag {
	return append(o.site.flags(use),
		&cmdline.Flag{Name: "token", Secret: true, Group: program.CatService, Value: cmdline.String(&o.token),
			Usage: "OpenID Connect token, `SECRET`", Detail: credential.Forms},
		&cmdline.Flag{Name: "user", Group: program.CatService, Value: cmdline.String(&o.user),
			Usage: "user `NAME` of --access-token"},
		&cmdline.Flag{Name: "access-token", Secret: true, Group: program.CatService, Value: cmdline.String(&o.accessToken),
			Usage: "personal access token, `SECRET`", Detail: credential.Forms},
		&cmdline.Flag{Name: "anonymous", Rare: true, Group: program.CatService, Value: cmdline.Bool(&o.anonymous),
			Usage: "send no credentials", Detail: ", not even those of the stored login"},
		tokenStoreFlag(&o.store),
		&cmdline.Flag{Name: "emulator", Group: program.CatService, Value: cmdline.Bool(&o.emulator),
			Usage: "use the built-in emulator instead of the service"},
	)
}

func tokenStoreFlag(store *string) *cmdline.Flag {
	return &cmdline.Flag{Name: "token-store", Rare: true, Group: program.CatService, Value: cmdline.String(store),
		Usage: "where logins are stored: `auto|keyring|file`", Detail: "; auto uses the file if there is no keyring"}
}

// check returns an error for credentials that cannot be used together: the server
// refuses two forms at once.
func (o *account) check() error {
	if o.token != "" && o.accessToken != "" {
		if err := o.rivals("token", "access-token", o.drop); err != nil {
			return err
		}
	}
	if o.token != "" && o.user != "" && o.rivals("token", "user", o.drop) != nil {
		return cmdline.FlagErrorf("--user", " goes with --access-token, not with --token")
	}
	switch {
	case o.accessToken != "" && o.user == "":
		return cmdline.Usagef("required flag not set: --user, for --access-token")
	case o.user != "" && o.accessToken == "":
		return cmdline.Usagef("required flag not set: --access-token, for --user")
	case o.anonymous && (o.typed("token") || o.typed("access-token")):
		return cmdline.FlagErrorf("--anonymous", " cannot be used with --token or --access-token")
	case strings.Contains(o.user, ":"):
		return cmdline.FlagErrorf("--user", " must not contain a colon")
	}
	return checkTokenStore(o.store)
}

// drop removes the credential of a flag.
func (o *account) drop(flag string) {
	if flag == "token" {
		o.token = ""
	} else {
		o.accessToken, o.user = "", ""
	}
}

func checkTokenStore(store string) error {
	switch tokenstore.Place(store) {
	case tokenstore.Auto, tokenstore.Keyring, tokenstore.File:
		return nil
	}
	return cmdline.ValueErrorf("--token-store", cmdline.Cut(store, 24), "expected auto, keyring or file")
}

// credentials are the sources of the credentials of a run; all nil for none.
type credentials struct {
	token       proto.TokenSource
	renewable   bool // token may give another one the next time
	accessToken proto.TokenSource
	user        string
	stored      bool // token is that of the stored login
}

// lookUp returns those of the flags or else, for an installation whose API is known,
// those of the stored login.
func lookUp(ctx context.Context, s *stream.Stream, o *account, api string) (c credentials, err error) {
	if o.anonymous {
		return c, nil
	}
	if c.token, c.renewable, err = s.Source("--token", o.token); err != nil {
		return c, err
	}
	if c.accessToken, _, err = s.Source("--access-token", o.accessToken); err != nil {
		return c, err
	}
	c.user = o.user
	if c.token != nil || c.accessToken != nil || api == "" {
		return c, nil
	}
	k, err := keeper(s, o.store, api)
	if err != nil {
		return c, err
	}
	switch _, err := k.Load(ctx); {
	case errors.Is(err, login.ErrNone):
		return c, nil
	case err != nil:
		return c, err
	}
	c.renewable, c.stored = true, true
	c.token = func(ctx context.Context) (secret.Value, error) {
		v, err := k.Token(ctx)
		return v, loginError(err)
	}
	return c, nil
}

// loginError marks the failures that only a new login ends.
func loginError(err error) error {
	if errors.Is(err, login.ErrNone) || ending.Is[*login.EndedError](err) {
		return &proto.CredentialError{Err: err}
	}
	return err
}

// credential returns the credential itself.
func (c *credentials) credential(ctx context.Context) (d drogue.Credential, err error) {
	d.User = c.user
	switch {
	case c.token != nil:
		d.Token, err = c.token(ctx)
	case c.accessToken != nil:
		d.AccessToken, err = c.accessToken(ctx)
	}
	return d, err
}

// keeper returns the login.Keeper of an API.
func keeper(s *stream.Stream, store, api string) (*login.Keeper, error) {
	folder, err := s.StateFolder()
	if err != nil {
		return nil, err
	}
	return &login.Keeper{
		Store: tokenstore.Open(folder, tokenstore.Place(store)), Key: loginKey(api), Client: s.Client(),
		Secret: func(v string) { s.Say.Add(v) },
		Warn:   func(text string) { s.Warn("%s", text) },
	}, nil
}

// emulate replaces the installation by the built-in emulator.
func emulate(s *stream.Stream, o *account) error {
	if !o.emulator {
		return nil
	}
	if o.typed("api") {
		return cmdline.FlagErrorf("--api", " cannot be used with --emulator")
	}
	err := s.Emulate(emulated(), o.typed, &o.endpoint,
		stream.Demo{Flag: "token", Variable: "HARK_DROGUE_TOKEN", Setting: &o.token},
		stream.Demo{Flag: "user", Variable: "", Setting: &o.user}, stream.Demo{Flag: "access-token", Variable: "", Setting: &o.accessToken})
	if err != nil {
		return err
	}
	o.api = s.Emulated.Demo[cmdline.VariableName("drogue", "api")]
	return nil
}
