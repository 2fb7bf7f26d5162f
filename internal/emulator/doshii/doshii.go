// Package doshii emulates Doshii: the sockets /doshii/app/socket,
// /doshii/app/socket/v3, /doshii/pos/socket and /doshii/vendor/socket, and REST below
// /doshii/partner/v3.
package doshii

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/doshii/wire"
)

// The demo app of Doshii. Client ids look like JSON Web Tokens.
const (
	ClientID = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhcHAiOiJoYXJrIGRlbW8ifQ.RGVtb0NsaWVudElkT2ZIYXJrRW11bGF0b3Iu"
	// ClientSecret signs the JWT of the REST interface.
	ClientSecret = "demoClientSecretOfHarkEmulator"
	// LocationToken is the token of the point of sale at DemoLocation.
	LocationToken = "demoLocationTokenOfHarkEmulator"
	// Vendor is the API name of the vendor of points of sale, whose token
	// is a JWT of the demo app.
	Vendor = "demo-vendor"
)

// Locations and devices.
const (
	DemoLocation        = "dEm0Loc1" // the demo app is subscribed to it
	DemoSecondLocation  = "dEm0Loc2" // not subscribed at first
	DemoPrivateLocation = "pRivLoc9" // another app's
	DemoDevice          = "dEm0Dev1" // interested in orders only
	DemoPrivateDevice   = "pRivDev9" // another app's
)

// apiVersion is the version in pongs.
const apiVersion = "3.2.0"

// server implements the sockets and the REST interface.
type server struct {
	host *emulator.Host
	opts Options

	mu         sync.Mutex
	rand       *rand.Rand
	subscribed map[string]bool // locations of the demo app
	devices    []wire.Device
	conns      map[*conn]struct{}
	kept       map[scope][]keptEvent

	made *maker // belongs to tick
}

// An event is an event to send to sockets.
type event struct {
	name     string
	payload  json.RawMessage
	location string
	terminal string // "" if it belongs to none
	pos      bool   // for points of sale, not for apps
}

// Service returns the emulator of Doshii with these options.
func Service(opts Options) emulator.Service {
	return emulator.Service{
		Name:  "doshii",
		Start: func(h *emulator.Host) (emulator.Handler, error) { return newServer(h, opts), nil },
		Flags: opts.flags,
		Check: opts.check,
		Random: func(_ int, r *rand.Rand) []string {
			return []string{fmt.Sprintf("delay-pong=%dms", 1+r.IntN(500)), "binary"}
		},
	}
}

func newServer(h *emulator.Host, opts Options) *server {
	return &server{
		host:       h,
		opts:       opts,
		subscribed: map[string]bool{DemoLocation: true},
		devices: []wire.Device{{
			DoshiiID: DemoDevice, Name: "demo device", Ref: "demo-1", Events: []string{"order_created", "order_updated"},
			Terminals: []string{}, Channels: []string{}, LocationIDs: []string{}, Version: "v1",
		}},
		rand:  h.Rand("doshii-devices"),
		conns: make(map[*conn]struct{}),
		kept:  make(map[scope][]keptEvent),
		made:  &maker{rand: h.Rand("doshii")},
	}
}

// Prefixes implements emulator.Handler.
func (d *server) Prefixes() []string { return []string{"doshii"} }

// Environ implements emulator.Handler.
func (d *server) Environ(base *url.URL) ([]string, error) {
	return []string{
		"HARK_DOSHII_ENDPOINT=" + emulator.SocketBase(base) + "/doshii",
		"HARK_DOSHII_API=" + base.String() + "/doshii" + wire.PathREST,
		"HARK_DOSHII_CLIENT_ID=" + ClientID,
		"HARK_DOSHII_CLIENT_SECRET=" + ClientSecret,
		"HARK_DOSHII_LOCATION_TOKEN=" + LocationToken,
		"HARK_DOSHII_VENDOR=" + Vendor,
		"HARK_DEMO_LOCATION=" + DemoLocation,
		"HARK_DEMO_DEVICE=" + DemoDevice,
	}, nil
}

// Tick implements emulator.Handler.
func (d *server) Tick() {
	d.publish(d.made.next())
	d.publish(d.made.nextPOS())
}

// publish passes an event to the sockets that receive it.
func (d *server) publish(e event) {
	text := emulator.MustJSON(d.envelope(e))
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns {
		if d.receives(c.scope, e) {
			c.box.Put(text)
		}
	}
	d.keep(e, text)
}

// envelope wraps an event as the options require.
func (d *server) envelope(e event) wire.Message {
	switch d.opts.Envelope {
	case "type":
		return wire.Message{Type: e.name, Data: e.payload}
	case "event":
		return wire.Message{Event: e.name, Data: e.payload}
	}
	return wire.Message{Emit: wire.Emit{emulator.MustJSON(e.name), e.payload}}
}

// receives reports whether a socket gets an event: an app if it is subscribed to the
// location and its device, if any, does not filter the event; a point of sale if it is
// at the location.
func (d *server) receives(s scope, e event) bool {
	if s.pos || e.pos {
		return s.pos && e.pos && s.at(e.location)
	}
	if !d.subscribed[e.location] {
		return false
	}
	if s.device == "" {
		return true
	}
	i := slices.IndexFunc(d.devices, func(v wire.Device) bool { return v.DoshiiID == s.device })
	return i >= 0 && interest(d.devices[i], e)
}

// at reports whether a point of sale is at a location; a vendor has one at each.
func (s scope) at(location string) bool {
	return s.pos && (location == s.location || s.vendor && mayUse(location))
}

// interest applies the lists of a device: each one that is not empty must contain the
// value of the event. An event without a terminal or channel passes these lists.
func interest(v wire.Device, e event) bool {
	in := func(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }
	channel := channelOf(e.name)
	return in(v.Events, e.name) && in(v.LocationIDs, e.location) &&
		(e.terminal == "" || in(v.Terminals, e.terminal)) && (channel == "" || in(v.Channels, channel))
}

// channelOf returns the channel of an event, by its name.
func channelOf(name string) string {
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

// Serve implements emulator.Handler.
func (d *server) Serve(w http.ResponseWriter, r *http.Request, _ string) {
	if path, ok := strings.CutPrefix(r.URL.Path, wire.PathREST+"/"); ok {
		d.serveREST(w, r, path)
		return
	}
	switch r.URL.Path {
	case wire.PathApp, wire.PathAppV3, wire.PathPOS, wire.PathVendor:
		d.serveSocket(w, r)
	default:
		http.NotFound(w, r)
	}
}

// appAuth checks the value of auth: base64, in the standard alphabet and padded,
// of the client id.
func (d *server) appAuth(auth string) bool {
	b, err := base64.StdEncoding.Strict().DecodeString(auth)
	if err != nil && d.opts.LenientAuth {
		b, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(auth, "="))
	}
	return err == nil && string(b) == ClientID
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(emulator.MustJSON(wire.Error{Error: text}))
}

// A maker generates events.
type maker struct {
	rand *rand.Rand
	made int
	pos  int
}
