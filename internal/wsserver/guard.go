// Package wsserver is what the servers of the program share: a socket, and whom to
// serve. A Conn is the server's end of a WebSocket connection; emulators, replays, hark
// serve, benchmarks and tests have what they do with one on top of it. A server of a
// developer listens on a machine that also runs a browser, and every page that is open
// there can send requests to it; see Guard.
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

// A Guard decides whose requests are served. Without options, those of programs, which
// name no origin, and of pages of this machine. A server that listens on a loopback
// address also looks at the name that it is called by: a page can have the name of its
// own server lead there (DNS rebinding).
type Guard struct {
	origins, hosts []string
	anyOrigin      bool
	anyHost        bool
	listens        string // the host that was to be listened on, lower case; "" if none

	// Refused is called for the first request of each reason that is refused, if not nil.
	Refused func(err *RefusedError)

	mu   sync.Mutex
	told [2]bool
}

// ErrOrigin and ErrHost are the reasons to refuse a request.
var (
	ErrOrigin = errors.New("the origin is not allowed")
	ErrHost   = errors.New("the host name is not allowed")
)

// A RefusedError is a request that was refused: Err is ErrOrigin or ErrHost, Value the
// header as the client sent it.
type RefusedError struct {
	Err   error
	Value string
}

func (e *RefusedError) Error() string { return e.Err.Error() + ": " + e.Value }
func (e *RefusedError) Unwrap() error { return e.Err }

// NewGuard makes the guard of a server that listens at addr, which the user wrote as
// address. origins are allowed besides those of this machine: SCHEME://HOST[:PORT],
// null, or * for all; hosts are names that it may be called by, or *.
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

// ValidOrigin reports whether origin can be given to NewGuard.
func ValidOrigin(origin string) bool {
	if origin == "*" || origin == "null" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Scheme != "" && u.Hostname() != "" && u.User == nil &&
		strings.TrimSuffix(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == ""
}

// ValidHost reports whether host can be given to NewGuard: a name or an address,
// without a port.
func ValidHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || host == "*" {
		return true
	}
	return host != "" && !strings.ContainsAny(host, ":/@?#[] ")
}

// Wrap answers the requests that the guard refuses with 403, and gives the others to h.
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

// check returns nil for a request that is to be served.
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

// hostAllowed looks at the name alone: the port may be that of a tunnel. A request
// without a name is not a browser's.
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

// loopback reports whether a host name is always this machine: localhost and the names
// below it (RFC 6761, section 6.3), and the addresses.
func loopback(host string) bool {
	host = canonicalHost(host)
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
