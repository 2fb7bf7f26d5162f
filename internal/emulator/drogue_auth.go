package emulator

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/proto/wire"
)

// The demo account of Drogue Cloud.
const (
	DrogueUser = "demo"
	// DrogueAccessToken is a personal access token of DrogueUser, for Basic
	// authentication and api_key.
	DrogueAccessToken = "drg_demo01_DemoAccessTokenOfHarkEmulator01m8bQQ"
)

// Applications, and a channel of the first.
const (
	DemoApplication        = "demo-app"    // belongs to DrogueUser
	DemoPublicApplication  = "public-app"  // anonymous may read it
	DemoPrivateApplication = "private-app" // belongs to somebody else
	DemoChannel            = "temperature"
)

// drogueAdmin is the role that may read every application.
const drogueAdmin = "drogue-admin"

// A drogueIdentity is who a client turned out to be.
type drogueIdentity struct {
	user    string    // "" is anonymous
	id      string    // of the user
	roles   []string  // a personal access token carries none
	expires time.Time // of an OpenID Connect token; zero otherwise
}

// A drogueRefusal is an answer instead of an upgrade.
type drogueRefusal struct {
	status int
	body   wire.DrogueError
}

func forbidden(message string) *drogueRefusal {
	return &drogueRefusal{http.StatusForbidden, wire.DrogueError{Error: wire.DrogueForbidden, Message: message}}
}

func (f *drogueRefusal) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	_, _ = w.Write(mustJSON(f.body))
}

// drogueRefuse answers as a service of Drogue Cloud does that has failed.
func drogueRefuse(w http.ResponseWriter, status int, text string) {
	(&drogueRefusal{status, wire.DrogueError{Error: wire.DrogueInternal, Message: "Internal: " + text}}).write(w)
}

// drogueCredentials are the forms that came with a request.
type drogueCredentials struct {
	forms          int
	bearer         string
	isBearer       bool
	isKey          bool // api_key
	username, pass string
}

// credentialsOf finds credentials as drogue-bazaar,
// src/actix/auth/authentication/middleware.rs, does. What cannot be parsed does
// not count: its sender is anonymous.
func credentialsOf(r *http.Request) (c drogueCredentials) {
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
	for _, name := range []string{wire.DrogueParamToken, wire.DrogueParamUsername, wire.DrogueParamAPIKey} {
		if len(q[name]) > 1 {
			return c // a query with a parameter twice is none
		}
	}
	if q.Has(wire.DrogueParamToken) {
		c.forms++
		c.bearer, c.isBearer = q.Get(wire.DrogueParamToken), true
	}
	if q.Has(wire.DrogueParamUsername) && q.Has(wire.DrogueParamAPIKey) {
		c.forms++
		c.username, c.pass, c.isKey = q.Get(wire.DrogueParamUsername), q.Get(wire.DrogueParamAPIKey), true
	}
	return c
}

// authenticate finds out who sent a request.
func (d *drogue) authenticate(r *http.Request) (drogueIdentity, *drogueRefusal) {
	switch c := credentialsOf(r); {
	case c.forms > 1:
		return drogueIdentity{}, forbidden("Invalid request: More than one way of authentication provided")
	case c.forms == 0:
		return drogueIdentity{}, nil
	case c.isBearer:
		who, err := d.bearer(c.bearer)
		if err != nil {
			return who, forbidden(wire.DrogueForbidden)
		}
		return who, nil
	case c.pass == "" && !c.isKey:
		return drogueIdentity{}, forbidden("Invalid request: No access token provided.")
	case d.opts.NoAccessTokens:
		return drogueIdentity{}, forbidden("Invalid request: Access token authentication disabled")
	default:
		who, ok := d.tokens.owner(c.username, c.pass)
		if !ok {
			return who, forbidden(wire.DrogueForbidden)
		}
		return who, nil
	}
}

// bearer identifies the owner of an OpenID Connect access token.
func (d *drogue) bearer(token string) (drogueIdentity, error) {
	if d.opts.Issuer != nil {
		user, expires, err := d.opts.Issuer.Verify(token)
		if err == nil && !time.Now().Before(expires) {
			err = errors.New("token has expired")
		}
		return drogueIdentity{user: user, id: drogueUserID(user), expires: expires}, err
	}
	var c claims
	if err := d.issuer.verify(token, &c); err != nil {
		return drogueIdentity{}, err
	}
	if err := c.validate(time.Now()); err != nil {
		return drogueIdentity{}, err
	}
	return drogueIdentity{
		user:    c.Username,
		id:      c.Subject,
		roles:   c.ResourceAccess["drogue"].Roles,
		expires: time.Unix(c.Expires, 0),
	}, nil
}

// authorize refuses whoever may not read an application. One that does not
// exist looks the same as one without a right to it.
func (d *drogue) authorize(who drogueIdentity, name string) (*drogueApp, *drogueRefusal) {
	if app := d.apps[name]; app != nil && app.mayRead(who) {
		return app, nil
	}
	return nil, &drogueRefusal{http.StatusNotFound, wire.DrogueError{
		Error: wire.DrogueNotFound, Message: "Resource not found: Application / " + name,
	}}
}

// mayRead follows drogue-cloud, database-common/src/auth.rs.
func (a *drogueApp) mayRead(who drogueIdentity) bool {
	return slices.Contains(who.roles, drogueAdmin) || a.owner == "" || who.user != "" && who.user == a.owner ||
		slices.Contains(a.members, who.user)
}

// claims are those of an access token for a user, as the issuer below base makes
// it.
func (d *drogue) claims(base *url.URL, user string, lifetime time.Duration, roles ...string) claims {
	now := time.Now()
	return claims{
		Issuer: base.String() + drogueRealmPath, Audience: audience{wire.DrogueClientID}, Subject: drogueUserID(user),
		Type: "Bearer", Party: wire.DrogueClientID, Username: user,
		IssuedAt: now.Unix(), Expires: now.Add(lifetime).Unix(),
		ResourceAccess: map[string]drogueRoles{wire.DrogueClientID: {append([]string{"drogue-user"}, roles...)}},
	}
}

// token makes an access token for a user.
func (d *drogue) token(base *url.URL, user string, lifetime time.Duration, roles ...string) (string, error) {
	return d.issuer.sign(d.claims(base, user, lifetime, roles...))
}

// DrogueToken makes an OpenID Connect access token of DrogueUser that expires
// after lifetime, for an emulator that serves Drogue Cloud at base.
func (e *Emulator) DrogueToken(base string, lifetime time.Duration) (string, error) {
	u, err := baseURL(base)
	if err != nil {
		return "", err
	}
	for _, s := range e.services {
		if d, ok := s.(*drogue); ok {
			return d.token(u, DrogueUser, lifetime)
		}
	}
	return "", errNoDrogue
}
