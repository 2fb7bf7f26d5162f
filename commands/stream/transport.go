package stream

import (
	"net/http"
	"net/http/httptrace"
	"strings"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/emulator"
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

// moreHeaders is a RoundTripper that adds the user's headers to the service's own
// requests, except those that the request has.
type moreHeaders struct {
	base   http.RoundTripper
	header http.Header
}

// RoundTrip implements http.RoundTripper.
func (m moreHeaders) RoundTrip(req *http.Request) (*http.Response, error) {
	if len(m.header) > 0 {
		req = req.Clone(req.Context())
		for name, values := range m.header {
			if _, taken := req.Header[name]; !taken {
				req.Header[name] = values
			}
		}
	}
	return m.base.RoundTrip(req)
}

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

// An Emulated is the emulator of one service in this process.
type Emulated struct {
	emulator *emulator.Emulator
	network  *emulator.Network
	// Demo are the variables for clients: endpoint and credentials.
	Demo map[string]string
}

// startEmulator starts the emulator for a service, with so many events per second.
func startEmulator(service emulator.Service, rate float64) (*Emulated, error) {
	opts := emulator.DefaultOptions()
	opts.Rate = rate
	e, err := emulator.Services{service}.New(opts)
	if err != nil {
		return nil, err
	}
	environ, err := e.Environ(emulator.Base)
	if err != nil {
		e.Close()
		return nil, err
	}
	s := &Emulated{emulator: e, network: emulator.NewNetwork(e), Demo: make(map[string]string)}
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		s.Demo[name] = value
	}
	return s, nil
}

func (s *Emulated) close() {
	s.emulator.Close()
	s.network.Close()
}
