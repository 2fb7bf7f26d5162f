// Package drogue emulates Drogue Cloud:
//
//	/drogue        WebSocket integration: /drogue/APP and /drogue/APP/CHANNEL
//	/drogue-api    discovery, whoami, access tokens
//	/drogue-sso    OpenID Connect issuer: /drogue-sso/realms/drogue
//	/drogue-http   endpoint for devices: /drogue-http/v1/CHANNEL
package drogue

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/wsserver"
	"github.com/hark-cli/hark/proto/drogue/wire"
	"github.com/hark-cli/hark/proto/frame"
)

// realmPath is the path of the issuer of tokens.
const realmPath = "/" + ssoPrefix + "/realms/drogue"

// server implements the WebSocket integration of Drogue Cloud, and accounts, tokens,
// applications and their topics.
type server struct {
	host   *emulator.Host
	opts   Options
	issuer *issuer
	tokens *accessTokens
	logins *logins
	apps   map[string]*application

	made *maker // belongs to tick
}

// An application is an application. Only its topic changes.
type application struct {
	name, uid string
	owner     string
	members   []string // users with a role; "" is anonymous
	topic     *topic
}

// Service returns the emulator of Drogue Cloud with these options.
func Service(opts Options) emulator.Service {
	return emulator.Service{
		Name:   "drogue",
		Start:  func(h *emulator.Host) (emulator.Handler, error) { return newServer(h, opts) },
		Flags:  opts.flags,
		Faults: faults(),
		Random: func(n int, _ *rand.Rand) []string {
			return []string{fmt.Sprintf("token-expired=%d", n), fmt.Sprintf("stream-error=%d", n)}
		},
	}
}

func faults() []emulator.Fault {
	return []emulator.Fault{
		{Name: "token-expired", Argument: "[N]", Meaning: "close with 1008 as if the token had expired",
			Add: func(p *emulator.Plan, a *emulator.Argument) {
				p.Step(a, func(s *emulator.Socket) bool { s.Close(frame.StatusPolicy, wire.TokenExpired); return true })
			}},
		{Name: "stream-error", Argument: "[N]", Meaning: "close with 1011 as if Kafka had failed",
			Add: func(p *emulator.Plan, a *emulator.Argument) {
				p.Step(a, func(s *emulator.Socket) bool { s.Close(frame.StatusInternal, wire.StreamError); return true })
			}},
		{Name: "bad-record", Argument: "[N]", Meaning: "publish a record that is not a CloudEvent, which closes every reader of the application with 1011",
			Add: func(p *emulator.Plan, a *emulator.Argument) {
				p.Step(a, func(s *emulator.Socket) bool {
					if c, ok := s.Owner.(*conn); ok {
						c.app.topic.publish("", "", nil)
					}
					return false
				})
			}},
		{Name: "crash", Argument: "[N]", Meaning: "drop the connection and lose the offsets of the group since the last commit",
			Add: func(p *emulator.Plan, a *emulator.Argument) {
				p.Step(a, func(s *emulator.Socket) bool {
					if c, ok := s.Owner.(*conn); ok {
						c.crashed = true
					}
					_ = s.Flush()
					return true
				})
			}},
	}
}

func newServer(h *emulator.Host, opts Options) (*server, error) {
	key, err := newIssuer()
	if err != nil {
		return nil, err
	}
	d := &server{
		host:   h,
		opts:   opts,
		issuer: key,
		tokens: newAccessTokens(h.Rand("drogue-tokens")),
		logins: newLogins(h.Rand("drogue-logins")),
		apps:   make(map[string]*application),
		made:   newMaker(h.Rand("drogue")),
	}
	ids := h.Rand("drogue-apps")
	for _, a := range []application{
		{name: DemoApplication, owner: User},
		{name: DemoPublicApplication, owner: "someone", members: []string{""}},
		{name: DemoPrivateApplication, owner: "someone"},
	} {
		a.uid = emulator.RandomUUID(ids)
		a.topic = newTopic(d.opts.Partitions, d.opts.Retention, d.opts.AssignDelay)
		d.apps[a.name] = &a
	}
	return d, nil
}

// userID returns the id of a user at the identity provider.
func userID(user string) string {
	return emulator.RandomUUID(emulator.NewRand(0, "drogue-user/"+user))
}

// Prefixes of the parts of an installation, which in reality have separate hosts.
const (
	socketPrefix = "drogue"
	apiPrefix    = "drogue-api"
	ssoPrefix    = "drogue-sso"
	httpPrefix   = "drogue-http"
)

// Prefixes implements emulator.Handler.
func (d *server) Prefixes() []string {
	return []string{socketPrefix, apiPrefix, ssoPrefix, httpPrefix}
}

// Environ implements emulator.Handler.
func (d *server) Environ(base *url.URL) ([]string, error) {
	token, err := d.issuer.token(base, User, d.opts.TokenLifetime)
	if err != nil {
		return nil, err
	}
	return []string{
		"HARK_DROGUE_ENDPOINT=" + emulator.SocketBase(base) + "/" + socketPrefix,
		"HARK_DROGUE_API=" + base.String() + "/" + apiPrefix,
		"HARK_DROGUE_HTTP=" + base.String() + "/" + httpPrefix,
		"HARK_DROGUE_TOKEN=" + token,
		"HARK_DROGUE_PASSWORD=" + DevicePassword,
		"HARK_DEMO_APP=" + DemoApplication,
		"HARK_DEMO_CHANNEL=" + DemoChannel,
	}, nil
}

// Tick generates an event of every application that can be read.
func (d *server) Tick() {
	app := d.made.next()
	for _, name := range []string{DemoApplication, DemoPublicApplication} {
		d.publish(d.apps[name], app)
	}
}

func (d *server) publish(a *application, e input) {
	event, key := d.made.event(a, e, time.Now())
	b, err := event.MarshalJSON()
	if err != nil {
		panic(fmt.Sprintf("emulator: encoding an event: %v", err))
	}
	a.topic.publish(key, event.Subject, b)
}

// Serve implements emulator.Handler.
func (d *server) Serve(w http.ResponseWriter, r *http.Request, prefix string) {
	if prefix == socketPrefix {
		d.serveSocket(w, r)
		return
	}
	if _, ok := d.host.Admit(w, r, false, refuse); !ok {
		return
	}
	switch prefix {
	case apiPrefix:
		d.serveAPI(w, r)
	case ssoPrefix:
		d.serveSSO(w, r)
	case httpPrefix:
		d.servePublish(w, r)
	}
}

// serveSocket authenticates, authorizes, then checks the route and the upgrade, in this
// order (drogue-cloud, websocket-integration/src/lib.rs).
func (d *server) serveSocket(w http.ResponseWriter, r *http.Request) {
	faults, ok := d.host.Admit(w, r, true, refuse)
	if !ok {
		return
	}
	segments := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i, s := range segments {
		segments[i], _ = url.PathUnescape(s) // valid: the whole path was
	}
	if segments[0] == "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	who, refusal := d.authenticate(r)
	if refusal != nil {
		refusal.write(w)
		return
	}
	app, refusal := d.authorize(who, segments[0])
	if refusal != nil {
		refusal.write(w)
		return
	}
	q := r.URL.Query()
	rules := d.rules()
	switch {
	case len(segments) > 2 || len(segments) == 2 && segments[1] == "":
		w.WriteHeader(http.StatusNotFound)
		return
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case len(q[wire.ParamGroup]) > 1:
		http.Error(w, "Query deserialize error: duplicate field `group_id`", http.StatusBadRequest)
		return
	}
	if fault := emulator.HandshakeFault(r, rules.Versions); fault != "" {
		emulator.AnswerPhrase(w, http.StatusBadRequest, fault)
		return
	}
	c := &conn{server: d, app: app, expires: who.expires}
	if len(segments) == 2 {
		c.channel = &segments[1]
	}
	group := ""
	if q.Has(wire.ParamGroup) {
		group = app.name + "." + q.Get(wire.ParamGroup)
	}
	// Before the response, so that without a delay nothing published after it is
	// missed.
	c.consumer = app.topic.join(group)
	s, err := d.host.Upgrade(w, r, rules, faults)
	if err != nil {
		c.consumer.leave(false)
		return
	}
	c.socket = s
	s.Owner = c
	d.host.Listening()
	c.run()
	if v, ok := errors.AsType[*wsserver.Violation](s.ReadError()); ok && v.Code == frame.StatusTooBig && s.Rules.Finished {
		s.Finish()
	}
	// A server that considers the connection closed reassigns its partitions, even if
	// the client does not know.
	c.consumer.leave(c.crashed)
	s.Drop()
}

// rules are those of actix (actix-http, src/ws/codec.rs and frame.rs): violations end
// the connection without a close frame.
func (d *server) rules() emulator.Rules {
	return emulator.Rules{
		Rules:        wsserver.Rules{MaxMessage: wire.MaxFrame, Unfragmented: true, Reserved: true},
		Versions:     []string{"13", "8", "7"},
		WriteTimeout: max(d.opts.Timeout, emulator.CloseTimeout),
		Uncut:        true,
		Finished:     true,
	}
}

// A conn is one socket (drogue-cloud, websocket-integration/src/wshandler).
type conn struct {
	*server
	socket   *emulator.Socket
	app      *application
	channel  *string // nil for all
	consumer *consumer
	expires  time.Time // zero: never
	seen     time.Time // last ping or pong
	crashed  bool
}

func (c *conn) run() {
	c.seen = time.Now()
	ping, stop := emulator.Every(c.opts.Ping)
	defer stop()
	check, stop := emulator.Every(c.opts.AuthCheck)
	defer stop()
	commit, stop := emulator.Every(c.opts.Commit)
	defer stop()
	for over := c.socket.Begin(); !over; {
		select {
		case <-c.socket.Due:
			over = c.socket.Elapsed()
		case <-c.host.Context().Done():
			return // a restarted pod sends no close frame either
		case <-ping:
			over = c.heartbeat(time.Now())
		case <-check:
			if !c.expires.IsZero() && time.Now().After(c.expires) {
				c.socket.Close(frame.StatusPolicy, wire.TokenExpired)
				return
			}
		case <-commit:
			c.consumer.autocommit()
		case f, ok := <-c.socket.Frames:
			over = !ok || c.receive(f)
		case <-c.consumer.wake:
			over = c.push()
		}
	}
}

// heartbeat disconnects a client that has sent neither ping nor pong for too long, and
// pings the others.
func (c *conn) heartbeat(now time.Time) (over bool) {
	if now.Sub(c.seen) > c.opts.Timeout {
		return true
	}
	return c.socket.Send(frame.OpPing, []byte(wire.PingPayload)) != nil
}

// push sends the records of the topic. A record of another channel is consumed too.
func (c *conn) push() (over bool) {
	for _, r := range c.consumer.poll() {
		if r.event == nil { // not a CloudEvent, which is an error of the stream
			c.socket.Close(frame.StatusInternal, wire.StreamError)
			return true
		}
		if c.channel == nil || r.subject == *c.channel {
			if c.socket.Event(r.event) {
				return true
			}
		}
	}
	return c.socket.Flush() != nil
}

func (c *conn) receive(f emulator.ClientFrame) (over bool) {
	switch f.Opcode {
	case frame.OpPing, frame.OpPong:
		c.seen = f.At
		return c.socket.Control(f)
	case frame.OpClose:
		return c.socket.Control(f)
	}
	token, fault := parseRefresh(f.Payload)
	if fault != "" {
		c.socket.Close(frame.StatusProtocol, fault)
		return true
	}
	return c.refresh(token)
}

// refresh applies the expiry of a new token. There is no reply to a valid one, which
// may be of any user who may read the application.
func (c *conn) refresh(token string) (over bool) {
	who, err := c.bearer(token)
	if err != nil {
		c.socket.Close(refreshFailed(wire.AuthFailed))
		return true
	}
	if !c.app.mayRead(who) {
		c.socket.Close(refreshFailed(""))
		return true
	}
	c.expires = who.expires
	return false
}
