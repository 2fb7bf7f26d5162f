package doshii

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/emulatortest"
	"github.com/hark-cli/hark/proto/doshii/wire"
	"github.com/hark-cli/hark/proto/frame"
)

const doshiiAPI = "/doshii" + wire.PathREST

// doshiiToken returns a JSON Web Token like that of the official SDK.
func doshiiToken(clientID, secret string, at time.Time) string {
	return doshiiSigned(map[string]any{"clientId": clientID, "timestamp": at.Unix(), "iat": at.Unix()}, secret)
}

func doshiiSigned(claims map[string]any, secret string) string {
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
		enc.EncodeToString(emulator.MustJSON(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + enc.EncodeToString(mac.Sum(nil))
}

func doshiiBearer() string {
	return "Authorization: Bearer " + doshiiToken(ClientID, ClientSecret, time.Now())
}

// The REST interface accepts a JWT of the client secret within ten minutes.
func TestDoshiiJWT(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		now := time.Now()
		good := doshiiToken(ClientID, ClientSecret, now)
		for _, test := range []struct {
			name, header string
			status       int
		}{
			{"good", "Bearer " + good, 200},
			{"almost too old", "Bearer " + doshiiToken(ClientID, ClientSecret, now.Add(-10*time.Minute)), 200},
			{"too old", "Bearer " + doshiiToken(ClientID, ClientSecret, now.Add(-11*time.Minute)), 401},
			{"milliseconds", "Bearer " + doshiiToken(ClientID, ClientSecret, time.Unix(now.UnixMilli(), 0)), 401},
			{"other secret", "Bearer " + doshiiToken(ClientID, "x", now), 401},
			{"other client", "Bearer " + doshiiToken("x", ClientSecret, now), 401},
			{"no scheme", good, 401},
			{"garbage", "Bearer a.b.c", 401},
			{"nothing", "", 401},
		} {
			if status, body := b.Do("GET", doshiiAPI+"/locations", "", "Authorization: "+test.header); status != test.status {
				t.Errorf("%s: %d %s", test.name, status, body)
			}
		}
	})
}

// Subscriptions to locations select events.
func TestDoshiiSubscription(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		c := b.Dial(appPath(wire.PathApp))
		publish := func() {
			b.doshii.publish(event{name: "order_created", payload: []byte(`{}`), location: DemoSecondLocation})
		}
		publish()
		c.WantQuiet(time.Second)
		path := doshiiAPI + "/locations/" + DemoSecondLocation + "/subscription"
		if status, body := b.Do("POST", path, `{"mappedLocationId":"venue-1"}`, doshiiBearer()); status != 200 || !strings.Contains(string(body), `"message":`) {
			t.Errorf("subscribing: %d %s", status, body)
		}
		if got := c.Text(); !strings.HasPrefix(got, `{"emit":["location_subscription",{"id":"`+DemoSecondLocation+`","mappedLocationId":"venue-1","status":"subscribed"`) {
			t.Errorf("got %s", got)
		}
		publish()
		c.WantText(`{"emit":["order_created",{}]}`)
		if status, _ := b.Do("GET", doshiiAPI+"/locations/"+DemoSecondLocation, "", doshiiBearer()); status != 200 {
			t.Errorf("the location: %d", status)
		}
		if status, body := b.Do("DELETE", path, "", doshiiBearer()); status != 200 || !strings.Contains(string(body), `"message":`) {
			t.Errorf("unsubscribing: %d %s", status, body)
		}
		publish()
		c.WantQuiet(time.Second)
		for _, test := range []struct {
			method, path, body string
			status             int
		}{
			{"POST", "/locations/" + DemoPrivateLocation + "/subscription", "", 403},
			{"POST", "/locations/nowhere/subscription", "", 404},
			{"POST", "/locations/" + DemoLocation + "/subscription", "{", 400},
			{"PUT", "/locations/" + DemoLocation + "/subscription", "", 405},
			{"GET", "/locations/" + DemoSecondLocation, "", 403},
			{"GET", "/locations/nowhere", "", 404},
			{"GET", "/nothing", "", 404},
			{"POST", "/orders/1/subscription", "", 403},
		} {
			if status, body := b.Do(test.method, doshiiAPI+test.path, test.body, doshiiBearer()); status != test.status {
				t.Errorf("%s %s: %d %s", test.method, test.path, status, body)
			}
		}
		if status, _ := b.Do("POST", doshiiAPI+"/orders/1/subscription", "", doshiiBearer(), "doshii-location-id: "+DemoLocation); status != 200 {
			t.Errorf("order subscription: %d", status)
		}
	})
}

// Devices: registered, read, updated with the current version, deleted, and used
// to filter.
func TestDoshiiDevices(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		devices := func(method, id, body string) (int, wire.Device) {
			status, data := b.Do(method, doshiiAPI+"/devices"+id, body, doshiiBearer())
			return status, emulatortest.Unmarshal[wire.Device](t, data)
		}
		status, made := devices("POST", "", `{"name":"n","ref":"r","events":["booking_created"],"terminals":[],"channels":[],"locationIds":[]}`)
		if status != 200 || len(made.DoshiiID) != 8 || made.Version == "" || made.CreatedAt == "" {
			t.Fatalf("%d %+v", status, made)
		}
		c := b.Dial(appPath(wire.PathAppV3, "deviceId="+made.DoshiiID))
		b.doshii.publish(named("order_created"))
		b.doshii.publish(named("booking_created"))
		c.WantText(`{"emit":["booking_created",{"id":"1"}]}`)
		if status, _ := devices("PUT", "/"+made.DoshiiID, `{"name":"m","version":"old"}`); status != 400 {
			t.Errorf("an update of an old version: %d", status)
		}
		status, updated := devices("PUT", "/"+made.DoshiiID, `{"events":[],"version":"`+made.Version+`"}`)
		if status != 200 || updated.Version == made.Version || len(updated.Events) != 0 || updated.Name != "n" {
			t.Errorf("%d %+v", status, updated)
		}
		b.doshii.publish(named("order_created"))
		c.WantText(`{"emit":["order_created",{"id":"1"}]}`)
		if _, body := b.Do("GET", doshiiAPI+"/devices", "", doshiiBearer()); len(emulatortest.Unmarshal[[]wire.Device](t, body)) != 2 {
			t.Errorf("listed %s", body)
		}
		if status, one := devices("GET", "/"+made.DoshiiID, ""); status != 200 || one.Version != updated.Version {
			t.Errorf("%d %+v", status, one)
		}
		if status, _ := devices("DELETE", "/"+made.DoshiiID, ""); status != 200 {
			t.Errorf("deleting: %d", status)
		}
		for _, test := range []struct {
			method, id string
			status     int
		}{{"GET", "/" + made.DoshiiID, 404}, {"DELETE", "/" + made.DoshiiID, 404}, {"GET", "/" + DemoPrivateDevice, 403}, {"DELETE", "", 404}} {
			if status, _ := devices(test.method, test.id, ""); status != test.status {
				t.Errorf("%s %s: %d", test.method, test.id, status)
			}
		}
		if status, _ := b.Do("POST", doshiiAPI+"/devices", "{", doshiiBearer()); status != 400 {
			t.Errorf("no device: %d", status)
		}
	})
}

// Doshii checklist 1: the socket of a vendor, of which there is one.
func TestDoshiiVendor(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		vendor := doshiiSigned(map[string]any{"vendor": Vendor, "timestamp": time.Now().Unix()}, ClientSecret)
		path := "/doshii/vendor/socket?vendor=" + Vendor + "&token=" + vendor
		for _, bad := range []string{
			"/doshii/vendor/socket?vendor=x&token=" + vendor, "/doshii/vendor/socket?vendor=" + Vendor,
			// The token of an app, which contains no vendor.
			"/doshii/vendor/socket?vendor=" + Vendor + "&token=" + doshiiToken(ClientID, ClientSecret, time.Now()),
		} {
			if _, res := b.Upgrade(bad); res.StatusCode != 401 {
				t.Errorf("%s: %s", bad, res.Status)
			}
		}
		c := b.Dial(path)
		if _, res := b.Upgrade(path); res.StatusCode != 409 {
			t.Errorf("a second connection: %s", res.Status)
		}
		for _, location := range []string{DemoPrivateLocation, DemoSecondLocation, DemoLocation} {
			b.doshii.publish(event{name: "at_" + location, payload: []byte(`{}`), location: location, pos: true})
		}
		c.WantText(`{"emit":["at_` + DemoSecondLocation + `",{}]}`)
		c.WantText(`{"emit":["at_` + DemoLocation + `",{}]}`)
	})
}

// Doshii checklist 11: events that a point of sale has missed within ten minutes are
// replayed; for apps only if enabled.
func TestDoshiiReplay(t *testing.T) {
	run := func(opts world, path string, pos bool, want ...string) {
		inBubble(t, opts, func(b *bench) {
			publish := func(name string) {
				e := named(name)
				e.pos = pos
				b.doshii.publish(e)
			}
			publish("before")
			c := b.Dial(path)
			c.Send(frame.OpClose, "")
			c.WantClose(frame.StatusNone, "")
			synctest.Wait()
			publish("old")
			time.Sleep(9 * time.Minute)
			publish("recent")
			time.Sleep(2 * time.Minute)
			c = b.Dial(path)
			publish("live")
			for _, name := range append(want, "live") {
				c.WantText(`{"emit":["` + name + `",{"id":"1"}]}`)
			}
		})
	}
	run(quiet(), "/doshii/pos/socket?token="+LocationToken, true, "recent")
	run(quiet(), appPath(wire.PathApp), false)
	opts := quiet()
	opts.Doshii.ReplayPOS, opts.Doshii.ReplayApp = 0, time.Hour
	run(opts, "/doshii/pos/socket?token="+LocationToken, true)
	run(opts, appPath(wire.PathApp), false, "old", "recent")
}

// The health of a location depends on the socket of its point of sale.
func TestDoshiiHealth(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		health := func() string {
			_, body := b.Do("GET", doshiiAPI+"/health/locations/"+DemoLocation, "", doshiiBearer())
			return emulatortest.Unmarshal[struct{ Status string }](t, body).Status
		}
		if got := health(); got != "inactive" {
			t.Errorf("without a socket: %s", got)
		}
		b.Dial("/doshii/pos/socket?token=" + LocationToken)
		if got := health(); got != "active" {
			t.Errorf("with a socket: %s", got)
		}
		if _, body := b.Do("GET", doshiiAPI+"/health/locations", "", doshiiBearer()); !strings.HasPrefix(string(body), "[{") {
			t.Errorf("%s", body)
		}
	})
}
