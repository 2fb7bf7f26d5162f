package drogue

import (
	"crypto/sha256"
	"encoding/base64"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/drogue/wire"
)

// logins are the issued codes and refresh tokens.
type logins struct {
	mu      sync.Mutex
	rand    *rand.Rand
	codes   map[string]grant
	devices map[string]*deviceGrant // by device code
	refresh map[string]grant
}

// A grant is the login of a code or a refresh token.
type grant struct {
	client, redirect, challenge string
	scope, nonce                string
	user                        string
	expires                     time.Time // zero: never
}

// A deviceGrant is a login on another device (RFC 8628).
type deviceGrant struct {
	grant
	userCode string
	approved bool
	polled   time.Time
	interval time.Duration
}

func newLogins(r *rand.Rand) *logins {
	return &logins{
		rand: r, codes: make(map[string]grant), devices: make(map[string]*deviceGrant), refresh: make(map[string]grant),
	}
}

func (l *logins) code(g grant) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	code := emulator.RandomUUID(l.rand)
	l.codes[code] = g
	return code
}

// redeem redeems a code, once.
func (l *logins) redeem(client string, form url.Values) (grant, oauthError) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g, ok := l.codes[form.Get("code")]
	delete(l.codes, form.Get("code"))
	switch sum := sha256.Sum256([]byte(form.Get("code_verifier"))); {
	case !ok || g.client != client || !time.Now().Before(g.expires):
		return g, oauthError{"invalid_grant", "Code not valid"}
	case g.redirect != form.Get("redirect_uri"):
		return g, oauthError{"invalid_grant", "Incorrect redirect_uri"}
	case g.challenge != "" && g.challenge != base64.RawURLEncoding.EncodeToString(sum[:]):
		return g, oauthError{"invalid_grant", "PKCE verification failed"}
	}
	return g, oauthError{}
}

// renew redeems a refresh token, which becomes invalid unless KeepRefreshTokens is set.
func (l *logins) renew(client, token string, keep bool) (grant, oauthError) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g, ok := l.refresh[token]
	if !ok || g.client != client {
		return g, oauthError{"invalid_grant", "Invalid refresh token"}
	}
	if !keep {
		delete(l.refresh, token)
	}
	return g, oauthError{}
}

// remember issues a refresh token.
func (l *logins) remember(g grant) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	token := emulator.RandomAlnum(l.rand, 64)
	l.refresh[token] = g
	return token
}

func (l *logins) device(scope string) (code, userCode string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	code = emulator.RandomAlnum(l.rand, 43)
	userCode = strings.ToUpper(emulator.RandomHex(l.rand, 4) + "-" + emulator.RandomHex(l.rand, 4))
	l.devices[code] = &deviceGrant{
		grant:    grant{client: wire.ClientID, scope: scope, user: User, expires: time.Now().Add(deviceCodeLifetime)},
		userCode: userCode, interval: deviceCodeInterval,
	}
	return code, userCode
}

// poll reports whether the user has logged in on another device (RFC 8628, section
// 3.5).
func (l *logins) poll(client, code string, enabled bool) (grant, oauthError) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	g := l.devices[code]
	switch {
	case !enabled:
		return grant{}, oauthError{"unauthorized_client", "the device flow is disabled for the client"}
	case g == nil || g.client != client:
		return grant{}, oauthError{"invalid_grant", "Device code not valid"}
	case !now.Before(g.expires):
		delete(l.devices, code)
		return grant{}, oauthError{"expired_token", "Device code is expired"}
	case g.approved:
		delete(l.devices, code)
		return g.grant, oauthError{}
	case !g.polled.IsZero() && now.Sub(g.polled) < g.interval:
		g.polled = now
		g.interval += deviceCodeInterval
		return grant{}, oauthError{"slow_down", "Slow down"}
	}
	g.polled = now
	return grant{}, oauthError{"authorization_pending", "The authorization request is still pending"}
}
