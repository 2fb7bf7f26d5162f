package proto

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto/wire"
)

// Doshii is the event socket of Doshii for apps (Doshii help centre,
// "Connection – App partners").
type Doshii struct {
	// Endpoint is the base of the socket; ws, wss, http and https are taken.
	Endpoint string
	// Path is that of the socket, wire.DoshiiPathAppV3 or another one.
	Path string
	// Auth gives the value of the auth parameter: DoshiiAuth of a client id.
	Auth TokenSource
	// DeviceID narrows the events to the interests of a registered device.
	DeviceID string
	// AppVersion is what the heartbeats say of us.
	AppVersion string
	// Heartbeat is the time between heartbeats.
	Heartbeat time.Duration
}

// DoshiiAuth is the value of the auth parameter for a client id: its base64
// (Doshii help centre, "Use of WebSockets – App partners").
func DoshiiAuth(clientID secret.Value) secret.Value {
	return secret.Value(base64.StdEncoding.EncodeToString([]byte(clientID.Reveal())))
}

// DoshiiEncoded tells whether a client id looks as if it were in base64 already:
// it decodes to plain text. What decodes to a JSON object is the head of a JSON
// Web Token, the form that client ids have by themselves.
func DoshiiEncoded(clientID secret.Value) bool {
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
func (d *Doshii) Name() string { return "doshii" }

// Handshake implements Service.
func (d *Doshii) Handshake(ctx context.Context) (*Handshake, error) {
	base, err := socketURL(d.Endpoint)
	if err != nil {
		return nil, &HandshakeError{Stage: StageUpgrade, Address: bareAddress(d.Endpoint), Err: &ProtocolError{err}}
	}
	base += d.Path
	auth, err := token(ctx, d.Auth, base)
	if err != nil {
		return nil, err
	}
	query := url.Values{wire.DoshiiParamAuth: {auth.Reveal()}}
	if d.DeviceID != "" {
		query.Set(wire.DoshiiParamDevice, d.DeviceID)
	}
	hs := &Handshake{URL: base + "?" + query.Encode(), Address: base, Secrets: []string{auth.Reveal()}}
	if id, err := base64.StdEncoding.DecodeString(auth.Reveal()); err == nil {
		hs.Secrets = append(hs.Secrets, string(id))
	}
	hs.Session = &doshiiSession{d: d}
	return hs, nil
}

// Judge implements Judge. No close code has a documented meaning.
func (d *Doshii) Judge(err error) Verdict {
	if e, ok := errors.AsType[*HandshakeError](err); ok && e.Stage == StageUpgrade && e.Status == http.StatusBadRequest {
		return Verdict{Class: Refused}
	}
	if _, ok := errors.AsType[*CloseError](err); ok {
		return Verdict{Class: Transient}
	}
	return Verdict{}
}

// A doshiiSession is the codec of one connection.
type doshiiSession struct {
	d        *Doshii
	beat     time.Time // of the next heartbeat
	lastPong time.Time // or when the socket was opened
}

// Greet sends the first heartbeat, which completes the handshake.
func (s *doshiiSession) Greet(now time.Time) Step {
	s.lastPong, s.beat = now, now.Add(s.d.Heartbeat)
	return Step{Send: []Frame{s.ping(now)}}
}

func (s *doshiiSession) ping(now time.Time) Frame {
	return Text(mustJSON(wire.DoshiiPing(now, s.d.AppVersion)))
}

// doshiiEvent is how an event begins as Doshii sends it.
var doshiiEvent = []byte(`{"emit":["`)

// Decode tells events from heartbeats. Whatever is neither is passed on as an
// event, unchanged: vendors add things.
func (s *doshiiSession) Decode(m Message) (Step, error) {
	if bytes.HasPrefix(m.Data, doshiiEvent) {
		return Step{Event: true}, nil
	}
	return s.decode(m.Data, m.Time, true), nil
}

func (s *doshiiSession) decode(data []byte, now time.Time, outer bool) Step {
	var text string
	if json.Unmarshal(data, &text) == nil && wire.DoshiiIsPrimus(text) {
		return s.primus(text, now)
	}
	var msg wire.DoshiiMessage
	if json.Unmarshal(data, &msg) != nil {
		return Step{Event: true}
	}
	switch {
	case msg.Doshii != nil && msg.Doshii.Pong != nil:
		return s.pong(msg.Doshii.Pong, now)
	case msg.Doshii != nil && msg.Doshii.Ping != nil:
		return Step{
			Note: "ping of the server answered",
			Send: []Frame{Text(mustJSON(wire.DoshiiPong(msg.Doshii.Ping, s.d.AppVersion)))},
		}
	case msg.Type == "message" && msg.Data != nil && outer:
		// The help pages print messages the way a browser wraps them.
		return s.decode(msg.Data, now, false)
	}
	return Step{Event: true}
}

// pong takes a sign of life. The number is the ping's own or the server's clock;
// only the former tells a round-trip time.
func (s *doshiiSession) pong(number json.RawMessage, now time.Time) Step {
	s.lastPong = now
	step := Step{Note: "pong", Ready: true, Heartbeat: true}
	var ms int64
	if json.Unmarshal(number, &ms) == nil {
		if d := now.Sub(time.UnixMilli(ms)); d >= 0 && d < s.d.Heartbeat {
			step.Note, step.RTT = fmt.Sprintf("pong after %s", d.Round(time.Millisecond)), d
		}
	}
	return step
}

// primus takes a heartbeat of the form that Doshii had before 2018.
func (s *doshiiSession) primus(text string, now time.Time) Step {
	switch {
	case strings.HasPrefix(text, wire.DoshiiPrimusPing):
		return Step{
			Note: "ping of the server answered",
			Send: []Frame{Text(mustJSON(wire.DoshiiPrimusPong + strings.TrimPrefix(text, wire.DoshiiPrimusPing)))},
		}
	case strings.HasPrefix(text, wire.DoshiiPrimusPong):
		s.lastPong = now
		return Step{Note: "pong", Ready: true, Heartbeat: true}
	}
	return Step{Note: "the server is about to close"}
}

// Due implements Keeper: heartbeats, and the end of a connection on which no pong
// comes any more.
func (s *doshiiSession) Due(now time.Time) (Work, error) {
	var w Work
	if !now.Before(s.beat) {
		s.beat = now.Add(s.d.Heartbeat)
		w.Send = []Frame{s.ping(now)}
	}
	w.Next = s.beat
	dead := s.lastPong.Add(2 * s.d.Heartbeat)
	if !now.Before(dead) {
		return w, &LostError{fmt.Errorf("no pong within two heartbeat periods (%s)", 2*s.d.Heartbeat)}
	}
	if dead.Before(w.Next) {
		w.Next = dead
	}
	return w, nil
}

// Farewell has nothing to say.
func (s *doshiiSession) Farewell() []Frame { return nil }
