package emulator

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/hark-cli/hark/proto/wire"
)

// The demo app of Doshii. Client ids look like JSON Web Tokens.
const (
	DoshiiClientID = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhcHAiOiJoYXJrIGRlbW8ifQ.RGVtb0NsaWVudElkT2ZIYXJrRW11bGF0b3Iu"
	// DoshiiClientSecret signs the JWT of the REST interface.
	DoshiiClientSecret = "demoClientSecretOfHarkEmulator"
	// DoshiiLocationToken is the token of the point of sale at DemoLocation.
	DoshiiLocationToken = "demoLocationTokenOfHarkEmulator"
	// DoshiiVendor is the API name of the vendor of points of sale, whose token
	// is a JWT of the demo app.
	DoshiiVendor = "demo-vendor"
)

// Locations and devices.
const (
	DemoLocation        = "dEm0Loc1" // the demo app is subscribed to it
	DemoSecondLocation  = "dEm0Loc2" // not subscribed at first
	DemoPrivateLocation = "pRivLoc9" // another app's
	DemoDevice          = "dEm0Dev1" // interested in orders only
	DemoPrivateDevice   = "pRivDev9" // another app's
)

// doshiiAPIVersion is what pongs say.
const doshiiAPIVersion = "3.2.0"

// doshii is the sockets and the REST interface.
type doshii struct {
	core
	opts DoshiiOptions

	mu         sync.Mutex
	rand       *rand.Rand
	subscribed map[string]bool // locations of the demo app
	devices    []wire.DoshiiDevice
	conns      map[*doshiiConn]struct{}
	kept       map[doshiiScope][]keptEvent

	made *doshiiMaker // belongs to tick
}

// A doshiiEvent is an event on its way to the sockets.
type doshiiEvent struct {
	name     string
	payload  json.RawMessage
	location string
	terminal string // "" when it belongs to none
	pos      bool   // for points of sale, not for apps
}

func doshiiKind() kind {
	return kind{
		name:  Doshii,
		make:  func(c core, o Options) (service, error) { return newDoshii(c, o), nil },
		flags: func(o *Options, f *flag.FlagSet) { o.Doshii.flags(f) },
		random: func(_ int, r *rand.Rand) []string {
			return []string{fmt.Sprintf("delay-pong=%dms", r.IntN(500)), "binary"}
		},
	}
}

func newDoshii(c core, opts Options) *doshii {
	return &doshii{
		core:       c,
		opts:       opts.Doshii,
		subscribed: map[string]bool{DemoLocation: true},
		devices: []wire.DoshiiDevice{{
			DoshiiID: DemoDevice, Name: "demo device", Ref: "demo-1", Events: []string{"order_created", "order_updated"},
			Terminals: []string{}, Channels: []string{}, LocationIDs: []string{}, Version: "v1",
		}},
		rand:  newRand(opts.Seed, "doshii-devices"),
		conns: make(map[*doshiiConn]struct{}),
		kept:  make(map[doshiiScope][]keptEvent),
		made:  &doshiiMaker{rand: newRand(opts.Seed, "doshii")},
	}
}

func (d *doshii) prefixes() []string { return []string{"doshii"} }

func (d *doshii) environ(base *url.URL) ([]string, error) {
	return []string{
		"HARK_DOSHII_ENDPOINT=" + socketBase(base) + "/doshii",
		"HARK_DOSHII_API=" + base.String() + "/doshii" + wire.DoshiiPathREST,
		"HARK_DOSHII_CLIENT_ID=" + DoshiiClientID,
		"HARK_DOSHII_CLIENT_SECRET=" + DoshiiClientSecret,
		"HARK_DOSHII_LOCATION_TOKEN=" + DoshiiLocationToken,
		"HARK_DOSHII_VENDOR=" + DoshiiVendor,
		"HARK_DEMO_LOCATION=" + DemoLocation,
		"HARK_DEMO_DEVICE=" + DemoDevice,
	}, nil
}

func (d *doshii) tick() {
	d.publish(d.made.next())
	d.publish(d.made.nextPOS())
}

// publish gives an event to the sockets that it is for.
func (d *doshii) publish(e doshiiEvent) {
	text := mustJSON(d.envelope(e))
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns {
		if d.wants(c.doshiiScope, e) {
			c.box.put(text)
		}
	}
	d.keep(e, text)
}

// envelope wraps an event as the options say.
func (d *doshii) envelope(e doshiiEvent) wire.DoshiiMessage {
	switch d.opts.Envelope {
	case "type":
		return wire.DoshiiMessage{Type: e.name, Data: e.payload}
	case "event":
		return wire.DoshiiMessage{Event: e.name, Data: e.payload}
	}
	return wire.DoshiiMessage{Emit: wire.DoshiiEmit{mustJSON(e.name), e.payload}}
}

// wants tells whether a socket gets an event: an app when it is subscribed to
// the location and its device, if any, is interested; a point of sale when it is
// at the location.
func (d *doshii) wants(s doshiiScope, e doshiiEvent) bool {
	if s.pos || e.pos {
		return s.pos && e.pos && s.at(e.location)
	}
	if !d.subscribed[e.location] {
		return false
	}
	if s.device == "" {
		return true
	}
	i := slices.IndexFunc(d.devices, func(v wire.DoshiiDevice) bool { return v.DoshiiID == s.device })
	return i >= 0 && doshiiInterest(d.devices[i], e)
}

// at tells whether a point of sale is at a location; a vendor has some at all of
// them.
func (s doshiiScope) at(location string) bool {
	return s.pos && (location == s.location || s.vendor && mayUse(location))
}

// doshiiInterest: every list that is not empty must contain what the event has.
// An event that has no terminal or channel passes these lists.
func doshiiInterest(v wire.DoshiiDevice, e doshiiEvent) bool {
	in := func(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }
	channel := doshiiChannel(e.name)
	return in(v.Events, e.name) && in(v.LocationIDs, e.location) &&
		(e.terminal == "" || in(v.Terminals, e.terminal)) && (channel == "" || in(v.Channels, channel))
}

// doshiiChannel is the channel that an event belongs to, by its name.
func doshiiChannel(name string) string {
	for _, c := range []struct{ prefix, channel string }{
		{"order_", "Order ahead"}, {"transaction_", "Pay@Table"}, {"booking_", "Reservations"},
		{"checkin_", "Reservations"}, {"table_", "Reservations"}, {"points_", "Loyalty"}, {"reward_", "Loyalty"},
		{"member_", "Loyalty"}, {"loyalty_", "Loyalty"}, {"card_", "GiftCards"}, {"resource_", "Resources"},
	} {
		if strings.HasPrefix(name, c.prefix) {
			return c.channel
		}
	}
	return ""
}

func (d *doshii) serve(w http.ResponseWriter, r *http.Request, _ string) {
	if path, ok := strings.CutPrefix(r.URL.Path, wire.DoshiiPathREST+"/"); ok {
		d.serveREST(w, r, path)
		return
	}
	switch r.URL.Path {
	case wire.DoshiiPathApp, wire.DoshiiPathAppV3, wire.DoshiiPathPOS, wire.DoshiiPathVendor:
		d.serveSocket(w, r)
	default:
		http.NotFound(w, r)
	}
}

// appAuth checks the value of auth: base64, in the standard alphabet and padded,
// of the client id.
func (d *doshii) appAuth(auth string) bool {
	b, err := base64.StdEncoding.Strict().DecodeString(auth)
	if err != nil && d.opts.LenientAuth {
		b, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(auth, "="))
	}
	return err == nil && string(b) == DoshiiClientID
}

func doshiiRefuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(mustJSON(wire.DoshiiError{Error: text}))
}

// A doshiiMaker makes up events.
type doshiiMaker struct {
	rand *rand.Rand
	made int
	pos  int
}
