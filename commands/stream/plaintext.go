package stream

import (
	"net/http"
	"net/http/httptrace"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/netdial"
)

// A plaintextGuard is a RoundTripper that warns, once, when credentials leave this
// machine without encryption; it does not if no connection could be opened.
type plaintextGuard struct {
	base http.RoundTripper
	s    *Stream
}

// RoundTrip implements http.RoundTripper.
func (g plaintextGuard) RoundTrip(req *http.Request) (*http.Response, error) {
	secure := req.URL.Scheme == "https" || req.URL.Scheme == "wss"
	if s := g.s; !secure && s.Emulated == nil && s.Flags.unixSocket == "" && !netdial.Loopback(req.URL.Hostname()) &&
		credential.InRequest(req) {
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
			s.plaintext.Do(func() {
				s.Warn("credentials go to %s without encryption, where others on the way can read them: use wss:// or https://",
					cmdline.Cut(s.Say.String(req.URL.Host), 60))
			})
		}}))
	}
	return g.base.RoundTrip(req)
}
