package emulator

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/proto/wire"
)

// The demo company of Octave. The tokens have the lengths of real ones.
const (
	OctaveCompany = "demo"
	OctaveUser    = "demo_user"
	// OctaveToken is the master token. It may read everything but
	// DemoPrivateStream.
	OctaveToken = "DemoMasterTokenOfTheHarkEmulator"
	// OctaveRestrictedToken comes without X-Auth-User, and may read DemoStream
	// and the streams of the devices.
	OctaveRestrictedToken = "DemoRestrictedTokenOfHarkEmu"
)

// Streams of the demo company. Every observation of a device comes in its own
// stream, /demo/devices/DEVICE/OBSERVATION, and also in DemoStream.
const (
	DemoStream        = "/demo/stream"
	DemoPrivateStream = "/demo/private" // nobody has a right to it
	DemoUnkeptStream  = "/demo/live"    // capacity 0
	DemoLatestStream  = "/demo/latest"  // capacity 1
)

// octaveDevices are the devices of the demo company.
func octaveDevices() []string { return []string{"pump_01", "pump_02", "tank_01"} }

// octave is the session service, the sockets and the REST interface.
type octave struct {
	core
	opts  OctaveOptions
	store *octaveStore

	mu       sync.Mutex
	rand     *rand.Rand // for session ids
	sessions map[string]*octaveSession

	made     *rand.Rand // belongs to tick
	observed int
}

// An octaveSession is what a session id stands for. It is guarded by octave.mu.
type octaveSession struct {
	access  octaveAccess
	sockets int
	// expires is when a session without a socket ends; zero is never.
	expires time.Time
	// faults are those of the session request, for its socket.
	faults plan
	// parked is what the last socket left, when sessions outlive sockets.
	parked *octaveSubscriber
}

// octaveAccess is what credentials allow.
type octaveAccess struct{ restricted bool }

func (a octaveAccess) mayRead(st *octaveStream) bool {
	if st.private {
		return false
	}
	return !a.restricted || st.Path == DemoStream || strings.HasPrefix(st.Path, "/"+OctaveCompany+"/devices/")
}

func octaveKind() kind {
	return kind{
		name:  Octave,
		make:  func(c core, o Options) (service, error) { return newOctave(c, o), nil },
		flags: func(o *Options, f *flag.FlagSet) { o.Octave.flags(f) },
		faults: []Fault{
			{Name: "ack-delay", Argument: "DURATION", Meaning: "acknowledge later"},
			{Name: "ack-after", Argument: "[N]", Meaning: "acknowledge a subscription after N events; without it, after 1"},
			{Name: "ack-null", Argument: "", Meaning: "acknowledge with null as body"},
			{Name: "absent", Argument: "", Meaning: "leave the optional members of events out"},
			{Name: "session-expired", Argument: "", Meaning: "the session id has expired when the socket is opened"},
		},
		random: func(_ int, r *rand.Rand) []string {
			return []string{"session-expired", "ack-after", "ack-null", fmt.Sprintf("ack-delay=%dms", r.IntN(500)), "duplicate=3", "reorder"}
		},
	}
}

func newOctave(c core, opts Options) *octave {
	o := &octave{
		core:     c,
		opts:     opts.Octave,
		store:    newOctaveStore(newRand(opts.Seed, "octave-store")),
		rand:     newRand(opts.Seed, "octave-sessions"),
		sessions: make(map[string]*octaveSession),
		made:     newRand(opts.Seed, "octave"),
	}
	o.store.create(DemoStream, "observations of all devices", wire.OctaveCapacityDefault)
	for _, device := range octaveDevices() {
		for _, name := range observations() {
			o.store.create(devicePath(device, name), name+" of "+device, wire.OctaveCapacityDefault)
		}
		o.store.create(devicePath(device, ":command"), "commands to "+device, wire.OctaveCapacityDefault)
	}
	o.store.create(DemoPrivateStream, "nobody has a right to it", wire.OctaveCapacityDefault).private = true
	o.store.create(DemoUnkeptStream, "keeps no event", 0)
	o.store.create(DemoLatestStream, "keeps the last event", 1)
	return o
}

func devicePath(device, name string) string {
	return "/" + OctaveCompany + "/devices/" + device + "/" + name
}

func (o *octave) prefixes() []string { return []string{"octave"} }

func (o *octave) environ(base *url.URL) ([]string, error) {
	return []string{
		"HARK_OCTAVE_ENDPOINT=" + base.String() + "/octave",
		"HARK_OCTAVE_API=" + base.String() + "/octave" + octaveAPIPath,
		"HARK_OCTAVE_USER=" + OctaveUser,
		"HARK_OCTAVE_COMPANY=" + OctaveCompany,
		"HARK_OCTAVE_TOKEN=" + OctaveToken,
		"HARK_DEMO_STREAM=" + DemoStream,
	}, nil
}

// tick makes one observation. The devices take turns, and after each round comes
// the next kind of observation.
func (o *octave) tick() {
	devices, names := octaveDevices(), observations()
	device := devices[o.observed%len(devices)]
	name := names[o.observed%len(names)]
	o.observed++
	value := mustJSON(observe(o.made, name))
	o.store.publish(o.store.find("", devicePath(device, name)), octaveInput{elems: mustJSON(map[string]any{name: value}), origin: byDevice})
	o.store.publish(o.store.find("", DemoStream), octaveInput{elems: mustJSON(map[string]any{"device": device, name: value}), origin: byDevice})
	if o.observed%17 == 0 {
		command := mustJSON(map[string]any{name: map[string]any{"enable": true, "period": 10 * (1 + o.made.IntN(6))}})
		o.store.publish(o.store.find("", devicePath(device, ":command")), octaveInput{elems: command, origin: byDashboard})
	}
}

func (o *octave) serve(w http.ResponseWriter, r *http.Request, _ string) {
	path := r.URL.EscapedPath()
	if path == wire.OctaveSessionPath {
		o.serveSession(w, r)
		return
	}
	if strings.HasPrefix(path, octaveAPIPath+"/") {
		o.serveREST(w, r, strings.TrimPrefix(r.URL.Path, octaveAPIPath))
		return
	}
	if id, ok := strings.CutPrefix(path, wire.OctaveSessionPath+"/"); ok {
		if id, ok := strings.CutSuffix(id, "/ws"); ok {
			if id, err := url.PathUnescape(id); err == nil {
				o.serveSocket(w, r, id)
				return
			}
		}
	}
	octaveRefuse(w, http.StatusNotFound, wire.OctaveNotFound)
}

// serveSession answers a session request.
func (o *octave) serveSession(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		octaveRefuse(w, http.StatusMethodNotAllowed, "a session is asked for with POST")
		return
	}
	faults, ok := o.faults.admit(w, r, Octave, true, octaveRefuse)
	if !ok {
		return
	}
	access, refusal := o.authenticate(r, r.Header.Get(wire.OctaveHeaderCompany))
	if refusal != "" {
		octaveRefuse(w, o.opts.RefusedStatus, refusal)
		return
	}
	o.mu.Lock()
	o.forget()
	id := o.sessionID()
	s := &octaveSession{access: access, faults: faults}
	s.wait(o.opts.UnusedSession)
	if !faults.sessionExpired {
		o.sessions[id] = s
	}
	o.mu.Unlock()
	octaveAnswer(w, wire.OctaveHead{OK: true, Status: http.StatusCreated, Errors: []string{}}, wire.OctaveSession{ID: id})
}

// authenticate looks at the three headers. refusal is empty when they are good.
func (o *octave) authenticate(r *http.Request, company string) (access octaveAccess, refusal string) {
	user := r.Header.Get(wire.OctaveHeaderUser)
	switch token := r.Header.Get(wire.OctaveHeaderToken); {
	case token == "" || company == "":
		return access, "the headers X-Auth-Company and X-Auth-Token are required"
	case company != OctaveCompany:
		return access, "the company or the token is not valid"
	case token == OctaveRestrictedToken:
		if user != "" && !o.opts.IgnoreUser {
			return access, "a restricted token comes without X-Auth-User"
		}
		return octaveAccess{restricted: true}, ""
	case token != OctaveToken:
		return access, "the company or the token is not valid"
	case user != OctaveUser:
		return access, "the user is not valid for this token"
	}
	return access, ""
}

// sessionID has the form of the ids in the documentation: 8 and 24 bytes in
// URL-safe base64.
func (o *octave) sessionID() string {
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(o.rand.Uint32())
	}
	return base64.RawURLEncoding.EncodeToString(b[:8]) + "." + base64.RawURLEncoding.EncodeToString(b[8:])
}

// wait gives a session without a socket a time to live; 0 is for ever.
func (s *octaveSession) wait(d time.Duration) {
	s.expires = time.Time{}
	if d > 0 {
		s.expires = time.Now().Add(d)
	}
}

// forget ends the sessions that have waited too long.
func (o *octave) forget() {
	now := time.Now()
	for id, s := range o.sessions {
		if s.sockets == 0 && !s.expires.IsZero() && !now.Before(s.expires) {
			o.end(id, s)
		}
	}
}

func (o *octave) end(id string, s *octaveSession) {
	delete(o.sessions, id)
	if s.parked != nil {
		o.store.leave(s.parked)
	}
}

// octaveAnswer writes an answer of the session service or the REST interface.
func octaveAnswer(w http.ResponseWriter, head wire.OctaveHead, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(head.Status)
	_, _ = w.Write(mustJSON(wire.OctaveAnswer{Head: &head, Body: mustJSON(body)}))
}

func octaveRefuse(w http.ResponseWriter, status int, text string) {
	octaveAnswer(w, wire.OctaveHead{
		Status: status, Errors: []string{text}, Messages: []string{}, References: json.RawMessage("{}"),
	}, struct{}{})
}
