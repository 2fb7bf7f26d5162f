// Package plain is the service of any WebSocket whose protocol is not known: each message
// is an event.
package plain

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hark-cli/hark/proto"
)

// A Service streams any WebSocket: every message is an event.
type Service struct {
	// URL is ws:// or wss://; it may contain credentials.
	URL          string
	Header       http.Header
	Subprotocols []string
	// FirstFrames are sent first on each connection.
	FirstFrames []proto.Frame
}

// Name implements Service.
func (p *Service) Name() string { return "connect" }

// Start implements Service.
func (p *Service) Start() proto.Source { return proto.SourceFunc(p.handshake) }

func (p *Service) handshake(context.Context) (*proto.Handshake, error) {
	return &proto.Handshake{
		URL:          p.URL,
		Address:      proto.BareAddress(p.URL),
		Header:       p.Header,
		Subprotocols: p.Subprotocols,
		Session:      session{p.FirstFrames},
	}, nil
}

type session struct{ firstFrames []proto.Frame }

// OnOpen sends the firstFrames; the stream is live as soon as the socket is open.
func (s session) OnOpen(time.Time) []proto.Effect {
	return []proto.Effect{proto.Send(s.firstFrames), proto.StreamReady{}}
}

// Decode reports every message as an event.
func (s session) Decode(proto.Message) (event bool, _ []proto.Effect, _ error) { return true, nil, nil }

// OnClose sends nothing.
func (s session) OnClose() []proto.Frame { return nil }

// Offline implements Player.
func (p *Service) Offline() proto.Session { return session{} }

// Describe implements Describer: the source is the address without the parts that may
// be secret.
func (p *Service) Describe(proto.Message) proto.Description {
	u, err := url.Parse(p.URL)
	if err != nil || u.User == nil && strings.Contains(p.URL, "@") {
		return proto.Description{}
	}
	return proto.Description{Source: u.Scheme + "://" + u.Host + u.EscapedPath()}
}
