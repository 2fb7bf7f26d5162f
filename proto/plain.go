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
		Address:      BareAddress(p.URL),
		Header:       p.Header,
		Subprotocols: p.Subprotocols,
		Session:      plainSession{p.Greeting},
	}, nil
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

// Offline implements Player.
func (p *Plain) Offline() Session { return plainSession{} }

// Describe implements Describer: the source is the address without what may be
// secret in it.
func (p *Plain) Describe(Message) Description {
	u, err := url.Parse(p.URL)
	if err != nil || u.User == nil && strings.Contains(p.URL, "@") {
		return Description{}
	}
	return Description{Source: u.Scheme + "://" + u.Host + u.EscapedPath()}
}
