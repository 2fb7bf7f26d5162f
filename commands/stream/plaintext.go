package stream

import (
	"net/http"
	"net/http/httptrace"
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/wsserver"
)

// A plaintextGuard is a RoundTripper that warns, once, when credentials leave this
// machine without encryption: a request that finds no connection sends none.
type plaintextGuard struct {
	base http.RoundTripper
	s    *Stream
}

// RoundTrip implements http.RoundTripper.
func (g plaintextGuard) RoundTrip(req *http.Request) (*http.Response, error) {
	secure := req.URL.Scheme == "https" || req.URL.Scheme == "wss"
	if s := g.s; !secure && s.Emulated == nil && s.Flags.unixSocket == "" && !wsserver.Loopback(req.URL.Hostname()) &&
		carriesCredentials(req) {
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
			s.plaintext.Do(func() {
				s.Warn("credentials go to %s without encryption, where others on the way can read them: use wss:// or https://",
					cmdline.Cut(s.Say.String(req.URL.Host), 60))
			})
		}}))
	}
	return g.base.RoundTrip(req)
}

// carriesCredentials reports whether a request carries credentials: in its header, its
// address, a subprotocol, or a form.
func carriesCredentials(req *http.Request) bool {
	for name, values := range req.Header {
		if credential.Header(name) && strings.Join(values, "") != "" {
			return true
		}
	}
	var offered []string
	for s := range strings.SplitSeq(strings.Join(req.Header.Values("Sec-WebSocket-Protocol"), ","), ",") {
		offered = append(offered, strings.TrimSpace(s))
	}
	return len(credential.Subprotocols(offered)) > 0 || len(credential.AddressParts(req.URL.String())) > 0 ||
		req.Header.Get("Content-Type") == "application/x-www-form-urlencoded"
}
