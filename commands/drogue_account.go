package commands

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/login"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/internal/tokenstore"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/wire"
)

// drogueSite are the flags that say which installation of Drogue Cloud is meant.
type drogueSite struct {
	endpoint string
	api      string
	emulator bool
	typed    func(flag string) bool
}

// flags declares them; use says what the endpoint is for.
func (o *drogueSite) flags(use string) []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "endpoint", Group: catService, Value: cmdline.String(&o.endpoint), Default: wire.DrogueAPI, Usage: use},
		{Name: "api", Group: catService, Value: cmdline.String(&o.api),
			Usage: "the API is at `URL`, where --endpoint names the socket"},
	}
}

// addresses finds out which addresses count: the base of the API, and that of the
// socket if it is named and need not be asked for. An address that was typed wins
// over one of the environment, which may be about another installation.
func (o *drogueSite) addresses() (api, socket string, err error) {
	endpoint, api := o.endpoint, o.api
	switch typed := o.typed; {
	case endpoint != "" && api != "" && typed("endpoint") && !typed("api"):
		api = ""
	case endpoint != "" && api != "" && typed("api") && !typed("endpoint"):
		endpoint = ""
	}
	if endpoint != "" {
		if endpoint, err = serviceEndpoint(endpoint); err != nil {
			return "", "", err
		}
	}
	if api != "" {
		if api, err = serviceEndpoint(api); err != nil {
			return "", "", err
		}
		if !isHTTP(api) {
			return "", "", cmdline.FlagErrorf("--api", " takes an address that begins with https:// or http://")
		}
	}
	switch {
	case isHTTP(endpoint) && api != "" && api != endpoint:
		return "", "", cmdline.FlagErrorf("--endpoint", " and --api name two APIs; for the socket, --endpoint takes wss:// or ws://")
	case isHTTP(endpoint):
		return endpoint, "", nil
	case endpoint == "" && api == "":
		return wire.DrogueAPI, "", nil
	}
	return api, endpoint, nil
}

// needAPI is addresses for commands that need the API.
func (o *drogueSite) needAPI(command string) (string, error) {
	api, _, err := o.addresses()
	if err == nil && api == "" {
		e := cmdline.Usagef("%s needs the address of the API, and --endpoint names the socket", command)
		e.Advice = "give it as --endpoint https://… or --api https://…"
		return "", e
	}
	return api, err
}

func isHTTP(address string) bool {
	return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
}

// loginKey names the login of an API in the store: other ways to write the address
// mean the same one.
func loginKey(api string) string {
	if u, err := url.Parse(api); err == nil {
		u.Scheme, u.Host, u.User = strings.ToLower(u.Scheme), strings.ToLower(u.Host), nil
		api = u.String()
	}
	return "drogue " + strings.TrimRight(api, "/")
}

// drogueAccount are the flags that say who asks.
type drogueAccount struct {
	drogueSite
	token       string
	user        string
	accessToken string
	anonymous   bool
	store       string
}

func newDrogueAccount() *drogueAccount { return &drogueAccount{store: string(tokenstore.Auto)} }

func (o *drogueAccount) flags(use string) []*cmdline.Flag {
	return append(o.drogueSite.flags(use),
		&cmdline.Flag{Name: "token", Secret: true, Group: catService, Value: cmdline.String(&o.token),
			Usage: "OpenID Connect access token instead of the stored login, `SECRET`", Detail: credential.Forms},
		&cmdline.Flag{Name: "user", Group: catService, Value: cmdline.String(&o.user),
			Usage: "the user `NAME` of --access-token"},
		&cmdline.Flag{Name: "access-token", Secret: true, Group: catService, Value: cmdline.String(&o.accessToken),
			Usage: "personal access token, `SECRET`", Detail: credential.Forms},
		&cmdline.Flag{Name: "anonymous", Group: catService, Value: cmdline.Bool(&o.anonymous),
			Usage: "send no credentials, not even those of the stored login"},
		tokenStoreFlag(&o.store),
		&cmdline.Flag{Name: "emulator", Group: catService, Value: cmdline.Bool(&o.emulator),
			Usage: "use the built-in stand-in instead of the service"},
	)
}

func tokenStoreFlag(store *string) *cmdline.Flag {
	return &cmdline.Flag{Name: "token-store", Rare: true, Group: catService, Value: cmdline.String(store),
		Usage: "where logins are kept: `auto|keyring|file`; auto takes the file where there is no keyring"}
}

// check finds credentials that exclude each other: the server refuses two forms
// at once.
func (o *drogueAccount) check() error {
	switch {
	case o.token != "" && o.accessToken != "":
		return cmdline.FlagErrorf("--token", " and --access-token exclude each other")
	case o.token != "" && o.user != "":
		return cmdline.FlagErrorf("--user", " goes with --access-token, not with --token")
	case o.accessToken != "" && o.user == "":
		return cmdline.Usagef("--access-token needs --user")
	case o.user != "" && o.accessToken == "":
		return cmdline.Usagef("--user needs --access-token")
	case o.anonymous && (o.typed("token") || o.typed("access-token")):
		return cmdline.FlagErrorf("--anonymous", " excludes --token and --access-token")
	case strings.Contains(o.user, ":"):
		return cmdline.FlagErrorf("--user", " must not contain a colon")
	}
	return checkTokenStore(o.store)
}

func checkTokenStore(store string) error {
	switch tokenstore.Place(store) {
	case tokenstore.Auto, tokenstore.Keyring, tokenstore.File:
		return nil
	}
	return cmdline.FlagErrorf("--token-store", " %q: expected auto, keyring or file", cmdline.Cut(store, 24))
}

// drogueCredentials are where the credentials of a run come from; all of it is nil
// for nobody.
type drogueCredentials struct {
	token       proto.TokenSource
	renewable   bool // token may give another one the next time
	accessToken proto.TokenSource
	user        string
	stored      bool // token is that of the stored login
}

// credentials are those of the flags or else, for an installation whose API is
// known, those of the stored login.
func (s *stream) credentials(ctx context.Context, o *drogueAccount, api string) (c drogueCredentials, err error) {
	if o.anonymous {
		return c, nil
	}
	if c.token, c.renewable, err = s.source("--token", o.token); err != nil {
		return c, err
	}
	if c.accessToken, _, err = s.source("--access-token", o.accessToken); err != nil {
		return c, err
	}
	c.user = o.user
	if c.token != nil || c.accessToken != nil || api == "" {
		return c, nil
	}
	k, err := s.keeper(o.store, api)
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
	if errors.Is(err, login.ErrNone) || is[*login.EndedError](err) {
		return &proto.CredentialError{Err: err}
	}
	return err
}

// credential asks for the credential itself.
func (c *drogueCredentials) credential(ctx context.Context) (d proto.DrogueCredential, err error) {
	d.User = c.user
	switch {
	case c.token != nil:
		d.Token, err = c.token(ctx)
	case c.accessToken != nil:
		d.AccessToken, err = c.accessToken(ctx)
	}
	return d, err
}

// keeper keeps the login of an API.
func (s *stream) keeper(store, api string) (*login.Keeper, error) {
	folder, err := s.stateFolder()
	if err != nil {
		return nil, err
	}
	return &login.Keeper{
		Store: tokenstore.Open(folder, tokenstore.Place(store)), Key: loginKey(api), Client: s.client(),
		Secret: func(v string) { s.say.Add(v) },
		Warn:   func(text string) { s.warn("%s", text) },
	}, nil
}

// stateFolder is where what hark remembers is kept: $XDG_STATE_HOME/hark or, when
// this is not set, the folder for configuration.
func (p *program) stateFolder() (string, error) {
	if dir, ok := p.LookupEnv("XDG_STATE_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "hark"), nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", cmdline.Usagef("no place for logins: neither XDG_STATE_HOME nor HOME is set")
	}
	return filepath.Join(dir, "hark"), nil
}

// emulateDrogue puts the built-in stand-in in the place of the installation.
func (s *stream) emulateDrogue(o *drogueAccount) error {
	if !o.emulator {
		return nil
	}
	if o.typed("api") {
		return cmdline.FlagErrorf("--api", " and --emulator exclude each other")
	}
	err := s.emulate(drogueEmulator(), o.typed, &o.endpoint,
		demo{"token", "HARK_DROGUE_TOKEN", &o.token},
		demo{"user", "", &o.user}, demo{"access-token", "", &o.accessToken})
	if err != nil {
		return err
	}
	o.api = s.standIn.demo[cmdline.VariableName("drogue", "api")]
	return nil
}
