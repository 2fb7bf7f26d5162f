package login

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// A Flow is one attempt of a user to log in.
type Flow struct {
	Provider Provider
	// ClientID is the id of a public client, which has no secret.
	ClientID string
	// Client sends the requests to the provider.
	Client *http.Client
}

// scopes request a refresh token that outlives the session of the browser.
var scopes = []string{"openid", "offline_access"}

func (f *Flow) config() *oauth2.Config {
	return &oauth2.Config{
		ClientID: f.ClientID,
		Scopes:   scopes,
		Endpoint: oauth2.Endpoint{
			AuthURL: f.Provider.Authorization, TokenURL: f.Provider.Token, DeviceAuthURL: f.Provider.Device,
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

func (f *Flow) login(t *oauth2.Token) *Login {
	l := &Login{
		Issuer: f.Provider.Issuer, Token: f.Provider.Token, Revocation: f.Provider.Revocation, ClientID: f.ClientID,
	}
	l.take(t, time.Now())
	return l
}

// Listen listens on the port of localhost to which the provider redirects the browser;
// 0 is any free port. Browsers may use either of the addresses of localhost.
func Listen(port int) ([]net.Listener, error) {
	l4, err4 := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err4 == nil {
		port = l4.Addr().(*net.TCPAddr).Port
	}
	l6, err6 := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(port)))
	switch {
	case err4 != nil && err6 != nil:
		return nil, err4
	case err4 != nil:
		return []net.Listener{l6}, nil
	case err6 != nil:
		return []net.Listener{l4}, nil
	}
	return []net.Listener{l4, l6}, nil
}

// Browser logs in with a browser on this machine: authorization code with PKCE (RFC
// 6749, section 4.1; RFC 7636; RFC 8252, section 7.3). The browser is redirected to one
// of the listeners, which Browser closes. show is called with the address that the user
// must open.
func (f *Flow) Browser(ctx context.Context, listeners []net.Listener, show func(address string)) (*Login, error) {
	conf := f.config()
	_, port, err := net.SplitHostPort(listeners[0].Addr().String())
	if err != nil {
		return nil, err
	}
	conf.RedirectURL = "http://localhost:" + port
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	back := &callback{state: state, issuer: f.Provider.Issuer, codes: make(chan string, 1), failures: make(chan error, 1)}
	server := &http.Server{Handler: back, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{}, len(listeners))
	for _, l := range listeners {
		go func() {
			_ = server.Serve(l) // ended by Shutdown
			served <- struct{}{}
		}()
	}
	defer func() {
		// Let the browser get its page.
		sctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(sctx)
		server.Close()
		for range listeners {
			<-served
		}
	}()
	show(conf.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)))
	select {
	case code := <-back.codes:
		t, err := conf.Exchange(f.context(ctx), code, oauth2.VerifierOption(verifier))
		if err != nil {
			return nil, explain(ctx, err)
		}
		return f.login(t), nil
	case err := <-back.failures:
		return nil, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// callback handles the redirected request of the browser.
type callback struct {
	state, issuer string
	codes         chan string
	failures      chan error
}

func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if r.URL.Path != "/" || !q.Has("state") {
		http.NotFound(w, r) // such as a favicon
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	iss := q.Get("iss") // RFC 9207
	switch {
	case q.Get("state") != c.state, iss != "" && strings.TrimSuffix(iss, "/") != strings.TrimSuffix(c.issuer, "/"):
		w.WriteHeader(http.StatusBadRequest)
		page(w, "This is not the login that hark waits for.")
	case q.Get("error") != "":
		page(w, "The login has failed; hark says why.")
		deliver(c.failures, error(&RefusedError{Code: q.Get("error"), Description: q.Get("error_description")}))
	case q.Get("code") == "":
		w.WriteHeader(http.StatusBadRequest)
		page(w, "There is no code in this answer.")
	default:
		page(w, "You are logged in. This page can be closed.")
		deliver(c.codes, q.Get("code"))
	}
}

// deliver passes on the first of several values; a page may be loaded twice.
func deliver[T any](to chan T, v T) {
	select {
	case to <- v:
	default:
	}
}

func page(w http.ResponseWriter, text string) {
	fmt.Fprintf(w, "<!doctype html><meta charset=utf-8><title>hark</title><p>%s</p>\n", text)
}

// ErrNoDeviceFlow means that the provider does not support logging in on another
// device.
var ErrNoDeviceFlow = errors.New("the server does not offer the device flow")

// defaultInterval is the polling interval in seconds if the provider sets none (RFC
// 8628, section 3.2), longestInterval the maximum.
const (
	defaultInterval = 5
	longestInterval = 600
)

// Device logs in with a browser on any other device (RFC 8628). show is called with the
// address to open there, the address that includes the code, if any, and the code.
func (f *Flow) Device(ctx context.Context, show func(address, complete, code string)) (*Login, error) {
	if f.Provider.Device == "" {
		return nil, ErrNoDeviceFlow
	}
	conf := f.config()
	da, err := deviceAuth(f.context(ctx), conf)
	if err != nil {
		err = explain(ctx, err)
		if r, ok := errors.AsType[*RefusedError](err); ok && (r.Code == "unauthorized_client" || r.Code == "unsupported_grant_type") {
			return nil, fmt.Errorf("%w: %w", ErrNoDeviceFlow, err)
		}
		return nil, err
	}
	address, err := webAddress(da.VerificationURI)
	if err != nil {
		return nil, fmt.Errorf("login server: its verification_uri %w", err)
	}
	complete, err := webAddress(da.VerificationURIComplete)
	if err != nil {
		complete = ""
	}
	// The library's ticker accepts no others.
	if da.Interval < 1 {
		da.Interval = defaultInterval
	}
	da.Interval = min(da.Interval, longestInterval)
	show(address, complete, da.UserCode)
	t, err := conf.DeviceAccessToken(f.context(ctx), da)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, &RefusedError{Code: "expired_token", Description: "the code has expired"}
	}
	if err != nil {
		return nil, explain(ctx, err)
	}
	return f.login(t), nil
}

// deviceAuth requests a code. The library would dereference the response null.
func deviceAuth(ctx context.Context, conf *oauth2.Config) (da *oauth2.DeviceAuthResponse, err error) {
	defer func() {
		if recover() != nil {
			da, err = nil, errUnreadable
		}
	}()
	da, err = conf.DeviceAuth(ctx)
	if err != nil && strings.HasPrefix(err.Error(), "unmarshal ") {
		err = errUnreadable
	}
	return da, err
}

var errUnreadable = errors.New("its answer cannot be read")

// Revoke revokes the refresh token (RFC 7009). It does nothing if the provider does not
// support that.
func Revoke(ctx context.Context, client *http.Client, l *Login) error {
	if l.Revocation == "" || l.RefreshToken == "" {
		return nil
	}
	form := url.Values{"token": {l.RefreshToken}, "token_type_hint": {"refresh_token"}, "client_id": {l.ClientID}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.Revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("issuer %s: %w", l.Issuer, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("issuer %s: %w", l.Issuer, bare(ctx, err))
	}
	resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("issuer %s: HTTP %s", l.Issuer, resp.Status)
	}
	return nil
}

// renew gets a new access token with the refresh token.
func renew(ctx context.Context, client *http.Client, l *Login) error {
	f := &Flow{Provider: Provider{Token: l.Token}, ClientID: l.ClientID, Client: client}
	t, err := f.config().TokenSource(f.context(ctx), &oauth2.Token{RefreshToken: l.RefreshToken}).Token()
	if err != nil {
		return explain(ctx, err)
	}
	l.take(t, time.Now())
	return nil
}

// context makes the library use the Flow's client, and cancel each request with ctx,
// which it does not do for all requests.
func (f *Flow) context(ctx context.Context) context.Context {
	c := *f.Client
	c.Transport = bound{ctx, f.Client.Transport}
	return context.WithValue(ctx, oauth2.HTTPClient, &c)
}

// bound is a RoundTripper whose requests are canceled with a context.
type bound struct {
	ctx  context.Context
	base http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b bound) RoundTrip(req *http.Request) (*http.Response, error) {
	base := b.base
	if base == nil {
		base = http.DefaultTransport
	}
	if req.Context().Done() == nil {
		req = req.WithContext(b.ctx)
	}
	return base.RoundTrip(req)
}

// A RefusedError reports that a provider refuses a token (RFC 6749, sections 4.1.2.1
// and 5.2).
type RefusedError struct {
	// Code is a word such as access_denied or invalid_grant.
	Code        string
	Description string
	Status      int // of the response, 0 if the browser delivered it
}

func (e *RefusedError) Error() string {
	text := "the login server refuses: " + e.Code
	if e.Code == "" {
		text = fmt.Sprintf("the login server refuses with HTTP %d", e.Status)
	}
	if e.Description != "" {
		text += ": " + e.Description
	}
	return text
}

// final are the refusals that another request would not change.
var final = []string{"invalid_grant", "invalid_client", "unauthorized_client", "access_denied", "expired_token"}

// Final reports whether the user must act.
func (e *RefusedError) Final() bool { return slices.Contains(final, e.Code) }

// explain replaces the library's messages, which quote whole responses.
func explain(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		r := &RefusedError{Code: e.ErrorCode, Description: e.ErrorDescription}
		if e.Response != nil {
			r.Status = e.Response.StatusCode
		}
		return r
	}
	if err = bare(ctx, err); strings.HasPrefix(err.Error(), "oauth2: ") { // which has no types for it
		return errors.New("login server: its answer contains no access token that can be used")
	}
	return fmt.Errorf("login server: %w", err)
}
