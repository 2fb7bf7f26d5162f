package proto

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/wsconn"
)

// DialOptions configure the opening handshake of a run, in addition to the settings of
// the service.
type DialOptions struct {
	// Header is sent with the upgrade request; the headers of the service take
	// precedence.
	Header http.Header
	// Compression offers permessage-deflate (RFC 7692). The server chooses whether the
	// context is retained between messages.
	Compression bool
	// MaxRedirects is how many redirects are followed; 0 means none.
	MaxRedirects int
	// InsecureRedirects allows a redirect from wss to ws, where messages are not
	// encrypted.
	InsecureRedirects bool

	noFastPath bool // for tests: see wsconn.Config
}

// dial makes the opening handshake of hs. ctx bounds the handshake only.
func dial(ctx context.Context, hs *Handshake, o *Options, q *queue) (*wsconn.Conn, error) {
	at := *hs
	at.URL = netdial.EncodeQuery(hs.URL)
	at.Header = hs.Header.Clone()
	if at.Header == nil {
		at.Header = http.Header{}
	}
	for name, values := range o.Dial.Header {
		if _, taken := at.Header[name]; !taken {
			at.Header[name] = values
		}
	}
	for hop := 0; ; hop++ {
		l, answer, err := dialOnce(ctx, &at, o, q)
		if err == nil || !redirects(answer) || hop >= o.Dial.MaxRedirects {
			if e, ok := errors.AsType[*HandshakeError](err); ok && redirects(answer) && hop > 0 {
				e.Err = fmt.Errorf("%d redirects were followed", hop)
			}
			return l, err
		}
		if err := at.follow(answer.Header.Get("Location"), o.Dial.InsecureRedirects); err != nil {
			return nil, &HandshakeError{Stage: netdial.StageUpgrade, Address: at.Address, Status: answer.StatusCode, Err: err}
		}
	}
}

// redirects reports whether a response is a redirect.
func redirects(answer *http.Response) bool {
	if answer == nil {
		return false
	}
	switch answer.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return answer.Header.Get("Location") != ""
	}
	return false
}

// follow sets the address of the handshake to location. Only headers that are known to
// be harmless are sent to another origin. A service with credentials is not redirected
// there at all, because its session may send them later, nor is a handshake with
// subprotocols: some servers accept credentials as a subprotocol, because browsers
// cannot set headers.
func (hs *Handshake) follow(location string, insecure bool) error {
	to, other, err := Redirected(hs.URL, location, insecure)
	if err != nil {
		return err
	}
	address := BareAddress(to)
	if other {
		switch {
		case len(hs.Secrets) > 0:
			return fmt.Errorf("it leads to another origin, %s, where the credentials must not go", address)
		case len(hs.Subprotocols) > 0:
			return fmt.Errorf("it leads to another origin, %s, where the subprotocols must not go, because they may contain credentials", address)
		}
		harmless := http.Header{}
		for _, name := range []string{"User-Agent", "Accept-Language", "Origin"} {
			if v, ok := hs.Header[name]; ok {
				harmless[name] = v
			}
		}
		hs.Header = harmless
	}
	hs.URL, hs.Address = to, address
	return nil
}

// Redirected returns the address of a socket that location leads to from another one,
// and whether it is of another origin (RFC 6454). insecure allows a redirect from wss
// to ws.
func Redirected(from, location string, insecure bool) (to string, other bool, err error) {
	a, err := url.Parse(from)
	if err != nil {
		return "", false, errors.New("its address cannot be read")
	}
	b, err := a.Parse(location)
	if err != nil {
		return "", false, errors.New("the address that it leads to cannot be read")
	}
	switch b.Scheme {
	case "http":
		b.Scheme = "ws"
	case "https":
		b.Scheme = "wss"
	case "ws", "wss":
	default:
		return "", false, fmt.Errorf("it leads to an address of the scheme %q", Excerpt([]byte(b.Scheme)))
	}
	if b.Hostname() == "" {
		return "", false, errors.New("the address that it leads to has no host name")
	}
	b.Fragment = ""
	if secureScheme(a) && !secureScheme(b) && !insecure {
		return "", false, &insecureRedirectError{Address: BareAddress(b.String())}
	}
	return b.String(), origin(a) != origin(b), nil
}

// An insecureRedirectError reports a redirect from wss to ws that was not followed.
type insecureRedirectError struct{ Address string }

func (e *insecureRedirectError) Error() string {
	return "it leads from an encrypted connection to one that is not, " + e.Address
}

func secureScheme(u *url.URL) bool { return u.Scheme == "wss" || u.Scheme == "https" }

// origin returns the origin of a URL (RFC 6454, section 4), with ws for http.
func origin(u *url.URL) string {
	port := u.Port()
	scheme := u.Scheme
	switch scheme {
	case "http":
		scheme = "ws"
	case "https":
		scheme = "wss"
	}
	if port == "" {
		port = map[string]string{"ws": "80", "wss": "443"}[scheme]
	}
	return scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// dialOnce makes the opening handshake without following redirects. answer is the
// response of the server if it is not an upgrade.
func dialOnce(ctx context.Context, hs *Handshake, o *Options, q *queue) (conn *wsconn.Conn, answer *http.Response, err error) {
	ctx = netdial.Track(ctx)
	begun := time.Now()
	req := wsconn.Request{
		URL: hs.URL, Host: hs.Header.Get("Host"), Header: hs.Header,
		Subprotocols: hs.Subprotocols, Compression: o.Dial.Compression,
	}
	if req.Host != "" { // net/http takes it from elsewhere
		req.Header = req.Header.Clone()
		req.Header.Del("Host")
	}
	conn, x, err := wsconn.Dial(ctx, o.transport(), &req, wsconn.Config{
		MaxMessage: o.MaxMessageSize,
		MaxFrame:   o.maxFrameSize(),
		Budget:     share{q},
		Pool:       q.free,
		Collect:    o.Trace.Frame != nil || o.Frames,
		Queued:     o.frames,
		NoFastPath: o.Dial.noFastPath,
	})
	if o.Trace.Frame != nil {
		o.Trace.frame(handshakeRecord(begun, hs, x))
	}
	if err == nil {
		return conn, nil, nil
	}
	if e, ok := errors.AsType[*wsconn.UpgradeError](err); ok {
		return nil, nil, &HandshakeError{Stage: netdial.StageUpgrade, Address: hs.Address, Err: &ProtocolError{e}}
	}
	if err == wsconn.ErrRefused {
		return nil, x.Answer, &HandshakeError{
			Stage:      netdial.StageUpgrade,
			Address:    hs.Address,
			Status:     x.Answer.StatusCode,
			Body:       Excerpt(x.Body),
			Challenge:  netdial.AuthSchemes(x.Answer.Header.Values("WWW-Authenticate")),
			RetryAfter: retryAfter(x.Answer.Header, time.Now()),
		}
	}
	return nil, nil, networkError(ctx, netdial.StageOf(err), hs.Address, err)
}

// networkError returns the error for a failure before a response.
func networkError(ctx context.Context, stage netdial.Stage, address string, err error) *HandshakeError {
	if p, ok := errors.AsType[*netdial.ProxyError](err); ok && ctx.Err() == nil {
		return &HandshakeError{Stage: netdial.StageProxy, Address: p.Address, Status: p.Status, Err: p}
	}
	if ctx.Err() != nil && (stage == netdial.StageUpgrade || stage == netdial.StageProxy) {
		reached, proxy := netdial.Reached(ctx)
		stage, address = reached, cmp.Or(proxy, address)
	}
	return &HandshakeError{Stage: stage, Address: address, Err: netdial.Reason(ctx, err)}
}

// httpError turns a failed request of a service's own handshake into a
// HandshakeError.
func httpError(ctx context.Context, stage netdial.Stage, address string, err error) error {
	if s := netdial.StageOf(err); s != netdial.StageUpgrade {
		stage = s
	}
	return networkError(ctx, stage, address, err)
}
