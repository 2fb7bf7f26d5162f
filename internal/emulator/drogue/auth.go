package drogue

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/drogue/wire"
)

// The demo account of Drogue Cloud.
const (
	User = "demo"
	// AccessToken is a personal access token of DrogueUser, for Basic
	// authentication and api_key.
	AccessToken = "drg_demo01_DemoAccessTokenOfHarkEmulator01m8bQQ"
)

// Applications, and a channel of the first.
const (
	DemoApplication        = "demo-app"    // belongs to DrogueUser
	DemoPublicApplication  = "public-app"  // anonymous may read it
	DemoPrivateApplication = "private-app" // belongs to someone else
	DemoChannel            = "temperature"
)

// adminRole is the role that may read every application.
const adminRole = "drogue-admin"

// An identity is an authenticated client.
type identity struct {
	user    string    // "" is anonymous
	id      string    // of the user
	roles   []string  // none for a personal access token
	expires time.Time // of an OpenID Connect token; zero otherwise
}

// A refusal is a response instead of an upgrade.
type refusal struct {
	status int
	body   wire.Error
}

func forbidden(message string) *refusal {
	return &refusal{http.StatusForbidden, wire.Error{Error: wire.Forbidden, Message: message}}
}

func (f *refusal) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	_, _ = w.Write(emulator.MustJSON(f.body))
}

// refuse sends the error response of a service of Drogue Cloud.
func refuse(w http.ResponseWriter, status int, text string) {
	(&refusal{status, wire.Error{Error: wire.Internal, Message: "Internal: " + text}}).write(w)
}

// credentials are the credentials of a request, in all forms.
type credentials struct {
	forms          int
	bearer         string
	isBearer       bool
	isKey          bool // api_key
	username, pass string
}

// credentialsOf finds credentials like drogue-bazaar,
// src/actix/auth/authentication/middleware.rs. If they cannot be parsed, the client is
// anonymous.
func credentialsOf(r *http.Request) (c credentials) {
	header := r.Header.Get("Authorization")
	if token, ok := strings.CutPrefix(header, "Bearer "); ok {
		c.forms++
		c.bearer, c.isBearer = token, true
	} else if text, ok := strings.CutPrefix(header, "Basic "); ok {
		if b, err := base64.StdEncoding.DecodeString(text); err == nil {
			if user, pass, ok := strings.Cut(string(b), ":"); ok {
				c.forms++
				c.username, c.pass = user, pass
			}
		}
	}
	q := r.URL.Query()
	for _, name := range []string{wire.ParamToken, wire.ParamUsername, wire.ParamAPIKey} {
		if len(q[name]) > 1 {
			return c // a query with a duplicate parameter has no credentials
		}
	}
	if q.Has(wire.ParamToken) {
		c.forms++
		c.bearer, c.isBearer = q.Get(wire.ParamToken), true
	}
	if q.Has(wire.ParamUsername) && q.Has(wire.ParamAPIKey) {
		c.forms++
		c.username, c.pass, c.isKey = q.Get(wire.ParamUsername), q.Get(wire.ParamAPIKey), true
	}
	return c
}

// authenticate returns the identity of the sender of a request.
func (d *server) authenticate(r *http.Request) (identity, *refusal) {
	switch c := credentialsOf(r); {
	case c.forms > 1:
		return identity{}, forbidden("Invalid request: More than one way of authentication provided")
	case c.forms == 0:
		return identity{}, nil
	case c.isBearer:
		who, err := d.bearer(c.bearer)
		if err != nil {
			return who, forbidden(wire.Forbidden)
		}
		return who, nil
	case c.pass == "" && !c.isKey:
		return identity{}, forbidden("Invalid request: No access token provided.")
	case d.opts.NoAccessTokens:
		return identity{}, forbidden("Invalid request: Access token authentication disabled")
	default:
		who, ok := d.tokens.owner(c.username, c.pass)
		if !ok {
			return who, forbidden(wire.Forbidden)
		}
		return who, nil
	}
}

// bearer identifies the owner of an OpenID Connect access token.
func (d *server) bearer(token string) (identity, error) {
	if d.opts.Issuer != nil {
		user, expires, err := d.opts.Issuer.Verify(token)
		if err == nil && !time.Now().Before(expires) {
			err = errors.New("token has expired")
		}
		return identity{user: user, id: userID(user), expires: expires}, err
	}
	var c claims
	if err := d.issuer.verify(token, &c); err != nil {
		return identity{}, err
	}
	if err := c.validate(time.Now()); err != nil {
		return identity{}, err
	}
	return identity{
		user:    c.Username,
		id:      c.Subject,
		roles:   c.ResourceAccess["drogue"].Roles,
		expires: time.Unix(c.Expires, 0),
	}, nil
}

// authorize refuses identities that may not read an application. The refusal is the
// same for an application that does not exist.
func (d *server) authorize(who identity, name string) (*application, *refusal) {
	if app := d.apps[name]; app != nil && app.mayRead(who) {
		return app, nil
	}
	return nil, &refusal{http.StatusNotFound, wire.Error{
		Error: wire.NotFound, Message: "Resource not found: Application / " + name,
	}}
}

// mayRead follows drogue-cloud, database-common/src/auth.rs.
func (a *application) mayRead(who identity) bool {
	return slices.Contains(who.roles, adminRole) || a.owner == "" || who.user != "" && who.user == a.owner ||
		slices.Contains(a.members, who.user)
}

// claims returns the claims of an access token for a user, with the issuer below base.
func (i *issuer) claims(base *url.URL, user string, lifetime time.Duration, roles ...string) claims {
	now := time.Now()
	return claims{
		Issuer: base.String() + realmPath, Audience: audience{wire.ClientID}, Subject: userID(user),
		Type: "Bearer", Party: wire.ClientID, Username: user,
		IssuedAt: now.Unix(), Expires: now.Add(lifetime).Unix(),
		ResourceAccess: map[string]userRoles{wire.ClientID: {append([]string{"drogue-user"}, roles...)}},
	}
}

// token returns an access token for a user.
func (i *issuer) token(base *url.URL, user string, lifetime time.Duration, roles ...string) (string, error) {
	return i.sign(i.claims(base, user, lifetime, roles...))
}

// Token returns an OpenID Connect access token of DrogueUser that expires after
// lifetime, for an emulator that serves Drogue Cloud at base.
func Token(base string, lifetime time.Duration) (string, error) {
	u, err := emulator.BaseURL(base)
	if err != nil {
		return "", err
	}
	i, err := newIssuer()
	if err != nil {
		return "", err
	}
	return i.token(u, User, lifetime)
}
