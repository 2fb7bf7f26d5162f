// Package octave is the codec of Octave by Sierra Wireless: the service of package
// proto, its REST interface, and the recovery of missed events from there.
package octave

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

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/octave/wire"
)

// The engine finds these interfaces at run time.
var (
	_ proto.Classifier = (*Service)(nil)
	_ proto.Resumer    = (*Service)(nil)
	_ proto.Drainer    = (*run)(nil)
	_ proto.Scheduler  = (*session)(nil)
)

// A Service subscribes to streams of Sierra Wireless Octave: it requests a session over
// HTTP, opens the socket of that session, and sends one subscription per stream (Octave
// documentation, "Consuming Events via WebSocket").
type Service struct {
	// Endpoint is the base of the session service, http:// or https://.
	Endpoint string
	// User is empty if Token is a restricted token.
	User, Company string
	Token         proto.TokenSource
	// Streams are ids, or paths that begin with a slash.
	Streams []string
	// AckTimeout is how long an acknowledgment may take.
	AckTimeout time.Duration
	// Heartbeat is the time between heartbeats, 0 for none.
	Heartbeat time.Duration
	// Client sends the session request.
	Client *http.Client

	// API returns stored events. It is required with Backfill, Since and Ago.
	API *API
	// Backfill fetches the events missed before each new connection.
	Backfill bool
	// BackfillDelay is how late the REST interface may show an event. Missed events are
	// requested once more when the subscriptions have been live for that time, because
	// only then are all of them shown; 0 requests them once.
	BackfillDelay time.Duration
	// Since or, if that is zero, Ago is the time from which stored events precede the
	// live ones. Ago is relative to the service's clock.
	Since time.Time
	Ago   time.Duration
	// Known are those of Streams that have been looked up already.
	Known map[string]Stream

	// positions: its events have positions, and stored are those to continue from; see
	// Resume.
	positions bool
	stored    map[string]streamPosition
}

// Name implements Service.
func (o *Service) Name() string { return "octave" }

// A Session is a granted session without a socket. Its id is the only credential of the
// socket.
type Session struct {
	ID string
	// URL is the address of the socket, which contains the id.
	URL string
	// Granted is when the service granted it, by its own clock, to the second; zero if
	// the service does not send its time.
	Granted time.Time
}

// NewSession requests a session. It expires if no socket is opened soon.
func (o *Service) NewSession(ctx context.Context) (Session, error) {
	address := o.Endpoint + wire.SessionPath
	tok, err := o.Token.Ask(ctx, proto.BareAddress(o.Endpoint))
	if err != nil {
		return Session{}, err
	}
	req, err := proto.NewRequest(ctx, proto.StageSession, http.MethodPost, address, nil)
	if err != nil {
		return Session{}, err
	}
	if o.User != "" {
		req.Header.Set(wire.HeaderUser, o.User)
	}
	req.Header.Set(wire.HeaderCompany, o.Company)
	req.Header.Set(wire.HeaderToken, tok.Reveal())

	resp, body, err := proto.Exchange(o.Client, req, proto.StageSession, proto.BareAddress(address), 0)
	if err != nil {
		return Session{}, err
	}
	return o.granted(resp, body, proto.BareAddress(address))
}

// granted parses the response to a session request.
func (o *Service) granted(resp *http.Response, body []byte, address string) (Session, error) {
	fail := proto.AnswerError(proto.StageSession, address, resp)
	a, _ := readReply(body)
	if refuse(fail, a.head, body, "session request") {
		return Session{}, fail
	}
	var s struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.Unmarshal(a.body, &s)
	id := stringOf(s.ID)
	if id == "" {
		fail.Status, fail.Err = 0, &proto.ProtocolError{Err: errNoSessionID}
		return Session{}, fail
	}
	u, err := proto.SocketURL(o.Endpoint)
	if err != nil {
		return Session{}, &proto.HandshakeError{Stage: proto.StageSession, Address: address, Err: err}
	}
	// Without the header the time is unknown: the local clock may differ by hours.
	granted, _ := http.ParseTime(resp.Header.Get("Date"))
	return Session{ID: id, URL: u + wire.SocketPath(url.PathEscape(id)), Granted: granted}, nil
}

var errNoSessionID = errors.New("the answer contains no session id")

// Start implements Service.
func (o *Service) Start() proto.Source {
	r := &run{o: o}
	if o.Backfill || !o.Since.IsZero() || o.Ago > 0 || o.positions {
		r.cursor = newCursor()
	}
	return r
}

// A run is the state that the connections of a run share.
type run struct {
	o *Service
	// cursor is the position of the run; nil if it fetches no stored events.
	cursor *cursor
}

// Drain implements proto.Drainer.
func (r *run) Drain() []proto.Message {
	if r.cursor == nil || r.cursor.fill == nil {
		return nil
	}
	return r.cursor.fill.release()
}

// Handshake implements Source.
func (r *run) Handshake(ctx context.Context) (*proto.Handshake, error) {
	s, err := r.o.NewSession(ctx)
	if err != nil {
		return nil, err
	}
	return &proto.Handshake{
		URL:     s.URL,
		Address: strings.Replace(s.URL, url.PathEscape(s.ID), "…", 1),
		Secrets: []string{s.ID},
		Session: &session{o: r.o, recovery: recovery{cursor: r.cursor, granted: s.Granted, received: time.Now()}},
	}, nil
}

// Offline implements Player.
func (o *Service) Offline() proto.Session { return &session{o: o} }

// Classify implements proto.Classifier.
func (o *Service) Classify(err error) proto.Verdict {
	if e, ok := errors.AsType[*proto.HandshakeError](err); ok {
		switch {
		case e.Stage == proto.StageSession && (e.Status == http.StatusBadRequest || e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden):
			// The predecessor of Octave answers 400 to invalid credentials.
			return proto.Verdict{Class: proto.Credentials}
		case e.Stage == proto.StageSession && refused(e.Err):
			return proto.Verdict{Class: proto.Refused}
		case e.Stage == netdial.StageUpgrade && e.Status >= 400 && e.Status < 500:
			// The session has expired: a new one usually helps at once.
			return proto.Verdict{Class: proto.Transient, RetryNow: true}
		}
	}
	if _, ok := errors.AsType[*proto.CloseError](err); ok {
		return proto.Verdict{Class: proto.Transient} // no code has a documented meaning
	}
	return proto.Verdict{}
}

// refused reports whether err is a refusal with a message of the service.
func refused(err error) bool {
	_, ok := errors.AsType[*proto.RefusedError](err)
	return ok
}

// A session is the codec of one connection.
type session struct {
	o        *Service
	awaited  map[string]string // msgId → stream
	deadline time.Time         // of the acknowledgments
	beat     time.Time         // of the next heartbeat
	byHand   byHand
	recovery
}

// OnOpen subscribes to every stream.
func (s *session) OnOpen(now time.Time) []proto.Effect {
	s.awaited = make(map[string]string, len(s.o.Streams))
	s.deadline = now.Add(s.o.AckTimeout)
	if s.o.Heartbeat > 0 {
		s.beat = now.Add(s.o.Heartbeat)
	}
	var send proto.Send
	for i, stream := range s.o.Streams {
		id := "subscribe-" + strconv.Itoa(i+1)
		s.awaited[id] = stream
		send = append(send, subscription(id, wire.TypeSubscribe, stream))
	}
	effects := append([]proto.Effect{send}, warn(s.look(now))...)
	if s.cursor != nil {
		effects = append(effects, s.cursor.begunStreams()...)
	}
	return effects
}

// subscription identifies a stream by path if it begins with a slash, otherwise by id.
func subscription(id, typ, stream string) proto.Frame {
	r := wire.Request{MsgID: eventjson.Encode(id), Object: wire.ObjectEvent, Type: typ}
	if strings.HasPrefix(stream, "/") {
		r.Path = stream
	} else {
		r.StreamID = stream
	}
	return proto.Text(eventjson.Encode(r))
}

// pushedPrefix is the start of an event in the form of the documentation. Comparing it
// saves decoding a message to find out that it is an event.
var pushedPrefix = []byte(`{"type":"message",`)

// Decode distinguishes events from acknowledgments.
func (s *session) Decode(m proto.Message) (event bool, effects []proto.Effect, err error) {
	if bytes.HasPrefix(m.Data, pushedPrefix) {
		event, effects = s.push(m)
		return event, effects, nil
	}
	msg, ok := readReply(m.Data)
	switch {
	case !ok:
		effects = []proto.Effect{proto.Warning("a message that is not JSON of Octave was left out: " + proto.Excerpt(m.Data))}
	case msg.typ == wire.TypeMessage:
		event, effects = s.push(m)
	case msg.head != nil:
		effects, err = s.answer(msg.head, m.Time)
	case msg.typ == wire.TypeHeartbeat:
		effects = []proto.Effect{proto.Note("heartbeat answered"), proto.HeartbeatAnswered{}}
	default:
		effects = []proto.Effect{proto.Note("message of an unknown kind: " + proto.Excerpt(m.Data))}
	}
	return event, effects, err
}

// answer handles an acknowledgment. It is a success if and only if ok is true.
func (s *session) answer(h *replyHead, now time.Time) ([]proto.Effect, error) {
	id := stringOf(h.msgID)         // hark does not send numbers
	if h.msgID == nil && h.denied { // the answer to a heartbeat may have neither
		if id = s.outstanding(); id == "" {
			return []proto.Effect{proto.Warning("the service refused a request without saying which: " + strings.Join(h.reasons, "; "))}, nil
		}
	}
	stream, ok := s.awaited[id]
	asked := s.byHand.awaited[id]
	if effect, byHand := s.byHand.answer(id, h); byHand {
		if h.ok && s.cursor != nil {
			s.cursor.byHand(asked)
		}
		return []proto.Effect{effect}, nil
	}
	if !ok {
		return []proto.Effect{proto.Note("answer to another request")}, nil
	}
	delete(s.awaited, id)
	if !h.ok {
		return nil, &proto.RefusedError{Request: "subscription to " + stream, Status: h.status, Reasons: h.reasons}
	}
	effects := []proto.Effect{proto.Note("subscribed to " + stream)}
	if len(s.awaited) == 0 {
		s.live(now)
		effects = append(effects, proto.StreamReady{Filling: s.fill != nil})
		if s.cursor != nil {
			effects = append(effects, s.cursor.begunStreams()...)
		}
	}
	return effects, nil
}

// outstanding returns the msgId of the only request that has no answer yet, and "" if
// there is none or more than one.
func (s *session) outstanding() string {
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

// Tick implements proto.Scheduler: heartbeats, the time limit for acknowledgments, and
// requests for missed events.
func (s *session) Tick(now time.Time) (proto.Work, error) {
	var w proto.Work
	if !s.beat.IsZero() {
		if !now.Before(s.beat) {
			s.beat = now.Add(s.o.Heartbeat)
			w.Effects = []proto.Effect{proto.Send{proto.Text(eventjson.Encode(wire.Request{Type: wire.TypeHeartbeat}))}}
		}
		w.Next = s.beat
	}
	s.recover(&w, now)
	if len(s.awaited) == 0 {
		return w, nil
	}
	if !now.Before(s.deadline) {
		return w, &proto.TimeoutError{What: "acknowledgment of the subscription to " + s.missing(), Limit: s.o.AckTimeout}
	}
	if w.Next.IsZero() || s.deadline.Before(w.Next) {
		w.Next = s.deadline
	}
	return w, nil
}

// missing returns the streams without an acknowledgment, in the user's order.
func (s *session) missing() string {
	var names []string
	for i, stream := range s.o.Streams {
		if _, ok := s.awaited["subscribe-"+strconv.Itoa(i+1)]; ok {
			names = append(names, stream)
		}
	}
	return strings.Join(names, ", ")
}

// OnClose ends the subscriptions.
func (s *session) OnClose() []proto.Frame {
	var out []proto.Frame
	for i, stream := range s.o.Streams {
		out = append(out, subscription("unsubscribe-"+strconv.Itoa(i+1), wire.TypeUnsubscribe, stream))
	}
	return out
}
