// Package drogue is the codec of Drogue Cloud: the service of package proto, and the
// parts of its API that a client needs.
package drogue

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/drogue/wire"
	"github.com/hark-cli/hark/proto/frame"
)

// The engine finds these interfaces at run time.
var (
	_ proto.Classifier     = (*Service)(nil)
	_ proto.Scheduler      = (*session)(nil)
	_ proto.ControlWatcher = (*session)(nil)
)

// A Service is the WebSocket integration of Drogue Cloud: CloudEvents of one
// application, one per message (Drogue Cloud documentation, "WebSocket
// integration").
type Service struct {
	// API is the base of the installation's API, which is asked, through Client, for
	// the address of the integration at each attempt.
	API    string
	Client *http.Client
	// Endpoint is the base of the integration if API is empty; its scheme may be ws,
	// wss, http or https.
	Endpoint string
	// Application is required; Channel narrows the stream to one subject.
	Application, Channel string
	// Group is the consumer group, "" for one of this connection alone.
	Group string

	// At most one of Token and AccessToken is set; neither means anonymous. Token
	// returns OpenID Connect access tokens, AccessToken a personal access token of
	// User.
	Token       proto.TokenSource
	AccessToken proto.TokenSource
	User        string
	// AuthInQuery sends the credentials in the address, for servers that do not get the
	// headers.
	AuthInQuery bool
	// Renewable: Token may return a new token on each call.
	Renewable bool

	// Filter selects events; others are dropped.
	Filter Filter
}

// Name implements Service.
func (d *Service) Name() string { return "drogue" }

// Start implements Service.
func (d *Service) Start() proto.Source { return proto.SourceFunc(d.handshake) }

func (d *Service) handshake(ctx context.Context) (*proto.Handshake, error) {
	var c *Credential // once per attempt, because it may run a command
	credential := func(address string) (Credential, error) {
		if c == nil {
			got, err := d.credential(ctx, address)
			if err != nil {
				return got, err
			}
			c = &got
		}
		return *c, nil
	}
	endpoint := d.Endpoint
	if d.API != "" {
		api := API{Base: d.API, Client: d.Client}
		var err error
		endpoint, err = api.socket(ctx, func() (Credential, error) { return credential(proto.BareAddress(d.API)) })
		if err != nil {
			return nil, err
		}
	}
	base, err := proto.SocketURL(endpoint)
	if err != nil {
		return nil, &proto.HandshakeError{Stage: netdial.StageUpgrade, Address: proto.BareAddress(endpoint), Err: &proto.ProtocolError{Err: err}}
	}
	base += "/" + url.PathEscape(d.Application)
	if d.Channel != "" {
		base += "/" + url.PathEscape(d.Channel)
	}
	query := url.Values{}
	if d.Group != "" {
		query.Set(wire.ParamGroup, d.Group)
	}
	hs := &proto.Handshake{URL: base, Address: base, Header: http.Header{}}
	if len(query) > 0 {
		hs.Address += "?" + query.Encode()
	}
	cred, err := credential(hs.Address)
	if err != nil {
		return nil, err
	}
	d.authenticate(cred, hs, query)
	if len(query) > 0 {
		hs.URL += "?" + query.Encode()
	}
	s := &session{d: d}
	var life time.Duration
	if s.claimed, life, s.limited = claims(cred.Token); s.limited {
		s.obtained = time.Now()
		s.expires = lasts(s.obtained, s.claimed, life)
	}
	hs.Session = s
	return hs, nil
}

// credential returns the credential from the user's sources.
func (d *Service) credential(ctx context.Context, address string) (c Credential, err error) {
	if d.Token != nil {
		c.Token, err = d.Token.Ask(ctx, address)
		return c, err
	}
	c.User = d.User
	c.AccessToken, err = d.AccessToken.Ask(ctx, address)
	return c, err
}

// authenticate adds the credentials, in one form only: two valid forms together
// are an error for the server.
func (d *Service) authenticate(c Credential, hs *proto.Handshake, query url.Values) {
	for _, v := range []string{c.Token.Reveal(), c.AccessToken.Reveal()} {
		if v != "" {
			hs.Secrets = append(hs.Secrets, v)
		}
	}
	if d.AuthInQuery {
		c.query(query)
		return
	}
	c.header(hs.Header)
	if basic, ok := strings.CutPrefix(hs.Header.Get("Authorization"), "Basic "); ok {
		hs.Secrets = append(hs.Secrets, basic)
	}
}

// Offline implements Player.
func (d *Service) Offline() proto.Session { return &session{d: d} }

// Classify implements proto.Classifier, by the close codes and statuses in the server's
// source (drogue-cloud, websocket-integration/src/wshandler/mod.rs, and drogue-bazaar,
// src/auth/error.rs).
func (d *Service) Classify(err error) proto.Verdict {
	if _, ok := errors.AsType[*proto.CredentialError](err); ok {
		return proto.Verdict{Class: proto.Credentials}
	}
	if e, ok := errors.AsType[*proto.HandshakeError](err); ok && e.Stage == netdial.StageUpgrade {
		switch e.Status {
		case http.StatusForbidden:
			return proto.Verdict{Class: proto.Credentials, RetryNow: d.Renewable}
		case http.StatusNotFound:
			return proto.Verdict{Class: proto.Refused}
		}
		return proto.Verdict{}
	}
	e, ok := errors.AsType[*proto.CloseError](err)
	if !ok {
		return proto.Verdict{}
	}
	switch {
	case e.Reason == wire.TokenExpired,
		e.Code == frame.StatusInternal && e.Reason == wire.RefreshFailed+": "+wire.AuthFailed:
		if d.Renewable {
			return proto.Verdict{Class: proto.Transient, RetryNow: true}
		}
		return proto.Verdict{Class: proto.Credentials}
	case e.Code == frame.StatusPolicy && e.Reason == wire.RefreshFailed:
		return proto.Verdict{Class: proto.Refused}
	}
	return proto.Verdict{}
}

// A session is the codec of one connection. Every message is an event, unless the
// filter drops it; the session also renews the token.
type session struct {
	d        *Service
	limited  bool      // the token of this connection expires
	claimed  time.Time // when it expires by the issuer's clock
	expires  time.Time // and by the local clock, as far as known
	obtained time.Time
	ask      time.Time // when to ask for a new token
	failures int       // consecutive failures to get a new token after the old one has expired
}

// OnOpen sends nothing: the server acknowledges nothing, so the stream is live as soon
// as the socket is open.
func (s *session) OnOpen(now time.Time) []proto.Effect {
	if !s.limited {
		return []proto.Effect{proto.StreamLive{}}
	}
	s.schedule(now)
	note := "the token expires in %s"
	left := s.expires.Sub(now).Round(time.Second)
	if left <= 0 {
		note, left = "by the clock of this machine the token expired %s ago, but the server took it: the clocks differ", -left
	}
	return []proto.Effect{proto.Note(fmt.Sprintf(note, left)), proto.StreamLive{}}
}

// readyEffects are the effects of each message, of which the first makes the stream
// ready.
var readyEffects = []proto.Effect{proto.StreamReady{}}

// Decode reports every message that passes the filter as an event. The first message,
// even one that does not pass, shows that the broker has assigned the stream to this
// connection.
func (s *session) Decode(m proto.Message) (event bool, _ []proto.Effect, _ error) {
	return s.d.Filter == (Filter{}) || s.d.Filter.match(m.Data), readyEffects, nil
}

// Control implements ControlWatcher. Events published right after the upgrade are
// missed, until the broker has assigned the stream; the server's first ping follows
// some seconds later.
func (s *session) Control(op frame.Opcode, _ time.Time) []proto.Effect {
	if op == frame.OpPing {
		return readyEffects
	}
	return nil
}

// OnClose sends nothing.
func (s *session) OnClose() []proto.Frame { return nil }

// schedule plans the next renewal: half a minute before the token expires, or after two
// thirds of a lifetime shorter than 90 s.
func (s *session) schedule(now time.Time) {
	margin := min(30*time.Second, s.expires.Sub(s.obtained)/3)
	s.ask = s.expires.Add(-margin)
	if s.ask.After(now) {
		s.failures = 0
		return
	}
	s.ask = now.Add(s.backOff()) // its expiry is not known
}

// backOff returns the delay before the next attempt to get a new token when the old one
// may have expired.
func (s *session) backOff() time.Duration {
	wait := min(time.Second<<min(s.failures, 10), longestRenewal)
	s.failures++
	return wait
}

// Tick implements proto.Scheduler: a new token before the old one expires. Connections
// with a personal access token or without credentials do not expire, and a refresh
// would make them expire.
func (s *session) Tick(now time.Time) (proto.Work, error) {
	if !s.limited || !s.d.Renewable {
		return proto.Work{}, nil
	}
	if now.Before(s.ask) {
		return proto.Work{Next: s.ask}, nil
	}
	return proto.Work{Do: func(ctx context.Context) func(time.Time) (proto.Work, error) {
		t, err := s.d.Token(ctx)
		return func(now time.Time) (proto.Work, error) { return s.renewed(now, t, err), nil }
	}}, nil
}

// longestRenewal is the longest delay between attempts to get a new token when the old
// one has expired.
const longestRenewal = time.Minute

// renewed handles the result of the token source. Only a newer token is sent: the
// server applies the expiry of any token to the connection, and closes the connection
// for an invalid token even if the old one is still valid.
func (s *session) renewed(now time.Time, t secret.Value, err error) proto.Work {
	again := func(warning string) proto.Work {
		wait := min(10*time.Second, max(time.Second, s.expires.Sub(now)/2))
		left := s.expires.Sub(now).Round(time.Second)
		when := fmt.Sprintf("the old one expires in %s", left)
		if left <= 0 {
			when = "the old one has expired, by the clock of this machine"
			wait = s.backOff()
		}
		s.ask = now.Add(wait)
		return proto.Work{Effects: []proto.Effect{proto.Warning(warning + "; " + when)}, Next: s.ask}
	}
	if err != nil {
		return again(fmt.Sprintf("no new token: %v", err))
	}
	exp, life, ok := claims(t)
	if !ok {
		return again("the new token is not a JSON Web Token with an expiry, and was not sent")
	}
	// Both are by the issuer's clock; the local clock cannot tell which is newer.
	if !exp.After(s.claimed) {
		return again("the new token expires no later than the old one, and was not sent")
	}
	s.claimed, s.expires, s.obtained = exp, lasts(now, exp, life), now
	s.schedule(now)
	return proto.Work{
		Effects: []proto.Effect{
			proto.Secrets{t.Reveal()},
			proto.Send{{Opcode: frame.OpText, Payload: eventjson.Encode(wire.Refresh{RefreshAccessToken: t.Reveal()}), Secret: true}},
			proto.Note(sentNote(s.expires.Sub(now).Round(time.Second))),
		},
		Next: s.ask,
	}
}

// sentNote returns the note about a new token; left may not be positive if the clocks
// differ.
func sentNote(left time.Duration) string {
	if left <= 0 {
		return "new token sent; when it expires is not known, because the clocks differ"
	}
	return fmt.Sprintf("new token sent, it expires in %s", left)
}
