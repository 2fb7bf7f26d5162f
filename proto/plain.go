package proto

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Plain is any WebSocket: every message is an event.
type Plain struct {
	// URL is ws:// or wss://; it may carry credentials.
	URL          string
	Header       http.Header
	Subprotocols []string
	// Greeting goes out first on each connection.
	Greeting []Frame
}

// Name implements Service.
func (p *Plain) Name() string { return "connect" }

// Start implements Service.
func (p *Plain) Start() Source { return SourceFunc(p.handshake) }

func (p *Plain) handshake(context.Context) (*Handshake, error) {
	return &Handshake{
		URL:          p.URL,
		Address:      bareAddress(p.URL),
		Header:       p.Header,
		Subprotocols: p.Subprotocols,
		Session:      plainSession{p.Greeting},
	}, nil
}

// bareAddress is an address without what may be secret in it: user, query and
// fragment. When there is an @ further on, host and path may be the parts of a
// password with a slash in it.
func bareAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(unreadable address)"
	}
	path, query := u.EscapedPath(), ""
	if u.User == nil && strings.Contains(address, "@") {
		return u.Scheme + "://…"
	}
	if u.RawQuery != "" {
		query = "?…"
	}
	return u.Scheme + "://" + u.Host + path + query
}

type plainSession struct{ greeting []Frame }

// Greet sends the greeting; the stream is live as soon as the socket is open.
func (s plainSession) Greet(time.Time) []Effect {
	return []Effect{Send(s.greeting), StreamReady{}}
}

// Decode takes every message for an event.
func (s plainSession) Decode(Message) (event bool, _ []Effect, _ error) { return true, nil, nil }

// Farewell has nothing to say.
func (s plainSession) Farewell() []Frame { return nil }
