// Package wsserver contains what the servers of the program share: Conn, the server's
// end of a WebSocket connection, on which emulators, replays, hark serve, benchmarks
// and tests are built; and Guard, which refuses requests of foreign pages: a
// developer's machine also runs a browser, and every page there can send requests to a
// local server.
package wsserver

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// A Guard decides whose requests are served: by default those of programs, which send
// no origin, and of pages of localhost. A server that listens on a loopback address
// also checks the Host header, because a page can make the name of its own server
// resolve to it (DNS rebinding).
type Guard struct {
	origins, hosts []string
	anyOrigin      bool
	anyHost        bool
	listens        string // the host to listen on, in lower case; "" for none

	// Refused, if not nil, is called for the first refused request of each reason.
	Refused func(err *RefusedError)

	mu   sync.Mutex
	told [2]bool
}

// ErrOrigin and ErrHost are the reasons to refuse a request.
var (
	ErrOrigin = errors.New("the origin is not allowed")
	ErrHost   = errors.New("the host name is not allowed")
)

// A RefusedError reports a refused request: Err is ErrOrigin or ErrHost, Value the
// header sent by the client.
type RefusedError struct {
	Err   error
	Value string
}

func (e *RefusedError) Error() string { return e.Err.Error() + ": " + e.Value }
func (e *RefusedError) Unwrap() error { return e.Err }

// NewGuard returns the guard of a server that listens on addr, given by the user as
// address. origins are allowed in addition to those of localhost: SCHEME://HOST[:PORT],
// null, or * for all; hosts are allowed host names, or *.
func NewGuard(addr net.Addr, address string, origins, hosts []string) *Guard {
	g := &Guard{anyHost: true}
	if a, ok := addr.(*net.TCPAddr); ok && a.IP.IsLoopback() {
		g.anyHost = false
		if host, _, err := net.SplitHostPort(address); err == nil {
			g.listens = canonicalHost(host)
		}
	}
	for _, o := range origins {
		g.anyOrigin = g.anyOrigin || o == "*"
		g.origins = append(g.origins, canonicalOrigin(o))
	}
	for _, h := range hosts {
		g.anyHost = g.anyHost || h == "*"
		g.hosts = append(g.hosts, canonicalHost(h))
	}
	return g
}

// ValidOrigin reports whether origin is valid for NewGuard.
func ValidOrigin(origin string) bool {
	if origin == "*" || origin == "null" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Scheme != "" && u.Hostname() != "" && u.User == nil &&
		strings.TrimSuffix(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == ""
}

// ValidHost reports whether host is valid for NewGuard: a name or an address, without a
// port.
func ValidHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || host == "*" {
		return true
	}
	return host != "" && !strings.ContainsAny(host, ":/@?#[] ")
}

// Wrap returns a handler that answers refused requests with 403, and passes the others
// to h.
func (g *Guard) Wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := g.check(r)
		if err == nil {
			h.ServeHTTP(w, r)
			return
		}
		option, kind := "--allow-origin", 0
		if err.Err == ErrHost {
			option, kind = "--allow-host", 1
		}
		g.mu.Lock()
		first := !g.told[kind]
		g.told[kind] = true
		g.mu.Unlock()
		if first && g.Refused != nil {
			g.Refused(err)
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(err.Err.Error() + "; " + option + " of hark allows it\n"))
	})
}

// check returns nil for an allowed request.
func (g *Guard) check(r *http.Request) *RefusedError {
	for _, origin := range r.Header.Values("Origin") {
		if !g.originAllowed(origin) {
			return &RefusedError{ErrOrigin, origin}
		}
	}
	if !g.hostAllowed(r.Host) {
		return &RefusedError{ErrHost, r.Host}
	}
	return nil
}

func (g *Guard) originAllowed(origin string) bool {
	if g.anyOrigin || slices.Contains(g.origins, canonicalOrigin(origin)) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && loopback(u.Hostname())
}

// canonicalOrigin returns an origin as browsers write it: in lower case, without the
// port that its scheme implies.
func canonicalOrigin(origin string) string {
	origin = strings.ToLower(strings.TrimSuffix(origin, "/"))
	scheme, host, ok := strings.Cut(origin, "://")
	if port := map[string]string{"http": ":80", "https": ":443", "ws": ":80", "wss": ":443"}[scheme]; ok && port != "" {
		host = strings.TrimSuffix(host, port)
		return scheme + "://" + host
	}
	return origin
}

// canonicalHost returns a host name in lower case, without the dot of the root.
func canonicalHost(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

// hostAllowed checks only the name: the port may be that of a tunnel. A request without
// a name is not from a browser.
func (g *Guard) hostAllowed(hostport string) bool {
	if g.anyHost || hostport == "" {
		return true
	}
	u, err := url.Parse("http://" + hostport)
	if err != nil {
		return false
	}
	host := canonicalHost(u.Hostname())
	return loopback(host) || host != "" && (host == g.listens || slices.Contains(g.hosts, host))
}

// loopback reports whether a host name is always localhost: localhost and the names
// below it (RFC 6761, section 6.3), and the addresses.
func loopback(host string) bool {
	host = canonicalHost(host)
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
