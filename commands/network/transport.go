package network

import (
	"net/http"
	"net/http/httptrace"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/netdial"
)

// UserAgent is a RoundTripper that adds the User-Agent header, unless the request has
// one or it is disabled.
type UserAgent struct {
	Base http.RoundTripper
	None bool
}

// RoundTrip implements http.RoundTripper.
func (u UserAgent) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get("User-Agent") == "" {
		req = req.Clone(req.Context())
		req.Header.Set("User-Agent", "hark/"+program.Version())
		if u.None {
			req.Header["User-Agent"] = []string{""} // otherwise net/http sends its own
		}
	}
	return u.Base.RoundTrip(req)
}

// MoreHeaders is a RoundTripper that adds the user's headers to the service's own
// requests, except those that the request has.
type MoreHeaders struct {
	Base   http.RoundTripper
	Header http.Header
}

// RoundTrip implements http.RoundTripper.
func (m MoreHeaders) RoundTrip(req *http.Request) (*http.Response, error) {
	if len(m.Header) > 0 {
		req = req.Clone(req.Context())
		for name, values := range m.Header {
			if _, taken := req.Header[name]; !taken {
				req.Header[name] = values
			}
		}
	}
	return m.Base.RoundTrip(req)
}

// A PlaintextGuard is a RoundTripper that notices when credentials leave this machine
// without encryption; it does not if no connection could be opened.
type PlaintextGuard struct {
	Base http.RoundTripper
	// Local reports whether connections do not leave this machine, whatever the address.
	Local func() bool
	// Warn is called with the host, for each such request.
	Warn func(host string)
}

// RoundTrip implements http.RoundTripper.
func (g PlaintextGuard) RoundTrip(req *http.Request) (*http.Response, error) {
	secure := req.URL.Scheme == "https" || req.URL.Scheme == "wss"
	if !secure && !g.Local() && !netdial.Loopback(req.URL.Hostname()) && credential.InRequest(req) {
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
			g.Warn(req.URL.Host)
		}}))
	}
	return g.Base.RoundTrip(req)
}
