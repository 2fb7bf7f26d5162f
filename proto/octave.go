package proto

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/jsontext"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto/wire"
)

// Octave is Sierra Wireless Octave: a session asked for over HTTP, a socket of
// that session, and one subscription per stream (Octave documentation,
// "Consuming Events via WebSocket").
type Octave struct {
	// Endpoint is the base of the session service, http:// or https://.
	Endpoint string
	// User is left empty when Token is a restricted one.
	User, Company string
	Token         TokenSource
	// Streams are ids, or paths that begin with a slash.
	Streams []string
	// AckTimeout is how long an acknowledgement may take.
	AckTimeout time.Duration
	// Heartbeat is the time between heartbeats, 0 for none.
	Heartbeat time.Duration
	// Client sends the session request.
	Client *http.Client

	// API is asked for stored events. It is required with Backfill, Since and Ago.
	API *OctaveAPI
	// Backfill fetches what was missed before each new connection.
	Backfill bool
	// BackfillDelay is how late the REST interface may show an event. What was missed
	// is asked for once more when the subscriptions have been live for so long,
	// because only then is nothing missing; 0 trusts the first answer.
	BackfillDelay time.Duration
	// Since or, when that is zero, Ago says from when on stored events come before
	// the live ones. Ago counts back from the service's clock.
	Since time.Time
	Ago   time.Duration
	// Known are those of Streams that were looked up already.
	Known map[string]OctaveStream
}

// Name implements Service.
func (o *Octave) Name() string { return "octave" }

// An OctaveSession is a session that was granted and has not been used yet. Its
// id is the only credential of the socket.
type OctaveSession struct {
	ID string
	// URL is the address of the socket, with the id in it.
	URL string
	// Granted is when the service granted it by its own clock, to the second; zero
	// when the service does not tell its time.
	Granted time.Time
}

// NewSession asks for a session. The service forgets it when no socket is
// opened soon.
func (o *Octave) NewSession(ctx context.Context) (OctaveSession, error) {
	address := o.Endpoint + wire.OctaveSessionPath
	tok, err := o.Token.Ask(ctx, BareAddress(o.Endpoint))
	if err != nil {
		return OctaveSession{}, err
	}
	req, err := NewRequest(ctx, StageSession, http.MethodPost, address, nil)
	if err != nil {
		return OctaveSession{}, err
	}
	if o.User != "" {
		req.Header.Set(wire.OctaveHeaderUser, o.User)
	}
	req.Header.Set(wire.OctaveHeaderCompany, o.Company)
	req.Header.Set(wire.OctaveHeaderToken, tok.Reveal())

	resp, body, err := Exchange(o.Client, req, StageSession, BareAddress(address), 0)
	if err != nil {
		return OctaveSession{}, err
	}
	return o.granted(resp, body, BareAddress(address))
}

// granted reads the answer to a session request.
func (o *Octave) granted(resp *http.Response, body []byte, address string) (OctaveSession, error) {
	fail := AnswerError(StageSession, address, resp)
	a, _ := readOctaveMessage(body)
	if refuse(fail, a.head, body, "session request") {
		return OctaveSession{}, fail
	}
	var s struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.Unmarshal(a.body, &s)
	id := octaveText(s.ID)
	if id == "" {
		fail.Status, fail.Err = 0, &ProtocolError{errNoSessionID}
		return OctaveSession{}, fail
	}
	u, err := SocketURL(o.Endpoint)
	if err != nil {
		return OctaveSession{}, &HandshakeError{Stage: StageSession, Address: address, Err: err}
	}
	// Without it nothing is known: our own clock may differ by hours.
	granted, _ := http.ParseTime(resp.Header.Get("Date"))
	return OctaveSession{ID: id, URL: u + wire.OctaveSocketPath(url.PathEscape(id)), Granted: granted}, nil
}

var errNoSessionID = errors.New("the answer holds no session id")

// Start implements Service.
func (o *Octave) Start() Source {
	r := &octaveRun{o: o}
	if o.Backfill || !o.Since.IsZero() || o.Ago > 0 {
		r.cursor = newOctaveCursor()
	}
	return r
}

// An octaveRun is what goes from one connection of a run to the next.
type octaveRun struct {
	o *Octave
	// cursor is how far the run has come; nil when it neither looks back nor fills gaps.
	cursor *octaveCursor
}

// Release implements Holder.
func (r *octaveRun) Release() []Message {
	if r.cursor == nil || r.cursor.fill == nil {
		return nil
	}
	return r.cursor.fill.release()
}

// Handshake implements Source.
func (r *octaveRun) Handshake(ctx context.Context) (*Handshake, error) {
	s, err := r.o.NewSession(ctx)
	if err != nil {
		return nil, err
	}
	return &Handshake{
		URL:     s.URL,
		Address: strings.Replace(s.URL, url.PathEscape(s.ID), "…", 1),
		Secrets: []string{s.ID},
		Session: &octaveSession{o: r.o, octaveRecovery: octaveRecovery{cursor: r.cursor, granted: s.Granted, received: time.Now()}},
	}, nil
}

// Offline implements Player.
func (o *Octave) Offline() Session { return &octaveSession{o: o} }

// Judge implements Judge.
func (o *Octave) Judge(err error) Verdict {
	if e, ok := errors.AsType[*HandshakeError](err); ok {
		switch {
		case e.Stage == StageSession && (e.Status == http.StatusBadRequest || e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden):
			// The ancestor of Octave answers 400 to bad credentials.
			return Verdict{Class: Credentials}
		case e.Stage == StageSession && refused(e.Err):
			return Verdict{Class: Refused}
		case e.Stage == netdial.StageUpgrade && e.Status >= 400 && e.Status < 500:
			// The session has expired: a new one usually helps at once.
			return Verdict{Class: Transient, Free: true}
		}
	}
	if _, ok := errors.AsType[*CloseError](err); ok {
		return Verdict{Class: Transient} // no code has a documented meaning
	}
	return Verdict{}
}

// refused reports whether err is a refusal in the service's own words.
func refused(err error) bool {
	_, ok := errors.AsType[*RefusedError](err)
	return ok
}

// An octaveSession is the codec of one connection.
type octaveSession struct {
	o        *Octave
	awaited  map[string]string // msgId → stream
	deadline time.Time         // of the acknowledgements
	beat     time.Time         // of the next heartbeat
	byHand   octaveByHand
	octaveRecovery
}

// Greet subscribes to every stream.
func (s *octaveSession) Greet(now time.Time) []Effect {
	s.awaited = make(map[string]string, len(s.o.Streams))
	s.deadline = now.Add(s.o.AckTimeout)
	if s.o.Heartbeat > 0 {
		s.beat = now.Add(s.o.Heartbeat)
	}
	var send Send
	for i, stream := range s.o.Streams {
		id := "subscribe-" + strconv.Itoa(i+1)
		s.awaited[id] = stream
		send = append(send, octaveRequest(id, wire.OctaveTypeSubscribe, stream))
	}
	return append([]Effect{send}, warn(s.look(now))...)
}

// octaveRequest locates a stream by path when it begins with a slash, otherwise
// by id.
func octaveRequest(id, typ, stream string) Frame {
	r := wire.OctaveRequest{MsgID: jsontext.Encode(id), Object: wire.OctaveObjectEvent, Type: typ}
	if strings.HasPrefix(stream, "/") {
		r.Path = stream
	} else {
		r.StreamID = stream
	}
	return Text(jsontext.Encode(r))
}

// octavePushed is how an event begins as the documentation prints it. The test
// saves decoding each event only to learn that it is one.
var octavePushed = []byte(`{"type":"message",`)

// Decode tells events from acknowledgements.
func (s *octaveSession) Decode(m Message) (event bool, effects []Effect, err error) {
	if bytes.HasPrefix(m.Data, octavePushed) {
		event, effects = s.push(m)
		return event, effects, nil
	}
	msg, ok := readOctaveMessage(m.Data)
	switch {
	case !ok:
		effects = []Effect{Warning("a message that is not JSON of Octave was left out: " + Excerpt(m.Data))}
	case msg.typ == wire.OctaveTypeMessage:
		event, effects = s.push(m)
	case msg.head != nil:
		effects, err = s.answer(msg.head, m.Time)
	case msg.typ == wire.OctaveTypeHeartbeat:
		effects = []Effect{Note("heartbeat answered"), HeartbeatAnswered{}}
	default:
		effects = []Effect{Note("message of an unknown kind: " + Excerpt(m.Data))}
	}
	return event, effects, err
}

// answer takes an acknowledgement. It succeeds if and only if ok is true.
func (s *octaveSession) answer(h *octaveHead, now time.Time) ([]Effect, error) {
	id := octaveText(h.msgID)       // a number is none of ours
	if h.msgID == nil && h.denied { // heartbeats may have an answer without both
		if id = s.outstanding(); id == "" {
			return []Effect{Warning("the service refused a request without saying which: " + strings.Join(h.reasons, "; "))}, nil
		}
	}
	stream, ok := s.awaited[id]
	asked := s.byHand.awaited[id]
	if effect, byHand := s.byHand.answer(id, h); byHand {
		if h.ok && s.cursor != nil {
			s.cursor.byHand(asked)
		}
		return []Effect{effect}, nil
	}
	if !ok {
		return []Effect{Note("answer to another request")}, nil
	}
	delete(s.awaited, id)
	if !h.ok {
		return nil, &RefusedError{Request: "subscription to " + stream, Status: h.status, Reasons: h.reasons}
	}
	effects := []Effect{Note("subscribed to " + stream)}
	if len(s.awaited) == 0 {
		s.live(now)
		effects = append(effects, StreamReady{Filling: s.fill != nil})
	}
	return effects, nil
}

// outstanding is the msgId of the only request that has no answer yet, and "" when
// there is none or more than one.
func (s *octaveSession) outstanding() string {
	if len(s.awaited)+len(s.byHand.awaited) != 1 {
		return ""
	}
	for id := range s.awaited {
		return id
	}
	for id := range s.byHand.awaited {
		return id
	}
	return ""
}

// Due implements Keeper: heartbeats, the limit for acknowledgements, and what is
// to be fetched.
func (s *octaveSession) Due(now time.Time) (Work, error) {
	var w Work
	if !s.beat.IsZero() {
		if !now.Before(s.beat) {
			s.beat = now.Add(s.o.Heartbeat)
			w.Effects = []Effect{Send{Text(jsontext.Encode(wire.OctaveRequest{Type: wire.OctaveTypeHeartbeat}))}}
		}
		w.Next = s.beat
	}
	s.recover(&w, now)
	if len(s.awaited) == 0 {
		return w, nil
	}
	if !now.Before(s.deadline) {
		return w, &OverdueError{What: "acknowledgement of the subscription to " + s.missing(), Limit: s.o.AckTimeout}
	}
	if w.Next.IsZero() || s.deadline.Before(w.Next) {
		w.Next = s.deadline
	}
	return w, nil
}

// missing names the streams without an acknowledgement, in the user's order.
func (s *octaveSession) missing() string {
	var names []string
	for i, stream := range s.o.Streams {
		if _, ok := s.awaited["subscribe-"+strconv.Itoa(i+1)]; ok {
			names = append(names, stream)
		}
	}
	return strings.Join(names, ", ")
}

// Farewell ends the subscriptions.
func (s *octaveSession) Farewell() []Frame {
	var out []Frame
	for i, stream := range s.o.Streams {
		out = append(out, octaveRequest("unsubscribe-"+strconv.Itoa(i+1), wire.OctaveTypeUnsubscribe, stream))
	}
	return out
}
