// Package doshii is the codec of Doshii: the service of package proto, and the parts of
// its REST interface that a listener needs.
package doshii

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/doshii/wire"
)

// The engine finds these interfaces at run time.
var (
	_ proto.Classifier = (*Service)(nil)
	_ proto.Scheduler  = (*session)(nil)
)

// A Service is the event socket of Doshii for apps, points of sale and vendors of
// points of sale (Doshii help centre, "Connection – App partners" and
// "Connection" of the POS partners).
type Service struct {
	// Endpoint is the base of the socket; its scheme may be ws, wss, http or https.
	Endpoint string
	// Path is the path of the socket, such as wire.PathAppV3.
	Path string
	// Exactly one of Auth and Token is set. Auth returns the auth parameter of an app:
	// Auth of its client id. Token returns the token parameter: a location token, or
	// VendorJWT with Vendor.
	Auth  proto.TokenSource
	Token proto.TokenSource
	// Vendor is the API name of a vendor.
	Vendor string
	// DeviceID narrows the events to the interests of a registered device.
	DeviceID string
	// AppVersion is the version in heartbeats.
	AppVersion string
	// Heartbeat is the time between heartbeats.
	Heartbeat time.Duration
	// Events lists the names of events to keep; other events are dropped. An empty list
	// keeps everything, including unknown messages.
	Events []string
	// Quiet, if not nil, is called when a connection has received answers to heartbeats
	// for wire.Quiet but no event. It must not block. Concurrent runs call it
	// concurrently.
	Quiet func()
}

// Auth returns the auth parameter for a client id: its base64 (Doshii help centre, "Use
// of WebSockets – App partners").
func Auth(clientID secret.Value) secret.Value {
	return secret.Value(base64.StdEncoding.EncodeToString([]byte(clientID.Reveal())))
}

// Encoded reports whether a client id seems to be in base64 already: it decodes to
// plain text. If it decodes to a JSON object it is the header of a JSON Web Token,
// which is the usual form of client ids.
func Encoded(clientID secret.Value) bool {
	b, err := base64.StdEncoding.DecodeString(clientID.Reveal())
	if err != nil || len(b) < 8 || b[0] == '{' {
		return false
	}
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// Name implements Service.
func (d *Service) Name() string { return "doshii" }

// Start implements Service.
func (d *Service) Start() proto.Source { return proto.SourceFunc(d.handshake) }

func (d *Service) handshake(ctx context.Context) (*proto.Handshake, error) {
	base, err := proto.SocketURL(d.Endpoint)
	if err != nil {
		return nil, &proto.HandshakeError{Stage: netdial.StageUpgrade, Address: proto.BareAddress(d.Endpoint), Err: &proto.ProtocolError{Err: err}}
	}
	base += d.Path
	query, source, param := url.Values{}, d.Auth, wire.ParamAuth
	if d.Token != nil {
		source, param = d.Token, wire.ParamToken
	}
	credential, err := source.Ask(ctx, base)
	if err != nil {
		return nil, err
	}
	query.Set(param, credential.Reveal())
	if d.DeviceID != "" {
		query.Set(wire.ParamDevice, d.DeviceID)
	}
	if d.Vendor != "" {
		query.Set(wire.ParamVendor, d.Vendor)
	}
	hs := &proto.Handshake{URL: base + "?" + query.Encode(), Address: base, Secrets: []string{credential.Reveal()}}
	if id, err := base64.StdEncoding.DecodeString(credential.Reveal()); err == nil && d.Token == nil {
		hs.Secrets = append(hs.Secrets, string(id))
	}
	hs.Session = &session{d: d}
	return hs, nil
}

// Offline implements Player.
func (d *Service) Offline() proto.Session { return &session{d: d} }

// Classify implements proto.Classifier. No close code has a documented meaning.
func (d *Service) Classify(err error) proto.Verdict {
	if e, ok := errors.AsType[*proto.HandshakeError](err); ok && e.Stage == netdial.StageUpgrade && e.Status == http.StatusBadRequest {
		return proto.Verdict{Class: proto.Refused}
	}
	if _, ok := errors.AsType[*proto.CloseError](err); ok {
		return proto.Verdict{Class: proto.Transient}
	}
	return proto.Verdict{}
}

// A session is the codec of one connection.
type session struct {
	d        *Service
	beat     time.Time // of the next heartbeat
	lastPong time.Time // or when the socket was opened
	quiet    time.Time // when to report that only pongs have arrived; zero when reported, or not due
}

// OnOpen sends the first heartbeat, which completes the handshake.
func (s *session) OnOpen(now time.Time) []proto.Effect {
	s.lastPong, s.beat = now, now.Add(s.d.Heartbeat)
	if s.d.Quiet != nil {
		s.quiet = now.Add(wire.Quiet)
	}
	return []proto.Effect{proto.Send{s.ping(now)}}
}

func (s *session) ping(now time.Time) proto.Frame {
	return proto.Text(eventjson.Encode(wire.Ping(now, s.d.AppVersion)))
}

// eventPrefix is the start of an event as Doshii sends it.
var eventPrefix = []byte(`{"emit":["`)

// Decode distinguishes events from heartbeats. Other messages are passed on as events,
// unchanged, because vendors may add types.
func (s *session) Decode(m proto.Message) (event bool, effects []proto.Effect, _ error) {
	if name, ok := emitted(m.Data); ok && name != wire.HealthCheck {
		return s.event(name), nil, nil
	}
	event, effects = s.decode(m.Data, m.Time, true)
	return event, effects, nil
}

// emitted returns the name of an event in the usual form of Doshii; false if the
// message must be decoded.
func emitted(data []byte) (name string, ok bool) {
	rest, ok := bytes.CutPrefix(data, eventPrefix)
	if !ok {
		return "", false
	}
	end := bytes.IndexByte(rest, '"')
	if end < 0 || bytes.IndexByte(rest[:end], '\\') >= 0 {
		return "", false
	}
	return string(rest[:end]), true
}

// event applies the filter to an event; one without a name is a message of another
// kind.
func (s *session) event(name string) bool {
	s.quiet = time.Time{}
	return len(s.d.Events) == 0 || slices.Contains(s.d.Events, name)
}

// longestPrimus is larger than any control message of Primus, in bytes: a name and a
// time.
const longestPrimus = 1 << 10

func (s *session) decode(data []byte, now time.Time, outer bool) (event bool, effects []proto.Effect) {
	var text string
	if len(data) < longestPrimus && json.Unmarshal(data, &text) == nil && wire.IsPrimus(text) {
		return false, s.primus(text, now)
	}
	var msg wire.Message
	if json.Unmarshal(data, &msg) != nil {
		return s.event(""), nil
	}
	switch {
	case msg.Doshii != nil && msg.Doshii.Pong != nil:
		return false, s.pong(msg.Doshii.Pong, now)
	case msg.Doshii != nil && msg.Doshii.Ping != nil:
		return false, s.answer(msg.Doshii.Ping, "ping of the server answered")
	case msg.Type == "message" && msg.Data != nil && outer:
		// The help pages show messages in the envelope of a browser event.
		return s.decode(msg.Data, now, false)
	}
	name, payload := msg.NameAndPayload()
	var check struct {
		Ping json.RawMessage `json:"ping"`
	}
	if name == wire.HealthCheck && json.Unmarshal(payload, &check) == nil && check.Ping != nil {
		// A heartbeat in the form of an event, which is an event only if the filter
		// contains it.
		return slices.Contains(s.d.Events, name), s.answer(check.Ping, "health check answered")
	}
	return s.event(name), nil
}

// answer returns the pong for a ping of the server.
func (s *session) answer(ping json.RawMessage, note proto.Note) []proto.Effect {
	return []proto.Effect{proto.Send{proto.Text(eventjson.Encode(wire.Pong(ping, s.d.AppVersion)))}, note}
}

// pong handles a pong. The number is that of the ping or the server's clock; only the
// former gives a round-trip time.
func (s *session) pong(number json.RawMessage, now time.Time) []proto.Effect {
	s.lastPong = now
	var ms int64
	if json.Unmarshal(number, &ms) == nil {
		if d := now.Sub(time.UnixMilli(ms)); d >= 0 && d < s.d.Heartbeat {
			note := proto.Note(fmt.Sprintf("pong after %s", d.Round(time.Millisecond)))
			return []proto.Effect{note, proto.HeartbeatAnswered{RTT: d}, proto.StreamReady{}}
		}
	}
	return []proto.Effect{proto.Note("pong"), proto.HeartbeatAnswered{}, proto.StreamReady{}}
}

// primus handles a heartbeat in the form that Doshii used before 2018.
func (s *session) primus(text string, now time.Time) []proto.Effect {
	switch {
	case strings.HasPrefix(text, wire.PrimusPing):
		return []proto.Effect{
			proto.Send{proto.Text(eventjson.Encode(wire.PrimusPong + strings.TrimPrefix(text, wire.PrimusPing)))},
			proto.Note("ping of the server answered"),
		}
	case strings.HasPrefix(text, wire.PrimusPong):
		return s.pong(nil, now)
	}
	return []proto.Effect{proto.Note("the server is about to close")}
}

// Tick implements proto.Scheduler: heartbeats, and the end of a connection without
// pongs.
func (s *session) Tick(now time.Time) (proto.Work, error) {
	var w proto.Work
	if !now.Before(s.beat) {
		s.beat = now.Add(s.d.Heartbeat)
		w.Effects = []proto.Effect{proto.Send{s.ping(now)}}
	}
	w.Next = s.beat
	dead := s.lastPong.Add(2 * s.d.Heartbeat)
	if !now.Before(dead) {
		return w, &proto.LostError{Err: fmt.Errorf("no pong within two heartbeat periods (%s)", 2*s.d.Heartbeat)}
	}
	if dead.Before(w.Next) {
		w.Next = dead
	}
	if !s.quiet.IsZero() && !now.Before(s.quiet) {
		s.quiet = time.Time{}
		s.d.Quiet()
	}
	if !s.quiet.IsZero() && s.quiet.Before(w.Next) {
		w.Next = s.quiet
	}
	return w, nil
}

// OnClose sends nothing.
func (s *session) OnClose() []proto.Frame { return nil }
