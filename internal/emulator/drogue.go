package emulator

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/wire"
)

var errNoDrogue = errors.New("this emulator does not serve drogue")

// drogueRealmPath is where the issuer of tokens lives.
const drogueRealmPath = "/" + drogueSSOPrefix + "/realms/drogue"

// drogue is the WebSocket integration of Drogue Cloud with what it stands on:
// accounts, tokens, applications and their topics.
type drogue struct {
	core
	opts   DrogueOptions
	issuer *issuer
	tokens *drogueTokens
	logins *logins
	apps   map[string]*drogueApp

	made *drogueMaker // belongs to tick
}

// A drogueApp is an application. Only its topic changes.
type drogueApp struct {
	name, uid string
	owner     string
	members   []string // users with a role; "" is anonymous
	topic     *topic
}

func drogueKind() kind {
	return kind{
		name:  Drogue,
		make:  func(c core, o Options) (service, error) { return newDrogue(c, o) },
		flags: func(o *Options, f *flag.FlagSet) { o.Drogue.flags(f) },
		faults: []Fault{
			{Name: "token-expired", Argument: "[N]", Meaning: "close with 1008 as if the token had expired"},
			{Name: "stream-error", Argument: "[N]", Meaning: "close with 1011 as if Kafka had failed"},
			{Name: "bad-record", Argument: "[N]", Meaning: "publish a record that is no CloudEvent, which closes every reader of the application with 1011"},
			{Name: "crash", Argument: "[N]", Meaning: "end the connection and forget what the group has read since the last commit"},
		},
		random: func(n int, _ *rand.Rand) []string {
			return []string{fmt.Sprintf("token-expired=%d", n), fmt.Sprintf("stream-error=%d", n)}
		},
	}
}

func newDrogue(c core, opts Options) (*drogue, error) {
	key, err := newIssuer()
	if err != nil {
		return nil, err
	}
	d := &drogue{
		core:   c,
		opts:   opts.Drogue,
		issuer: key,
		tokens: newDrogueTokens(newRand(opts.Seed, "drogue-tokens")),
		logins: newLogins(newRand(opts.Seed, "drogue-logins")),
		apps:   make(map[string]*drogueApp),
		made:   newDrogueMaker(newRand(opts.Seed, "drogue")),
	}
	ids := newRand(opts.Seed, "drogue-apps")
	for _, a := range []drogueApp{
		{name: DemoApplication, owner: DrogueUser},
		{name: DemoPublicApplication, owner: "somebody", members: []string{""}},
		{name: DemoPrivateApplication, owner: "somebody"},
	} {
		a.uid = randomUUID(ids)
		a.topic = newTopic(d.opts.Partitions, d.opts.Retention, d.opts.AssignDelay)
		d.apps[a.name] = &a
	}
	return d, nil
}

// drogueUserID is the id that the identity provider has for a user.
func drogueUserID(user string) string {
	return randomUUID(newRand(0, "drogue-user/"+user))
}

// Prefixes of the parts of an installation, each of which has a host of its own
// in reality.
const (
	drogueSocketPrefix = "drogue"
	drogueAPIPrefix    = "drogue-api"
	drogueSSOPrefix    = "drogue-sso"
	drogueHTTPPrefix   = "drogue-http"
)

func (d *drogue) prefixes() []string {
	return []string{drogueSocketPrefix, drogueAPIPrefix, drogueSSOPrefix, drogueHTTPPrefix}
}

func (d *drogue) environ(base *url.URL) ([]string, error) {
	token, err := d.token(base, DrogueUser, d.opts.TokenLifetime)
	if err != nil {
		return nil, err
	}
	return []string{
		"HARK_DROGUE_ENDPOINT=" + socketBase(base) + "/" + drogueSocketPrefix,
		"HARK_DROGUE_API=" + base.String() + "/" + drogueAPIPrefix,
		"HARK_DROGUE_HTTP=" + base.String() + "/" + drogueHTTPPrefix,
		"HARK_DROGUE_TOKEN=" + token,
		"HARK_DROGUE_PASSWORD=" + DrogueDevicePassword,
		"HARK_DEMO_APP=" + DemoApplication,
		"HARK_DEMO_CHANNEL=" + DemoChannel,
	}, nil
}

// tick makes an event of every application that somebody may read.
func (d *drogue) tick() {
	app := d.made.next()
	for _, name := range []string{DemoApplication, DemoPublicApplication} {
		d.publish(d.apps[name], app)
	}
}

func (d *drogue) publish(a *drogueApp, e drogueInput) {
	event, key := d.made.event(a, e, time.Now())
	b, err := event.MarshalJSON()
	if err != nil {
		panic(fmt.Sprintf("emulator: encoding an event: %v", err))
	}
	a.topic.publish(key, event.Subject, b)
}

func (d *drogue) serve(w http.ResponseWriter, r *http.Request, prefix string) {
	if prefix == drogueSocketPrefix {
		d.serveSocket(w, r)
		return
	}
	if _, ok := d.faults.admit(w, r, Drogue, false, drogueRefuse); !ok {
		return
	}
	switch prefix {
	case drogueAPIPrefix:
		d.serveAPI(w, r)
	case drogueSSOPrefix:
		d.serveSSO(w, r)
	case drogueHTTPPrefix:
		d.servePublish(w, r)
	}
}

// serveSocket authenticates, then authorizes, then looks at the route and at the
// upgrade, in this order (drogue-cloud, websocket-integration/src/lib.rs).
func (d *drogue) serveSocket(w http.ResponseWriter, r *http.Request) {
	faults, ok := d.faults.admit(w, r, Drogue, true, drogueRefuse)
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
	case len(q[wire.DrogueParamGroup]) > 1:
		http.Error(w, "Query deserialize error: duplicate field `group_id`", http.StatusBadRequest)
		return
	}
	if fault := handshakeFault(r, rules.versions); fault != "" {
		answerPhrase(w, http.StatusBadRequest, fault)
		return
	}
	c := &drogueConn{drogue: d, app: app, expires: who.expires}
	if len(segments) == 2 {
		c.channel = &segments[1]
	}
	group := ""
	if q.Has(wire.DrogueParamGroup) {
		group = app.name + "." + q.Get(wire.DrogueParamGroup)
	}
	// Before the answer, so that without a delay nothing published after it is
	// missed.
	c.consumer = app.topic.join(group)
	s, err := upgrade(d.ctx, w, r, rules, faults)
	if err != nil {
		c.consumer.leave(false)
		return
	}
	c.socket = s
	s.spoil = func() { app.topic.publish("", "", nil) }
	d.live.open()
	c.run()
	if v, ok := errors.AsType[*violation](s.readError()); ok && v.code == frame.StatusTooBig && s.rules.finished {
		s.finish()
	}
	// A server that thinks that the connection is over gives its partitions
	// away, even if the client has heard nothing.
	c.consumer.leave(s.crashed)
	s.drop()
}

// rules are those of actix (actix-http, src/ws/codec.rs and frame.rs): what they
// do not allow ends the connection without a close frame.
func (d *drogue) rules() socketRules {
	return socketRules{
		versions:     []string{"13", "8", "7"},
		maxMessage:   wire.DrogueMaxFrame,
		writeTimeout: max(d.opts.Timeout, closeTimeout),
		reserved:     true,
		uncut:        true,
		finished:     true,
	}
}

// A drogueConn is one socket (drogue-cloud, websocket-integration/src/wshandler).
type drogueConn struct {
	*drogue
	socket   *socket
	app      *drogueApp
	channel  *string // nil for all
	consumer *consumer
	expires  time.Time // zero: never
	seen     time.Time // last ping or pong
}

func (c *drogueConn) run() {
	c.seen = time.Now()
	ping, stop := every(c.opts.Ping)
	defer stop()
	check, stop := every(c.opts.AuthCheck)
	defer stop()
	commit, stop := every(c.opts.Commit)
	defer stop()
	for over := c.socket.begin(); !over; {
		select {
		case <-c.socket.due:
			over = c.socket.elapsed()
		case <-c.ctx.Done():
			return // a pod that is restarted says nothing either
		case <-ping:
			over = c.heartbeat(time.Now())
		case <-check:
			if !c.expires.IsZero() && time.Now().After(c.expires) {
				c.socket.close(frame.StatusPolicy, wire.DrogueTokenExpired)
				return
			}
		case <-commit:
			c.consumer.autocommit()
		case f, ok := <-c.socket.frames:
			over = !ok || c.receive(f)
		case <-c.consumer.wake:
			over = c.push()
		}
	}
}

// heartbeat drops a client that has neither pinged nor ponged for too long, and
// pings the others.
func (c *drogueConn) heartbeat(now time.Time) (over bool) {
	if now.Sub(c.seen) > c.opts.Timeout {
		return true
	}
	return c.socket.send(frame.OpPing, []byte(wire.DroguePingPayload)) != nil
}

// push sends what the topic has. A record that the channel does not want is
// consumed all the same.
func (c *drogueConn) push() (over bool) {
	for _, r := range c.consumer.poll() {
		if r.event == nil { // no CloudEvent, which is an error of the stream
			c.socket.close(frame.StatusInternal, wire.DrogueStreamError)
			return true
		}
		if c.channel == nil || r.subject == *c.channel {
			if c.socket.event(r.event) {
				return true
			}
		}
	}
	return c.socket.flush() != nil
}

func (c *drogueConn) receive(f clientFrame) (over bool) {
	switch f.opcode {
	case frame.OpPing, frame.OpPong:
		c.seen = f.at
		return c.socket.control(f)
	case frame.OpClose:
		return c.socket.control(f)
	}
	token, fault := parseRefresh(f.payload)
	if fault != "" {
		c.socket.close(frame.StatusProtocol, fault)
		return true
	}
	return c.refresh(token)
}

// refresh takes over the expiry of a new token. Success is silent, and whose
// token it is does not matter if its owner may read the application.
func (c *drogueConn) refresh(token string) (over bool) {
	who, err := c.bearer(token)
	if err != nil {
		c.socket.close(refreshFailed(wire.DrogueAuthFailed))
		return true
	}
	if !c.app.mayRead(who) {
		c.socket.close(refreshFailed(""))
		return true
	}
	c.expires = who.expires
	return false
}
