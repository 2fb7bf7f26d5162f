package emulator

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/proto/wire"
)

// drogueVersion is what the version document says.
const drogueVersion = "0.11.0"

// serveAPI answers requests to the API: discovery, who am I, access tokens
// (drogue-cloud, console-backend/src/lib.rs).
func (d *drogue) serveAPI(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case path == wire.DroguePathEndpoints:
		drogueAnswer(w, http.StatusOK, d.endpoints(r, !d.opts.NoDiscovery))
	case path == wire.DroguePathVersion:
		drogueAnswer(w, http.StatusOK, map[string]string{"version": drogueVersion})
	case path == wire.DroguePathInfo:
		if _, refusal := d.authenticate(r); refusal != nil {
			refusal.write(w)
			return
		}
		drogueAnswer(w, http.StatusOK, d.endpoints(r, true))
	case path == wire.DroguePathWhoami:
		if who := d.user(w, r); who.user != "" {
			drogueAnswer(w, http.StatusOK, map[string]string{"id": who.id})
		}
	case path == wire.DroguePathApps:
		if who := d.user(w, r); who.user != "" {
			drogueAnswer(w, http.StatusOK, d.applications(who))
		}
	case path == wire.DroguePathTokens || strings.HasPrefix(path, wire.DroguePathTokens+"/"):
		d.serveTokens(w, r, strings.TrimPrefix(path[len(wire.DroguePathTokens):], "/"))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// applications are those of a user, as the registry lists them.
func (d *drogue) applications(who drogueIdentity) []map[string]any {
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(d.apps)) {
		if app := d.apps[name]; app.owner == who.user {
			list = append(list, map[string]any{"metadata": map[string]any{"name": name, "uid": app.uid}})
		}
	}
	return list
}

func drogueAnswer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(mustJSON(body))
}

// user identifies a client that must not be anonymous; otherwise it answers and
// returns nobody.
func (d *drogue) user(w http.ResponseWriter, r *http.Request) drogueIdentity {
	who, refusal := d.authenticate(r)
	if refusal == nil && who.user == "" {
		refusal = forbidden(wire.DrogueForbidden)
	}
	if refusal != nil {
		refusal.write(w)
		return drogueIdentity{}
	}
	return who
}

// requestBase is the address at which a request has reached the emulator.
func requestBase(r *http.Request) *url.URL {
	u := &url.URL{Scheme: "http", Host: r.Host}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return u
}

// endpoints is the discovery document.
func (d *drogue) endpoints(r *http.Request, socket bool) wire.DrogueEndpoints {
	base := requestBase(r)
	e := wire.DrogueEndpoints{
		API:       base.JoinPath(drogueAPIPrefix).String(),
		HTTP:      &wire.DrogueURL{URL: base.JoinPath(drogueHTTPPrefix).String()},
		SSO:       base.JoinPath(drogueSSOPrefix).String(),
		IssuerURL: base.String() + drogueRealmPath,
		Registry:  &wire.DrogueURL{URL: base.JoinPath(drogueAPIPrefix).String()},
	}
	if d.opts.Issuer != nil {
		e.IssuerURL = d.opts.Issuer.URL
	}
	if socket {
		e.WebSocket = &wire.DrogueURL{URL: socketBase(base.JoinPath(drogueSocketPrefix))}
	}
	return e
}

// drogueTokens are the personal access tokens of all users (drogue-cloud,
// access-token-service).
type drogueTokens struct {
	mu     sync.Mutex
	rand   *rand.Rand
	tokens []drogueToken
}

type drogueToken struct {
	user, token string
	created     time.Time
	description string
}

func newDrogueTokens(r *rand.Rand) *drogueTokens {
	return &drogueTokens{rand: r, tokens: []drogueToken{
		{user: DrogueUser, token: DrogueAccessToken, created: time.Now(), description: "demo"},
	}}
}

// owner identifies the user of an access token. One with a wrong checksum is not
// even looked up, and none carries a role.
func (t *drogueTokens) owner(user, token string) (drogueIdentity, bool) {
	if !wire.DrogueAccessTokenValid(token) {
		return drogueIdentity{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, known := range t.tokens {
		if known.user == user && known.token == token {
			return drogueIdentity{user: user, id: drogueUserID(user)}, true
		}
	}
	return drogueIdentity{}, false
}

// create makes an access token.
func (t *drogueTokens) create(user, description string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	token, err := wire.DrogueAccessToken(randomAlnum(t.rand, 6), randomAlnum(t.rand, 30))
	if err != nil {
		panic(err) // the lengths are right
	}
	t.tokens = append(t.tokens, drogueToken{user, token, time.Now(), description})
	return token
}

func (t *drogueTokens) remove(user, prefix string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens = slices.DeleteFunc(t.tokens, func(known drogueToken) bool {
		return known.user == user && wire.DrogueAccessTokenPrefix(known.token) == prefix
	})
}

// A drogueTokenEntry is an access token as it is listed: the token itself is
// shown only once.
type drogueTokenEntry struct {
	Prefix      string    `json:"prefix"`
	Created     time.Time `json:"created"`
	Description string    `json:"description,omitempty"`
}

func (t *drogueTokens) list(user string) []drogueTokenEntry {
	t.mu.Lock()
	defer t.mu.Unlock()
	entries := []drogueTokenEntry{}
	for _, known := range t.tokens {
		if known.user == user {
			entries = append(entries, drogueTokenEntry{
				wire.DrogueAccessTokenPrefix(known.token), known.created.UTC(), known.description,
			})
		}
	}
	return entries
}

// serveTokens creates, lists and deletes access tokens.
func (d *drogue) serveTokens(w http.ResponseWriter, r *http.Request, prefix string) {
	who := d.user(w, r)
	if who.user == "" {
		return
	}
	switch {
	case prefix == "" && r.Method == http.MethodPost:
		token := d.tokens.create(who.user, r.URL.Query().Get("description"))
		drogueAnswer(w, http.StatusOK, map[string]string{"prefix": wire.DrogueAccessTokenPrefix(token), "token": token})
	case prefix == "" && r.Method == http.MethodGet:
		drogueAnswer(w, http.StatusOK, d.tokens.list(who.user))
	case prefix != "" && r.Method == http.MethodDelete:
		d.tokens.remove(who.user, prefix)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}
