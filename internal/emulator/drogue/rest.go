package drogue

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/drogue/wire"
)

// version is the version in the version document.
const version = "0.11.0"

// serveAPI answers requests to the API: discovery, who am I, access tokens
// (drogue-cloud, console-backend/src/lib.rs).
func (d *server) serveAPI(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case path == wire.PathEndpoints:
		answer(w, http.StatusOK, d.endpoints(r, !d.opts.NoDiscovery))
	case path == wire.PathVersion:
		answer(w, http.StatusOK, map[string]string{"version": version})
	case path == wire.PathInfo:
		if _, refusal := d.authenticate(r); refusal != nil {
			refusal.write(w)
			return
		}
		answer(w, http.StatusOK, d.endpoints(r, true))
	case path == wire.PathWhoami:
		if who := d.user(w, r); who.user != "" {
			answer(w, http.StatusOK, map[string]string{"id": who.id})
		}
	case path == wire.PathApps:
		if who := d.user(w, r); who.user != "" {
			answer(w, http.StatusOK, d.applications(who))
		}
	case path == wire.PathTokens || strings.HasPrefix(path, wire.PathTokens+"/"):
		d.serveTokens(w, r, strings.TrimPrefix(path[len(wire.PathTokens):], "/"))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// applications returns the applications of a user, as listed by the registry.
func (d *server) applications(who identity) []map[string]any {
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(d.apps)) {
		if app := d.apps[name]; app.owner == who.user {
			list = append(list, map[string]any{"metadata": map[string]any{"name": name, "uid": app.uid}})
		}
	}
	return list
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(emulator.MustJSON(body))
}

// user identifies a client that must not be anonymous; otherwise it sends an error and
// returns nil.
func (d *server) user(w http.ResponseWriter, r *http.Request) identity {
	who, refusal := d.authenticate(r)
	if refusal == nil && who.user == "" {
		refusal = forbidden(wire.Forbidden)
	}
	if refusal != nil {
		refusal.write(w)
		return identity{}
	}
	return who
}

// requestBase returns the address at which a request has reached the emulator.
func requestBase(r *http.Request) *url.URL {
	u := &url.URL{Scheme: "http", Host: r.Host}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return u
}

// endpoints returns the discovery document.
func (d *server) endpoints(r *http.Request, socket bool) wire.Endpoints {
	base := requestBase(r)
	e := wire.Endpoints{
		API:       base.JoinPath(apiPrefix).String(),
		HTTP:      &wire.URL{URL: base.JoinPath(httpPrefix).String()},
		SSO:       base.JoinPath(ssoPrefix).String(),
		IssuerURL: base.String() + realmPath,
		Registry:  &wire.URL{URL: base.JoinPath(apiPrefix).String()},
	}
	if d.opts.Issuer != nil {
		e.IssuerURL = d.opts.Issuer.URL
	}
	if socket {
		e.WebSocket = &wire.URL{URL: emulator.SocketBase(base.JoinPath(socketPrefix))}
	}
	return e
}

// accessTokens are the personal access tokens of all users (drogue-cloud,
// access-token-service).
type accessTokens struct {
	mu     sync.Mutex
	rand   *rand.Rand
	tokens []accessToken
}

type accessToken struct {
	user, token string
	created     time.Time
	description string
}

func newAccessTokens(r *rand.Rand) *accessTokens {
	return &accessTokens{rand: r, tokens: []accessToken{
		{user: User, token: AccessToken, created: time.Now(), description: "demo"},
	}}
}

// owner identifies the user of an access token. One with a wrong checksum is not looked
// up, and none has a role.
func (t *accessTokens) owner(user, token string) (identity, bool) {
	if !wire.AccessTokenValid(token) {
		return identity{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, known := range t.tokens {
		if known.user == user && known.token == token {
			return identity{user: user, id: userID(user)}, true
		}
	}
	return identity{}, false
}

// create creates an access token.
func (t *accessTokens) create(user, description string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	token, err := wire.AccessToken(emulator.RandomAlnum(t.rand, 6), emulator.RandomAlnum(t.rand, 30))
	if err != nil {
		panic(err) // the lengths are right
	}
	t.tokens = append(t.tokens, accessToken{user, token, time.Now(), description})
	return token
}

func (t *accessTokens) remove(user, prefix string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens = slices.DeleteFunc(t.tokens, func(known accessToken) bool {
		return known.user == user && wire.AccessTokenPrefix(known.token) == prefix
	})
}

// A tokenEntry is an access token as it is listed: the token itself is
// shown only once.
type tokenEntry struct {
	Prefix      string    `json:"prefix"`
	Created     time.Time `json:"created"`
	Description string    `json:"description,omitempty"`
}

func (t *accessTokens) list(user string) []tokenEntry {
	t.mu.Lock()
	defer t.mu.Unlock()
	entries := []tokenEntry{}
	for _, known := range t.tokens {
		if known.user == user {
			entries = append(entries, tokenEntry{
				wire.AccessTokenPrefix(known.token), known.created.UTC(), known.description,
			})
		}
	}
	return entries
}

// serveTokens creates, lists and deletes access tokens.
func (d *server) serveTokens(w http.ResponseWriter, r *http.Request, prefix string) {
	who := d.user(w, r)
	if who.user == "" {
		return
	}
	switch {
	case prefix == "" && r.Method == http.MethodPost:
		token := d.tokens.create(who.user, r.URL.Query().Get("description"))
		answer(w, http.StatusOK, map[string]string{"prefix": wire.AccessTokenPrefix(token), "token": token})
	case prefix == "" && r.Method == http.MethodGet:
		answer(w, http.StatusOK, d.tokens.list(who.user))
	case prefix != "" && r.Method == http.MethodDelete:
		d.tokens.remove(who.user, prefix)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}
