// Package octave emulates Octave of Sierra Wireless: the session service and sockets
// below /octave, and REST below /octave/v5.0.
package octave

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/octave/wire"
)

// The demo company of Octave. The tokens have the lengths of real ones.
const (
	Company = "demo"
	User    = "demo_user"
	// Token is the master token. It may read everything but
	// DemoPrivateStream.
	Token = "DemoMasterTokenOfTheHarkEmulator"
	// RestrictedToken is sent without X-Auth-User, and may read DemoStream and the
	// streams of the devices.
	RestrictedToken = "DemoRestrictedTokenOfHarkEmu"
)

// Streams of the demo company. Every observation of a device is in its own stream,
// /demo/devices/DEVICE/OBSERVATION, and also in DemoStream.
const (
	DemoStream        = "/demo/stream"
	DemoPrivateStream = "/demo/private" // which no user may read
	DemoUnkeptStream  = "/demo/live"    // capacity 0
	DemoLatestStream  = "/demo/latest"  // capacity 1
)

// devices are the devices of the demo company.
func devices() []string { return []string{"pump_01", "pump_02", "tank_01"} }

// server implements the session service, the sockets and the REST interface.
type server struct {
	host  *emulator.Host
	opts  Options
	store *store

	mu       sync.Mutex
	rand     *rand.Rand // for session ids
	sessions map[string]*session

	made     *rand.Rand // belongs to tick
	observed int
}

// A session is the session of a session id. It is guarded by octave.mu.
type session struct {
	access  access
	sockets int
	// expires is when a session without a socket expires; zero for never.
	expires time.Time
	// faults are those of the session request, for its socket.
	faults emulator.Plan
	// parked is the state left by the last socket, if sessions outlive sockets.
	parked *subscriber
}

// access is what credentials permit.
type access struct{ restricted bool }

func (a access) mayRead(st *stream) bool {
	if st.private {
		return false
	}
	return !a.restricted || st.Path == DemoStream || strings.HasPrefix(st.Path, "/"+Company+"/devices/")
}

// Service returns the emulator of Octave with these options.
func Service(opts Options) emulator.Service {
	return emulator.Service{
		Name:   "octave",
		Start:  func(h *emulator.Host) (emulator.Handler, error) { return newServer(h, opts), nil },
		Flags:  opts.flags,
		Check:  opts.check,
		Faults: faults(),
		Random: func(_ int, r *rand.Rand) []string {
			return []string{"session-expired", "ack-after", "ack-null", fmt.Sprintf("ack-delay=%dms", 1+r.IntN(500)), "duplicate=3", "reorder"}
		},
	}
}

func newServer(h *emulator.Host, opts Options) *server {
	o := &server{
		host:     h,
		opts:     opts,
		store:    newStore(h.Rand("octave-store")),
		rand:     h.Rand("octave-sessions"),
		sessions: make(map[string]*session),
		made:     h.Rand("octave"),
	}
	o.store.create(DemoStream, "observations of all devices", wire.CapacityDefault)
	for _, device := range devices() {
		for _, name := range emulator.Observations() {
			o.store.create(devicePath(device, name), name+" of "+device, wire.CapacityDefault)
		}
		o.store.create(devicePath(device, ":command"), "commands to "+device, wire.CapacityDefault)
	}
	o.store.create(DemoPrivateStream, "which no user may read", wire.CapacityDefault).private = true
	o.store.create(DemoUnkeptStream, "keeps no event", 0)
	o.store.create(DemoLatestStream, "keeps the last event", 1)
	return o
}

func devicePath(device, name string) string {
	return "/" + Company + "/devices/" + device + "/" + name
}

// Prefixes implements emulator.Handler.
func (o *server) Prefixes() []string { return []string{"octave"} }

// Environ implements emulator.Handler.
func (o *server) Environ(base *url.URL) ([]string, error) {
	return []string{
		"HARK_OCTAVE_ENDPOINT=" + base.String() + "/octave",
		"HARK_OCTAVE_API=" + base.String() + "/octave" + apiPath,
		"HARK_OCTAVE_USER=" + User,
		"HARK_OCTAVE_COMPANY=" + Company,
		"HARK_OCTAVE_TOKEN=" + Token,
		"HARK_DEMO_STREAM=" + DemoStream,
	}, nil
}

// Tick generates one observation. The devices take turns, and each round has the next
// kind of observation.
func (o *server) Tick() {
	devices, names := devices(), emulator.Observations()
	device := devices[o.observed%len(devices)]
	name := names[o.observed%len(names)]
	o.observed++
	value := emulator.MustJSON(emulator.Observe(o.made, name))
	o.store.publish(o.store.find("", devicePath(device, name)), input{elems: emulator.MustJSON(map[string]any{name: value}), origin: byDevice})
	o.store.publish(o.store.find("", DemoStream), input{elems: emulator.MustJSON(map[string]any{"device": device, name: value}), origin: byDevice})
	if o.observed%17 == 0 {
		command := emulator.MustJSON(map[string]any{name: map[string]any{"enable": true, "period": 10 * (1 + o.made.IntN(6))}})
		o.store.publish(o.store.find("", devicePath(device, ":command")), input{elems: command, origin: byDashboard})
	}
}

// Serve implements emulator.Handler.
func (o *server) Serve(w http.ResponseWriter, r *http.Request, _ string) {
	path := r.URL.EscapedPath()
	if path == wire.SessionPath {
		o.serveSession(w, r)
		return
	}
	if strings.HasPrefix(path, apiPath+"/") {
		o.serveREST(w, r, strings.TrimPrefix(r.URL.Path, apiPath))
		return
	}
	if id, ok := strings.CutPrefix(path, wire.SessionPath+"/"); ok {
		if id, ok := strings.CutSuffix(id, "/ws"); ok {
			if id, err := url.PathUnescape(id); err == nil {
				o.serveSocket(w, r, id)
				return
			}
		}
	}
	refuse(w, http.StatusNotFound, wire.NotFound)
}

// serveSession answers a session request.
func (o *server) serveSession(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		refuse(w, http.StatusMethodNotAllowed, "a session is asked for with POST")
		return
	}
	faults, ok := o.host.Admit(w, r, true, refuse)
	if !ok {
		return
	}
	access, refusal := o.authenticate(r, r.Header.Get(wire.HeaderCompany))
	if refusal != "" {
		refuse(w, o.opts.RefusedStatus, refusal)
		return
	}
	o.mu.Lock()
	o.forget()
	id := o.sessionID()
	s := &session{access: access, faults: faults}
	s.wait(o.opts.UnusedSession)
	if !emulator.Own[trouble](&faults).sessionExpired {
		o.sessions[id] = s
	}
	o.mu.Unlock()
	answer(w, wire.Head{OK: true, Status: http.StatusCreated, Errors: []string{}}, wire.Session{ID: id})
}

// authenticate checks the three headers. refusal is "" if they are valid.
func (o *server) authenticate(r *http.Request, company string) (got access, refusal string) {
	user := r.Header.Get(wire.HeaderUser)
	switch token := r.Header.Get(wire.HeaderToken); {
	case token == "" || company == "":
		return got, "the headers X-Auth-Company and X-Auth-Token are required"
	case company != Company:
		return got, "the company or the token is not valid"
	case token == RestrictedToken:
		if user != "" && !o.opts.IgnoreUser {
			return got, "a restricted token comes without X-Auth-User"
		}
		return access{restricted: true}, ""
	case token != Token:
		return got, "the company or the token is not valid"
	case user != User:
		return got, "the user is not valid for this token"
	}
	return got, ""
}

// sessionID returns an id in the form of the documentation: 8 and 24 bytes in URL-safe
// base64.
func (o *server) sessionID() string {
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(o.rand.Uint32())
	}
	return base64.RawURLEncoding.EncodeToString(b[:8]) + "." + base64.RawURLEncoding.EncodeToString(b[8:])
}

// wait sets how long a session without a socket is valid; 0 for no limit.
func (s *session) wait(d time.Duration) {
	s.expires = time.Time{}
	if d > 0 {
		s.expires = time.Now().Add(d)
	}
}

// forget removes expired sessions.
func (o *server) forget() {
	now := time.Now()
	for id, s := range o.sessions {
		if s.sockets == 0 && !s.expires.IsZero() && !now.Before(s.expires) {
			o.end(id, s)
		}
	}
}

func (o *server) end(id string, s *session) {
	delete(o.sessions, id)
	if s.parked != nil {
		o.store.leave(s.parked)
	}
}

// answer writes a response of the session service or the REST interface.
func answer(w http.ResponseWriter, head wire.Head, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(head.Status)
	_, _ = w.Write(emulator.MustJSON(wire.Answer{Head: &head, Body: emulator.MustJSON(body)}))
}

func refuse(w http.ResponseWriter, status int, text string) {
	answer(w, wire.Head{
		Status: status, Errors: []string{text}, Messages: []string{}, References: json.RawMessage("{}"),
	}, struct{}{})
}
