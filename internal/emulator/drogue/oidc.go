package drogue

import (
	"encoding/base64"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/proto/drogue/wire"
)

// The issuer is a minimal OpenID Connect provider with the addresses of Keycloak. Every
// login succeeds at once as DrogueUser, without a form.

const (
	codeLifetime       = time.Minute
	deviceCodeLifetime = 10 * time.Minute
	deviceCodeInterval = 5 * time.Second
	// ServiceClient is the confidential client of the client credentials
	// grant, with DrogueServiceSecret; its account may read every application.
	ServiceClient = "services"
	ServiceSecret = "demoServiceSecretOfHarkEmulator"
)

// An oauthError is the body of a refusal (RFC 6749, section 5.2).
type oauthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

func oauthRefuse(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Cache-Control", "no-store")
	answer(w, status, oauthError{code, text})
}

// serveSSO answers requests to the issuer.
func (d *server) serveSSO(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix("/"+ssoPrefix+r.URL.Path, realmPath)
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	switch r.Method + " " + strings.TrimPrefix(path, "/protocol/openid-connect") {
	case "GET /.well-known/openid-configuration":
		answer(w, http.StatusOK, d.openIDConfiguration(r))
	case "GET /certs":
		answer(w, http.StatusOK, d.issuer.keySet())
	case "GET /auth":
		d.serveAuthorize(w, r)
	case "POST /token":
		d.serveToken(w, r)
	case "POST /auth/device":
		d.serveDeviceCode(w, r)
	case "GET /device":
		d.serveDeviceLogin(w, r)
	case "GET /userinfo":
		d.serveUserInfo(w, r)
	case "POST /logout", "POST /revoke":
		d.serveLogout(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// openIDConfiguration is the metadata of the issuer (OpenID Connect Discovery
// 1.0, section 3).
func (d *server) openIDConfiguration(r *http.Request) map[string]any {
	issuer := requestBase(r).String() + realmPath
	base := issuer + "/protocol/openid-connect"
	c := map[string]any{
		"issuer":                                issuer,
		"authorization_endpoint":                base + "/auth",
		"token_endpoint":                        base + "/token",
		"jwks_uri":                              base + "/certs",
		"userinfo_endpoint":                     base + "/userinfo",
		"end_session_endpoint":                  base + "/logout",
		"revocation_endpoint":                   base + "/revoke",
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"code_challenge_methods_supported":      []string{"plain", "S256"},
		"scopes_supported":                      []string{"openid", "offline_access", "profile"},
		"grant_types_supported":                 d.grantTypes(),
		"token_endpoint_auth_methods_supported": []string{"none", "client_secret_post", "client_secret_basic"},
	}
	if d.opts.DeviceFlow {
		c["device_authorization_endpoint"] = base + "/auth/device"
	}
	return c
}

func (d *server) grantTypes() []string {
	types := []string{"authorization_code", "refresh_token", "client_credentials"}
	if d.opts.DeviceFlow {
		types = append(types, deviceGrantType)
	}
	return types
}

// deviceGrantType is the grant of RFC 8628, section 3.4.
const deviceGrantType = "urn:ietf:params:oauth:grant-type:device_code"

// keySet is the public key as a JWK set (RFC 7517).
func (i *issuer) keySet() map[string]any {
	enc := base64.RawURLEncoding
	return map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": keyID,
		"n": enc.EncodeToString(i.key.N.Bytes()),
		"e": enc.EncodeToString(big.NewInt(int64(i.key.E)).Bytes()),
	}}}
}

// redirectAllowed reports whether a redirect address is allowed: the usual setup
// accepts any port of localhost, but not 127.0.0.1 (drogue-cloud-helm-charts,
// post-install-job.yaml).
func redirectAllowed(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "http" && u.Hostname() == "localhost"
}

// serveAuthorize logs DrogueUser in and sends the browser back with a code (RFC
// 6749, section 4.1; RFC 7636).
func (d *server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	redirect := q.Get("redirect_uri")
	if q.Get("client_id") != wire.ClientID || !redirectAllowed(redirect) {
		http.Error(w, "Invalid parameter: client_id or redirect_uri", http.StatusBadRequest)
		return
	}
	target, err := url.Parse(redirect)
	if err != nil {
		http.Error(w, "Invalid parameter: redirect_uri", http.StatusBadRequest)
		return
	}
	back := target.Query()
	if state := q.Get("state"); state != "" {
		back.Set("state", state)
	}
	challenge := q.Get("code_challenge")
	switch {
	case q.Get("response_type") != "code":
		back.Set("error", "unsupported_response_type")
	case challenge != "" && q.Get("code_challenge_method") != "S256":
		back.Set("error", "invalid_request")
		back.Set("error_description", "code_challenge_method must be S256")
	default:
		back.Set("code", d.logins.code(grant{
			client: wire.ClientID, redirect: redirect, challenge: challenge, scope: q.Get("scope"),
			nonce: q.Get("nonce"), user: User, expires: time.Now().Add(codeLifetime),
		}))
	}
	target.RawQuery = back.Encode()
	http.Redirect(w, r, target.String(), http.StatusFound)
}

// serveToken is the token endpoint.
func (d *server) serveToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		oauthRefuse(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	client, secret, ok := r.BasicAuth()
	if !ok {
		client, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if !slices.Contains(clients(), client) || client == ServiceClient && secret != ServiceSecret {
		oauthRefuse(w, http.StatusUnauthorized, "invalid_client", "Invalid client or Invalid client credentials")
		return
	}
	var g grant
	var refusal oauthError
	switch kind := r.PostForm.Get("grant_type"); kind {
	case "authorization_code":
		g, refusal = d.logins.redeem(client, r.PostForm)
	case "refresh_token":
		g, refusal = d.logins.renew(client, r.PostForm.Get("refresh_token"), d.opts.KeepRefreshTokens)
	case deviceGrantType:
		g, refusal = d.logins.poll(client, r.PostForm.Get("device_code"), d.opts.DeviceFlow)
	case "client_credentials":
		if client != ServiceClient {
			refusal = oauthError{"unauthorized_client", "Client not enabled to retrieve service account"}
		}
		g = grant{client: client, user: "service-account-" + ServiceClient}
	default:
		refusal = oauthError{"unsupported_grant_type", "Unsupported grant_type"}
	}
	if refusal.Error != "" {
		oauthRefuse(w, http.StatusBadRequest, refusal.Error, refusal.Description)
		return
	}
	d.issue(w, r, g)
}

// issue responds with tokens (RFC 6749, section 5.1).
func (d *server) issue(w http.ResponseWriter, r *http.Request, g grant) {
	now, base := time.Now(), requestBase(r)
	var roles []string
	if g.client == ServiceClient {
		roles = []string{adminRole}
	}
	c := d.issuer.claims(base, g.user, d.opts.IssuedLifetime, roles...)
	c.Party, c.Audience, c.Scope = g.client, audience{g.client}, g.scope
	access, err := d.issuer.sign(c)
	tokens := map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": int(d.opts.IssuedLifetime.Seconds()), "scope": g.scope,
	}
	if err == nil && slices.Contains(strings.Fields(g.scope), "openid") {
		c.Type, c.Nonce, c.ResourceAccess = "ID", g.nonce, nil
		c.IssuedAt = now.Unix()
		tokens["id_token"], err = d.issuer.sign(c)
	}
	if err != nil {
		oauthRefuse(w, http.StatusInternalServerError, "server_error", err.Error())
		return
	}
	if g.client != ServiceClient {
		tokens["refresh_token"] = d.logins.remember(g)
	}
	w.Header().Set("Cache-Control", "no-store")
	answer(w, http.StatusOK, tokens)
}

// serveDeviceCode starts a login on another device (RFC 8628, section 3.1).
func (d *server) serveDeviceCode(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		oauthRefuse(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	if !d.opts.DeviceFlow || r.PostForm.Get("client_id") != wire.ClientID {
		oauthRefuse(w, http.StatusBadRequest, "unauthorized_client",
			"Client is not allowed to initiate OAuth 2.0 Device Authorization Grant. The flow is disabled for the client.")
		return
	}
	code, userCode := d.logins.device(r.PostForm.Get("scope"))
	page := requestBase(r).String() + realmPath + "/protocol/openid-connect/device"
	answer(w, http.StatusOK, map[string]any{
		"device_code": code, "user_code": userCode, "verification_uri": page,
		"verification_uri_complete": page + "?user_code=" + userCode,
		"expires_in":                int(deviceCodeLifetime.Seconds()), "interval": int(deviceCodeInterval.Seconds()),
	})
}

// serveDeviceLogin is the page that the user opens: opening it is the consent.
func (d *server) serveDeviceLogin(w http.ResponseWriter, r *http.Request) {
	d.logins.mu.Lock()
	defer d.logins.mu.Unlock()
	for _, g := range d.logins.devices {
		if g.userCode == r.URL.Query().Get("user_code") {
			g.approved = true
			_, _ = w.Write([]byte("Device Login Successful\n"))
			return
		}
	}
	http.Error(w, "Invalid code", http.StatusBadRequest)
}

// serveUserInfo responds with the user of an access token.
func (d *server) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	who, err := d.bearer(token)
	if err != nil {
		oauthRefuse(w, http.StatusUnauthorized, "invalid_token", "Token verification failed")
		return
	}
	answer(w, http.StatusOK, map[string]string{"sub": who.id, "preferred_username": who.user})
}

// serveLogout revokes a refresh token, if there is one.
func (d *server) serveLogout(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		oauthRefuse(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	d.logins.mu.Lock()
	defer d.logins.mu.Unlock()
	delete(d.logins.refresh, r.PostForm.Get("refresh_token"))
	delete(d.logins.refresh, r.PostForm.Get("token"))
	w.WriteHeader(http.StatusNoContent)
}
