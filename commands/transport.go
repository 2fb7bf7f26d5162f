package commands

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
)

// newTransport opens the connections of a stream. For https and wss it uses the
// proxy of the environment.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy: func(req *http.Request) (*url.URL, error) {
			if req.URL.Scheme != "https" {
				return nil, nil // net/http would not tunnel, as RFC 6455 wants
			}
			return http.ProxyFromEnvironment(req)
		},
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     30 * time.Second,
		// One more request per connection is rare, and header bombs are not.
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// userAgent is a RoundTripper that says who we are, unless the request does.
type userAgent struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (u userAgent) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get("User-Agent") == "" {
		req = req.Clone(req.Context())
		req.Header.Set("User-Agent", "hark/"+version())
	}
	return u.base.RoundTrip(req)
}

// A standIn is the emulator of one service in this process.
type standIn struct {
	emulator *emulator.Emulator
	network  *emulator.Network
	// demo are the variables that point a client at it, endpoint and
	// credentials.
	demo map[string]string
}

// startEmulator starts the stand-in for a service.
func startEmulator(service string) (*standIn, error) {
	e, err := emulator.New(emulator.DefaultOptions(), service)
	if err != nil {
		return nil, err
	}
	environ, err := e.Environ(emulator.Base)
	if err != nil {
		e.Close()
		return nil, err
	}
	s := &standIn{emulator: e, network: emulator.NewNetwork(e), demo: make(map[string]string)}
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		s.demo[name] = value
	}
	return s, nil
}

func (s *standIn) close() {
	s.emulator.Close()
	s.network.Close()
}
