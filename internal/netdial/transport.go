package netdial

import (
	"context"
	"net"
	"net/http"
	"time"
)

// A Transport sends HTTP requests over a Network, and cancels the dial for a request
// when that request ends.
type Transport struct {
	http    *http.Transport
	network *Network
}

// requestKey is the key of the context of the request that a dial is for.
// net/http dials with a context of its own, which only has the values.
type requestKey struct{}

// NewTransport returns the transport of a network. It ignores the proxies of the
// environment and uses Network.Proxy.
func NewTransport(n *Network) *Transport {
	dial := func(secure bool) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, _, addr string) (net.Conn, error) {
			if rctx, ok := ctx.Value(requestKey{}).(context.Context); ok {
				stopped, cancel := context.WithCancel(ctx)
				defer cancel()
				defer context.AfterFunc(rctx, cancel)()
				ctx = stopped
			}
			return n.connect(ctx, secure, addr)
		}
	}
	return &Transport{network: n, http: &http.Transport{
		DialContext:            dial(false),
		DialTLSContext:         dial(true),
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: n.MaxHeader,
	}}
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	sent := onTheWire(req, t.network.HeaderNames)
	resp, err := t.http.RoundTrip(sent.WithContext(context.WithValue(ctx, requestKey{}, ctx)))
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

// HeaderName returns how the name of a header of a request, in its canonical form, is
// written on the wire.
func (n *Network) HeaderName(name string) string { return wireName(name, n.HeaderNames) }

// CloseIdleConnections closes the connections that no request uses.
func (t *Transport) CloseIdleConnections() { t.http.CloseIdleConnections() }
