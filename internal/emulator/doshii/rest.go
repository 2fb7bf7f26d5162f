package doshii

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/doshii/wire"
)

// checkJWT checks a JSON Web Token of an app: HS256 with the client secret, the
// client id, and a timestamp in seconds within the window (Doshii help centre,
// "App Authentication"). A vendor's has the API name instead of the client
// id ("Connection" of the POS partners).
func checkJWT(token string, now time.Time, vendor bool) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return errors.New("token has not three parts")
	}
	var raw [3][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			return fmt.Errorf("token: %w", err)
		}
		raw[i] = b
	}
	var head struct {
		Algorithm string `json:"alg"`
	}
	var body wire.Claims
	if err := errors.Join(json.Unmarshal(raw[0], &head), json.Unmarshal(raw[1], &body)); err != nil {
		return fmt.Errorf("token: %w", err)
	}
	mac := hmac.New(sha256.New, []byte(ClientSecret))
	mac.Write([]byte(parts[0] + "." + parts[1]))
	switch age := now.Sub(time.Unix(body.Timestamp, 0)); {
	case head.Algorithm != "HS256":
		return fmt.Errorf("token is signed with %q", head.Algorithm)
	case !hmac.Equal(raw[2], mac.Sum(nil)):
		return errors.New("token has a wrong signature")
	case vendor && body.Vendor != Vendor:
		return errors.New("token is of an unknown vendor")
	case !vendor && body.ClientID != ClientID:
		return errors.New("token is of an unknown client")
	case age > wire.JWTWindow || age < -wire.JWTWindow:
		return errors.New("token is too old or from the future")
	}
	return nil
}

// A venue is a location in the REST interface.
type venue struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// locations returns the locations that exist. The last one is another app's.
func locations() []venue {
	return []venue{{DemoLocation, "Demo café"}, {DemoSecondLocation, "Demo bar"}, {DemoPrivateLocation, "Someone else's"}}
}

func message(w http.ResponseWriter, status int, text string) {
	answer(w, status, map[string]string{"message": text})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(emulator.MustJSON(body))
}

// serveREST answers requests of an app; path is what follows wire.PathREST.
func (d *server) serveREST(w http.ResponseWriter, r *http.Request, path string) {
	if _, ok := d.host.Admit(w, r, false, message); !ok {
		return
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if err := checkJWT(token, time.Now(), false); !ok || err != nil {
		message(w, http.StatusUnauthorized, "unauthorized")
		return
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case parts[0] == "devices" && len(parts) <= 2:
		d.serveDevices(w, r, strings.Join(parts[1:], ""))
	case parts[0] == "locations" && len(parts) == 3 && parts[2] == "subscription":
		d.serveSubscription(w, r, parts[1])
	case parts[0] == "orders" && len(parts) == 3 && parts[2] == "subscription":
		d.serveOrderSubscription(w, r)
	case parts[0] == "locations" && len(parts) <= 2 && r.Method == http.MethodGet:
		d.serveLocations(w, strings.Join(parts[1:], ""), func(l venue) any { return l })
	case parts[0] == "health" && len(parts) >= 2 && parts[1] == "locations" && r.Method == http.MethodGet:
		d.serveLocations(w, strings.Join(parts[2:], ""), d.health)
	default:
		message(w, http.StatusNotFound, "not found")
	}
}

// mayUse reports whether the demo app can subscribe to a location.
func mayUse(location string) bool {
	return location == DemoLocation || location == DemoSecondLocation
}

// serveLocations answers with the result of describe for one location, or for all
// subscribed ones.
func (d *server) serveLocations(w http.ResponseWriter, id string, describe func(venue) any) {
	list := []any{}
	for _, l := range locations() {
		d.mu.Lock()
		subscribed := d.subscribed[l.ID]
		d.mu.Unlock()
		switch {
		case subscribed && l.ID == id:
			answer(w, http.StatusOK, describe(l))
			return
		case subscribed:
			list = append(list, describe(l))
		case l.ID == id:
			message(w, http.StatusForbidden, "the app is not subscribed to this location")
			return
		}
	}
	if id != "" {
		message(w, http.StatusNotFound, "not found")
		return
	}
	answer(w, http.StatusOK, list)
}

// health describes the point of sale of a location: it is up while its socket is
// connected.
func (d *server) health(l venue) any {
	d.mu.Lock()
	defer d.mu.Unlock()
	status := "inactive"
	for c := range d.conns {
		if c.pos && c.at(l.ID) {
			status = "active"
		}
	}
	return map[string]any{
		"locationId": l.ID, "name": l.Name, "status": status, "communicationType": "websockets",
		"trading": status == "active", "heartbeat": time.Now().UTC().Format(time.RFC3339),
	}
}

// serveSubscription subscribes the app to a location, or unsubscribes it.
func (d *server) serveSubscription(w http.ResponseWriter, r *http.Request, location string) {
	known := slices.ContainsFunc(locations(), func(l venue) bool { return l.ID == location })
	switch {
	case !known:
		message(w, http.StatusNotFound, "location not found")
	case !mayUse(location):
		message(w, http.StatusForbidden, "the app has no right to this location")
	case r.Method == http.MethodPost:
		var body struct {
			MappedLocationID string `json:"mappedLocationId"`
		}
		if b, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20)); len(b) > 0 && json.Unmarshal(b, &body) != nil {
			message(w, http.StatusBadRequest, "the body is not JSON")
			return
		}
		d.setSubscribed(location, true)
		message(w, http.StatusOK, "The app has been subscribed to the location")
		d.publish(event{name: "location_subscription", location: location, payload: emulator.MustJSON(object{
			"id": location, "mappedLocationId": body.MappedLocationID, "status": "subscribed",
			"uri": baseURI + wire.PathREST + "/locations/" + location,
		})})
	case r.Method == http.MethodDelete:
		d.setSubscribed(location, false)
		message(w, http.StatusOK, "The app has been unsubscribed from the location")
	default:
		message(w, http.StatusMethodNotAllowed, "method not allowed")
	}
}

func (d *server) setSubscribed(location string, on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.subscribed[location] = on
}

// serveOrderSubscription accepts a subscription to an order. It has no effect: the app
// gets the events of all orders of its locations.
func (d *server) serveOrderSubscription(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodPost && r.Method != http.MethodDelete:
		message(w, http.StatusMethodNotAllowed, "method not allowed")
	case !mayUse(r.Header.Get("doshii-location-id")):
		message(w, http.StatusForbidden, "the header doshii-location-id names no location of the app")
	default:
		message(w, http.StatusOK, "The order subscription has been changed")
	}
}

// serveDevices lists, reads, registers, updates and deletes devices (Doshii SDK
// for Node.js, lib/device.ts).
func (d *server) serveDevices(w http.ResponseWriter, r *http.Request, id string) {
	var body wire.Device
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil || json.Unmarshal(b, &body) != nil {
			message(w, http.StatusBadRequest, "the body is not a device")
			return
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.devices, func(v wire.Device) bool { return v.DoshiiID == id })
	switch {
	case id == "" && r.Method == http.MethodGet:
		answer(w, http.StatusOK, d.devices)
	case id == "" && r.Method == http.MethodPost:
		body.DoshiiID = emulator.RandomAlnum(d.rand, 8)
		body.CreatedAt = time.Now().UTC().Format(time.RFC3339)
		d.devices = append(d.devices, stamped(d.rand, body))
		answer(w, http.StatusOK, d.devices[len(d.devices)-1])
	case id == DemoPrivateDevice:
		message(w, http.StatusForbidden, "the app has no right to this device")
	case i < 0:
		message(w, http.StatusNotFound, "device not found")
	case r.Method == http.MethodGet:
		answer(w, http.StatusOK, d.devices[i])
	case r.Method == http.MethodPut && body.Version != d.devices[i].Version:
		message(w, http.StatusBadRequest, "version is not the current one")
	case r.Method == http.MethodPut:
		d.devices[i] = stamped(d.rand, merged(d.devices[i], body))
		answer(w, http.StatusOK, d.devices[i])
	case r.Method == http.MethodDelete:
		d.devices = slices.Delete(d.devices, i, i+1)
		message(w, http.StatusOK, "The device has been deleted")
	default:
		message(w, http.StatusMethodNotAllowed, "method not allowed")
	}
}

// stamped sets the version and time of a changed device. Absent lists become empty
// ones, as in the responses.
func stamped(r *rand.Rand, v wire.Device) wire.Device {
	v.Version = emulator.RandomHex(r, 16)
	v.UpdatedAt = time.Now().UTC().Format(time.RFC3339)
	if v.CreatedAt == "" {
		v.CreatedAt = v.UpdatedAt
	}
	return v
}

// merged returns the device with an update applied.
func merged(v, update wire.Device) wire.Device {
	for _, s := range []struct{ to, from *string }{{&v.Name, &update.Name}, {&v.Ref, &update.Ref}} {
		if *s.from != "" {
			*s.to = *s.from
		}
	}
	for _, l := range []struct{ to, from *[]string }{
		{&v.Events, &update.Events}, {&v.Terminals, &update.Terminals},
		{&v.Channels, &update.Channels}, {&v.LocationIDs, &update.LocationIDs},
	} {
		if *l.from != nil {
			*l.to = *l.from
		}
	}
	return v
}
