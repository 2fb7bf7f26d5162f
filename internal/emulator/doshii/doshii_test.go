package doshii

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/emulator/emulatortest"
	"github.com/hark-cli/hark/proto/doshii/wire"
	"github.com/hark-cli/hark/proto/frame"
)

// appPath is the address of an app's socket with valid credentials.
func appPath(path string, query ...string) string {
	return "/doshii" + path + "?" + strings.Join(append([]string{
		"auth=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(ClientID)))}, query...), "&")
}

func named(name string) event {
	return event{name: name, payload: json.RawMessage(`{"id":"1"}`), location: DemoLocation}
}

// Doshii checklist 1 and 4: sockets of apps and of points of sale, with auth or token
// only; everything else is refused.
func TestDoshiiHandshake(t *testing.T) {
	auth := base64.StdEncoding.EncodeToString([]byte(ClientID))
	other := base64.StdEncoding.EncodeToString([]byte("some23Clients30edID"))
	if !strings.HasSuffix(auth, "=") {
		t.Fatal("the client id was chosen so that auth has padding")
	}
	lenient := func(o *Options) { o.LenientAuth = true }
	for _, test := range []struct {
		name, path string
		opts       func(*Options)
		status     int
		body       string
	}{
		{"v3", "/app/socket/v3?auth=" + url.QueryEscape(auth), nil, 101, ""},
		{"app", "/app/socket?auth=" + url.QueryEscape(auth), nil, 101, ""},
		{"raw padding", "/app/socket?auth=" + auth, nil, 101, ""},
		{"device", "/app/socket/v3?auth=" + auth + "&deviceId=" + DemoDevice, nil, 101, ""},
		{"point of sale", "/pos/socket?token=" + LocationToken, nil, 101, ""},
		{"no auth", "/app/socket/v3", nil, 401, `{"error":"invalid credentials"}`},
		{"other client", "/app/socket/v3?auth=" + url.QueryEscape(other), nil, 401, `{"error":"invalid credentials"}`},
		{"client id as it is", "/app/socket/v3?auth=" + ClientID, nil, 401, `{"error":"invalid credentials"}`},
		{"without padding", "/app/socket/v3?auth=" + strings.TrimRight(auth, "="), nil, 401, `{"error":"invalid credentials"}`},
		{"without padding, lenient", "/app/socket/v3?auth=" + strings.TrimRight(auth, "="), lenient, 101, ""},
		{"wrong token", "/pos/socket?token=x", nil, 401, `{"error":"invalid credentials"}`},
		{"unknown device", "/app/socket/v3?auth=" + auth + "&deviceId=x", nil, 400, `{"error":"unknown device"}`},
		{"device of another app", "/app/socket/v3?auth=" + auth + "&deviceId=" + DemoPrivateDevice, nil, 400, `{"error":"unknown device"}`},
		{"unknown device 403", "/app/socket/v3?auth=" + auth + "&deviceId=x", func(o *Options) { o.UnknownDevice = 403 }, 403, `{"error":"unknown device"}`},
		{"other path", "/partner/socket/v3?auth=" + auth, nil, 404, "404 page not found\n"},
	} {
		opts := quiet()
		if test.opts != nil {
			test.opts(&opts.Doshii)
		}
		inBubble(t, opts, func(b *bench) {
			_, res := b.Upgrade("/doshii" + test.path)
			if res.StatusCode != test.status {
				t.Fatalf("%s: %s", test.name, res.Status)
			}
			if test.status != 101 {
				if body, _ := io.ReadAll(res.Body); string(body) != test.body {
					t.Errorf("%s: %s", test.name, body)
				}
			}
		})
	}
	inBubble(t, quiet(), func(b *bench) {
		if status, body := b.Do("GET", appPath(wire.PathApp), ""); status != 400 || !strings.Contains(string(body), "Upgrade") {
			t.Errorf("no upgrade: %d %s", status, body)
		}
	})
	opts := quiet()
	opts.Doshii.RefuseBy = "close"
	inBubble(t, opts, func(b *bench) { b.Dial("/doshii/app/socket").WantClose(1008, "invalid credentials") })
}

// Doshii checklist 2, 7 and 8: pings are answered, in all styles.
func TestDoshiiPong(t *testing.T) {
	const ping = `{"doshii":{"ping":1700000000000,"version":"1.4.0"}}`
	for _, test := range []struct{ style, message, want string }{
		{"echo", ping, `{"doshii":{"pong":1700000000000,"version":"3.2.0"}}`},
		{"echo", `{"doshii":{"ping":0}}`, `{"doshii":{"pong":0,"version":"3.2.0"}}`},
		{"bare", ping, `{"doshii":{"pong":1700000000000}}`},
		{"clock", ping, `{"doshii":{"pong":946684800000,"version":"3.2.0"}}`},
		{"echo", `"primus::ping::1700000000000"`, `"primus::pong::1700000000000"`},
	} {
		opts := quiet()
		opts.Doshii.Pong = test.style
		inBubble(t, opts, func(b *bench) {
			c := b.Dial(appPath(wire.PathAppV3))
			for _, op := range []frame.Opcode{frame.OpText, frame.OpBinary} {
				c.Send(op, test.message)
				c.WantText(test.want)
			}
			// Neither a reply nor a close.
			for _, ignored := range []string{"hello", `{"doshii":{"pong":1}}`, `{"doshii":1}`, `[]`, `"x"`, `null`} {
				c.Send(frame.OpText, ignored)
			}
			c.WantQuiet(time.Second)
		})
	}
	opts := quiet()
	opts.Doshii.Malformed = 1003
	inBubble(t, opts, func(b *bench) {
		c := b.Dial(appPath(wire.PathAppV3))
		c.Send(frame.OpText, "hello")
		c.WantClose(1003, "malformed message")
	})
}

// Doshii checklist 6: a silent client is disconnected, in a configurable way.
func TestDoshiiIdle(t *testing.T) {
	for _, test := range []struct {
		name  string
		opts  func(*Options)
		after time.Duration
		check func(*emulatortest.Client)
	}{
		{"default", func(*Options) {}, 35 * time.Second, func(c *emulatortest.Client) { c.WantClose(1005, "") }},
		{"1001", func(o *Options) { o.IdleClose = 1001 }, 35 * time.Second, func(c *emulatortest.Client) { c.WantClose(1001, "idle") }},
		{"drop", func(o *Options) { o.IdleClose = 1006 }, 35 * time.Second, func(c *emulatortest.Client) { c.WantDrop() }},
		{"longer", func(o *Options) { o.Idle = 90 * time.Second }, 90 * time.Second, func(c *emulatortest.Client) { c.WantClose(1005, "") }},
		{"never", func(o *Options) { o.Idle = 0 }, time.Hour, func(c *emulatortest.Client) { c.WantQuiet(time.Hour) }},
		{"first ping", func(o *Options) { o.FirstPing, o.IdleClose = 3*time.Second, 1001 }, 3 * time.Second, func(c *emulatortest.Client) { c.WantClose(1001, "no heartbeat") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			opts := quiet()
			test.opts(&opts.Doshii)
			inBubble(t, opts, func(b *bench) {
				c := b.Dial(appPath(wire.PathAppV3))
				start := time.Now()
				test.check(c)
				if d := time.Since(start); d < test.after || d > test.after+2*time.Second {
					t.Errorf("after %v, want %v", d, test.after)
				}
			})
		})
	}
	opts := quiet()
	opts.Doshii.FirstPing = 3 * time.Second
	inBubble(t, opts, func(b *bench) {
		c := b.Dial(appPath(wire.PathAppV3))
		for range 10 {
			c.Send(frame.OpText, `{"doshii":{"ping":1}}`)
			c.WantText(`{"doshii":{"pong":1,"version":"3.2.0"}}`)
			c.WantQuiet(30 * time.Second)
		}
	})
}

// Doshii checklist 3 and 9: the envelopes; unknown names are allowed.
func TestDoshiiEnvelope(t *testing.T) {
	for _, test := range []struct{ style, want string }{
		{"emit", `{"emit":["some_event",{"id":"1"}]}`},
		{"type", `{"type":"some_event","data":{"id":"1"}}`},
		{"event", `{"event":"some_event","data":{"id":"1"}}`},
	} {
		opts := quiet()
		opts.Doshii.Envelope = test.style
		inBubble(t, opts, func(b *bench) {
			c := b.Dial(appPath(wire.PathApp))
			b.doshii.publish(named("some_event"))
			c.WantText(test.want)
		})
	}
}

// Doshii checklist 5: apps get events of the locations that they are subscribed to,
// filtered by the connection's device.
func TestDoshiiFilter(t *testing.T) {
	at := func(location, terminal, name string) event {
		e := named(name)
		e.location, e.terminal = location, terminal
		return e
	}
	tests := []struct {
		name   string
		device wire.Device
		event  event
		want   bool
	}{
		{"no restriction", wire.Device{}, named("x"), true},
		{"location without subscription", wire.Device{}, at(DemoSecondLocation, "", "x"), false},
		{"event listed", wire.Device{Events: []string{"x"}}, named("x"), true},
		{"event not listed", wire.Device{Events: []string{"x"}}, named("y"), false},
		{"location listed", wire.Device{LocationIDs: []string{DemoLocation}}, named("x"), true},
		{"location not listed", wire.Device{LocationIDs: []string{DemoSecondLocation}}, named("x"), false},
		{"terminal listed", wire.Device{Terminals: []string{"t"}}, at(DemoLocation, "t", "x"), true},
		{"terminal not listed", wire.Device{Terminals: []string{"t"}}, at(DemoLocation, "u", "x"), false},
		{"event without terminal", wire.Device{Terminals: []string{"t"}}, named("x"), true},
		{"channel listed", wire.Device{Channels: []string{"Order ahead"}}, named("order_created"), true},
		{"channel not listed", wire.Device{Channels: []string{"Reservations"}}, named("order_created"), false},
		{"all lists", wire.Device{Channels: []string{"Order ahead"}, Events: []string{"order_updated"}}, named("order_created"), false},
	}
	inBubble(t, quiet(), func(b *bench) {
		d := b.doshii
		c := b.Dial(appPath(wire.PathAppV3, "deviceId="+DemoDevice))
		for _, test := range tests {
			test.device.DoshiiID = DemoDevice
			d.mu.Lock()
			d.devices[0] = test.device
			d.mu.Unlock()
			d.publish(test.event)
			if test.want {
				c.WantText(`{"emit":["` + test.event.name + `",{"id":"1"}]}`)
			}
			c.WantQuiet(time.Millisecond)
		}
	})
	inBubble(t, quiet(), func(b *bench) {
		app, pos := b.Dial(appPath(wire.PathApp)), b.Dial("/doshii/pos/socket?token="+LocationToken)
		b.doshii.publish(named("x"))
		e := named("y")
		e.pos = true
		b.doshii.publish(e)
		app.WantText(`{"emit":["x",{"id":"1"}]}`)
		pos.WantText(`{"emit":["y",{"id":"1"}]}`)
		app.WantQuiet(time.Second)
		pos.WantQuiet(time.Second)
	})
}

// Doshii checklist 10: the server's own pings and health checks.
func TestDoshiiServerPing(t *testing.T) {
	opts := quiet()
	opts.Doshii.ServerPing, opts.Doshii.HealthCheck = 7*time.Second, 11*time.Second
	inBubble(t, opts, func(b *bench) {
		app, pos := b.Dial(appPath(wire.PathApp)), b.Dial("/doshii/pos/socket?token="+LocationToken)
		app.WantText(`{"doshii":{"ping":946684807000,"version":"3.2.0"}}`)
		pos.WantText(`{"emit":["health_check",{"ping":946684811000}]}`)
	})
}

// Generated events have the members of the help pages.
func TestDoshiiGenerated(t *testing.T) {
	opts := byDefault()
	opts.Rate = 50
	inBubble(t, opts, func(b *bench) {
		c := b.Dial(appPath(wire.PathAppV3))
		seen := map[string]bool{}
		for range 2 * len(shapes()) {
			m := emulatortest.Unmarshal[wire.Message](t, []byte(c.Text()))
			name, ok := m.Emit.Name()
			payload := emulatortest.Unmarshal[map[string]any](t, m.Emit.Payload())
			if !ok || payload["locationId"] != DemoLocation && name != "points_redemption" {
				t.Errorf("%s: %v", name, payload)
			}
			seen[name] = true
		}
		if len(seen) != len(shapes()) {
			t.Errorf("%d names in two rounds of %d", len(seen), len(shapes()))
		}
		pos := b.Dial("/doshii/pos/socket?token=" + LocationToken)
		if name, ok := emulatortest.Unmarshal[wire.Message](t, []byte(pos.Text())).Emit.Name(); !ok {
			t.Errorf("point of sale: %q", name)
		}
	})
}
