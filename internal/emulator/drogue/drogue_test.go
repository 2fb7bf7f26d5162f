package drogue

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/emulatortest"
	"github.com/hark-cli/hark/proto/drogue/wire"
	"github.com/hark-cli/hark/proto/frame"
)

// token returns an access token that expires after d.
func (b *bench) token(user string, d time.Duration, roles ...string) string {
	b.T.Helper()
	base, err := url.Parse(emulator.Base)
	if err != nil {
		b.T.Fatal(err)
	}
	token, err := b.drogue.issuer.token(base, user, d, roles...)
	if err != nil {
		b.T.Fatal(err)
	}
	return token
}

func (b *bench) publishDrogue(app string, in input) {
	d := b.drogue
	if in.kind == "" {
		in.kind = wire.TypeEvent
	}
	d.publish(d.apps[app], in)
}

// measure publishes an event of a device on a channel.
func measure(device, channel, payload string) input {
	return input{device: device, sender: device, channel: channel, contentType: "application/json", payload: []byte(payload)}
}

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// Drogue checklist 1 and 2: authenticate, authorize, then check the upgrade; the table
// of errors; never 401 and never WWW-Authenticate.
func TestDrogueRefusals(t *testing.T) {
	notFound := func(app string) string {
		return `{"error":"NotFound","message":"Resource not found: Application / ` + app + `"}`
	}
	forbidden := `{"error":"Forbidden","message":"Forbidden"}`
	twoForms := `{"error":"Forbidden","message":"Invalid request: More than one way of authentication provided"}`
	inBubble(t, quiet(), func(b *bench) {
		good := b.token(User, time.Hour)
		bearer := "Authorization: Bearer " + good
		wrongKey := good[:len(good)-8] + "AAAAAAAA"
		access := url.QueryEscape(AccessToken)
		time.Sleep(time.Second) // so that a token with a lifetime of 0 has expired
		sign := func(c claims) string {
			token, err := b.drogue.issuer.sign(c)
			if err != nil {
				t.Fatal(err)
			}
			return "Authorization: Bearer " + token
		}
		later := time.Now().Add(time.Hour).Unix()
		tests := []struct {
			name, path string
			headers    []string
			status     int
			body       string
		}{
			{"no credentials", "/demo-app", nil, 404, notFound("demo-app")},
			{"no access", "/private-app", []string{bearer}, 404, notFound("private-app")},
			{"no such application", "/nothing", []string{bearer}, 404, notFound("nothing")},
			{"no such application, admin", "/nothing", []string{"Authorization: Bearer " + b.token("root", time.Hour, adminRole)}, 404, notFound("nothing")},
			{"lower-case scheme", "/demo-app", []string{"Authorization: bearer " + good}, 404, notFound("demo-app")},
			{"Basic without colon", "/demo-app", []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("x"))}, 404, notFound("demo-app")},
			{"Basic not base64", "/demo-app", []string{"Authorization: Basic ***"}, 404, notFound("demo-app")},
			{"username without api_key", "/demo-app?username=demo", nil, 404, notFound("demo-app")},
			{"api_key without username", "/demo-app?api_key=" + access, nil, 404, notFound("demo-app")},
			{"expired", "/demo-app", []string{"Authorization: Bearer " + b.token(User, -time.Second)}, 403, forbidden},
			{"expired now", "/demo-app", []string{"Authorization: Bearer " + b.token(User, 0)}, 403, forbidden},
			{"bad signature", "/demo-app", []string{"Authorization: Bearer " + wrongKey}, 403, forbidden},
			{"no JWT", "/demo-app", []string{"Authorization: Bearer x"}, 403, forbidden},
			{"unknown client", "/demo-app", []string{sign(claims{Issuer: emulator.Base + realmPath, Party: "other", Audience: audience{"other"}, Username: User, Expires: later})}, 403, forbidden},
			{"other audience", "/demo-app", []string{sign(claims{Issuer: emulator.Base + realmPath, Party: "drogue", Audience: audience{"other"}, Username: User, Expires: later})}, 403, forbidden},
			{"other issuer", "/demo-app", []string{sign(claims{Issuer: "https://example.com", Party: "drogue", Audience: audience{"drogue"}, Username: User, Expires: later})}, 403, forbidden},
			{"access token as Bearer", "/demo-app", []string{"Authorization: Bearer " + AccessToken}, 403, forbidden},
			{"OpenID token as password", "/demo-app", []string{basic(User, good)}, 403, forbidden},
			{"empty token", "/demo-app?token=", nil, 403, forbidden},
			{"wrong user", "/demo-app", []string{basic("other", AccessToken)}, 403, forbidden},
			{"user id for user name", "/demo-app", []string{basic(userID(User), AccessToken)}, 403, forbidden},
			{"wrong checksum", "/demo-app", []string{basic(User, AccessToken[:41]+"0")}, 403, forbidden},
			{"header and query", "/demo-app?token=" + good, []string{bearer}, 403, twoForms},
			{"both queries", "/demo-app?token=" + good + "&username=demo&api_key=" + access, nil, 403, twoForms},
			{"empty password", "/demo-app", []string{basic(User, "")}, 403, `{"error":"Forbidden","message":"Invalid request: No access token provided."}`},
			{"trailing slash, not allowed", "/private-app/", []string{bearer}, 404, notFound("private-app")},
			{"trailing slash", "/demo-app/", []string{bearer}, 404, ""},
			{"three segments", "/demo-app/a/b", []string{bearer}, 404, ""},
			{"no segment", "/", nil, 404, ""},
			{"two groups", "/demo-app?group_id=a&group_id=b", []string{bearer}, 400, "Query deserialize error: duplicate field `group_id`\n"},
		}
		for _, test := range tests {
			_, res := b.Upgrade("/drogue"+test.path, test.headers...)
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != test.status || string(body) != test.body {
				t.Errorf("%s: %d %s (%v), want %d %s", test.name, res.StatusCode, body, err, test.status, test.body)
			}
			if res.Header.Get("WWW-Authenticate") != "" {
				t.Errorf("%s: WWW-Authenticate was sent", test.name)
			}
		}
		if status, body := b.Do("GET", "/drogue/demo-app", "", "Authorization: Bearer x"); status != 403 || string(body) != forbidden {
			t.Errorf("no upgrade and bad credentials: %d %s", status, body)
		}
		if status, _ := b.Do("POST", "/drogue/demo-app", "", bearer); status != 405 {
			t.Errorf("POST: %d", status)
		}
	})
	opts := quiet()
	opts.Drogue.NoAccessTokens = true
	inBubble(t, opts, func(b *bench) {
		_, res := b.Upgrade("/drogue/demo-app", basic(User, AccessToken))
		body, _ := io.ReadAll(res.Body)
		if want := `{"error":"Forbidden","message":"Invalid request: Access token authentication disabled"}`; string(body) != want {
			t.Errorf("no access tokens: %s", body)
		}
	})
}

// After authorization, a missing part of an upgrade is reported in the reason phrase of
// a 400 without a body.
func TestDrogueReasonPhrases(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		bearer := "Authorization: Bearer " + b.token(User, time.Hour)
		for _, test := range []struct{ header, phrase string }{
			{"Upgrade: h2c", "No WebSocket Upgrade header found"},
			{"Connection: keep-alive", "No Connection upgrade"},
			{"Sec-WebSocket-Version: ", "WebSocket version header is required"},
			{"Sec-WebSocket-Version: 12", "Unsupported WebSocket version"},
			{"Sec-WebSocket-Key: ", "Handshake error"},
		} {
			_, res := b.Upgrade("/drogue/demo-app", bearer, test.header)
			body, _ := io.ReadAll(res.Body)
			if res.Status != "400 "+test.phrase || len(body) != 0 {
				t.Errorf("%s: %s %q", test.header, res.Status, body)
			}
		}
		b.Dial("/drogue/demo-app", bearer, "Sec-WebSocket-Version: 8")
	})
}

// Drogue checklist 2: all forms of credentials, and a public application.
func TestDrogueCredentials(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		token := b.token(User, time.Hour)
		for _, test := range []struct{ app, query, header string }{
			{"demo-app", "", "Authorization: Bearer " + token},
			{"demo-app", "?token=" + token, "X-None: 1"},
			{"demo-app", "", basic(User, AccessToken)},
			{"demo-app", "?username=demo&api_key=" + AccessToken + "&unknown=1", "X-None: 1"},
			{"public-app", "", "X-None: 1"},
			{"public-app", "", "Authorization: Token x"},
			{"private-app", "", "Authorization: Bearer " + b.token("root", time.Hour, adminRole)},
		} {
			c := b.Dial("/drogue/"+test.app+test.query, test.header)
			b.publishDrogue(test.app, measure("dev-1", "a", `1`))
			if got := c.Datum(); got != "1" {
				t.Errorf("%+v: got %s", test, got)
			}
			c.Conn.Close()
		}
	})
}

// Drogue checklist 3: PING every 5 s, and the connection is closed without a close
// frame if neither ping nor pong was received for more than 10 s.
func TestDrogueHeartbeat(t *testing.T) {
	dial := func(b *bench) *emulatortest.Client { return b.Dial("/drogue/public-app") }
	since := func(t *testing.T, start time.Time, want time.Duration) {
		t.Helper()
		if got := time.Since(start).Round(time.Second); got != want {
			t.Errorf("after %v, want %v", got, want)
		}
	}
	inBubble(t, quiet(), func(b *bench) {
		start := time.Now()
		c := dial(b)
		for i := range 3 {
			op, payload, err := c.Read()
			if op != frame.OpPing || string(payload) != "PING" || err != nil {
				t.Fatalf("got %v %q, %v", op, payload, err)
			}
			since(t, start, time.Duration(5*(i+1))*time.Second)
			c.Send(frame.OpPong, "PING")
		}
		c.WantDrop() // the last pong came at 15 s: 25 s is not more than 10 s later
		since(t, start, 30*time.Second)
	})
	inBubble(t, quiet(), func(b *bench) {
		start := time.Now()
		c := dial(b)
		c.WantDrop()
		since(t, start, 15*time.Second)
	})
	inBubble(t, quiet(), func(b *bench) {
		// The client's own pings count, text does not.
		c := dial(b)
		stop := time.Now().Add(time.Minute)
		for time.Now().Before(stop) {
			c.Send(frame.OpPing, "p")
			for {
				op, payload, err := c.Read()
				if err != nil {
					t.Fatal(err)
				}
				if op == frame.OpPong && string(payload) == "p" {
					break
				}
			}
			time.Sleep(4 * time.Second)
		}
	})
	opts := quiet()
	opts.Drogue.Ping, opts.Drogue.Timeout = 50*time.Millisecond, 120*time.Millisecond
	inBubble(t, opts, func(b *bench) {
		start := time.Now()
		dial(b).WantDrop()
		if got := time.Since(start); got != 150*time.Millisecond {
			t.Errorf("dropped after %v", got)
		}
	})
}

// Drogue checklist 4: the expiry is checked every 90 s from the upgrade.
func TestDrogueExpiry(t *testing.T) {
	for _, test := range []struct{ lifetime, closed time.Duration }{
		{time.Second, 90 * time.Second},
		{89 * time.Second, 90 * time.Second},
		{91 * time.Second, 180 * time.Second},
		{5 * time.Minute, 360 * time.Second},
	} {
		inBubble(t, quiet(), func(b *bench) {
			start := time.Now()
			c := b.Dial("/drogue/demo-app", "Authorization: Bearer "+b.token(User, test.lifetime))
			c.WantClose(1008, "JWT token expired")
			if got := time.Since(start).Truncate(time.Second * 2); got != test.closed {
				t.Errorf("token of %v: closed after %v, want %v", test.lifetime, got, test.closed)
			}
		})
	}
	inBubble(t, quiet(), func(b *bench) {
		b.Dial("/drogue/demo-app", basic(User, AccessToken)).WantQuiet(10 * time.Minute)
	})
}

func refreshMessage(token string) string {
	return string(emulator.MustJSON(wire.Refresh{RefreshAccessToken: token}))
}

// Drogue checklist 5: a refresh has no reply, applies the expiry even if it is earlier,
// does not compare identities and works in binary messages too; three failures have a
// close frame each.
func TestDrogueRefresh(t *testing.T) {
	tests := []struct {
		name   string
		opcode frame.Opcode
		token  func(b *bench) string
		check  func(t *testing.T, b *bench, c *emulatortest.Client)
	}{
		{"longer", frame.OpText, func(b *bench) string { return b.token(User, time.Hour) },
			func(t *testing.T, b *bench, c *emulatortest.Client) { c.WantQuiet(10 * time.Minute) }},
		{"binary", frame.OpBinary, func(b *bench) string { return b.token(User, time.Hour) },
			func(t *testing.T, b *bench, c *emulatortest.Client) { c.WantQuiet(10 * time.Minute) }},
		{"earlier", frame.OpText, func(b *bench) string { return b.token(User, 10*time.Second) },
			func(t *testing.T, b *bench, c *emulatortest.Client) {
				start := time.Now()
				c.WantClose(1008, "JWT token expired")
				if d := time.Since(start).Truncate(10 * time.Second); d != 90*time.Second {
					t.Errorf("closed after %v", d)
				}
			}},
		{"another user who may read", frame.OpText, func(b *bench) string { return b.token("root", time.Hour, adminRole) },
			func(t *testing.T, b *bench, c *emulatortest.Client) { c.WantQuiet(10 * time.Minute) }},
		{"another user", frame.OpText, func(b *bench) string { return b.token("other", time.Hour) },
			func(t *testing.T, b *bench, c *emulatortest.Client) { c.WantClose(1008, "Failed to refresh token") }},
		{"expired", frame.OpText, func(b *bench) string { return b.token(User, -time.Hour) },
			func(t *testing.T, b *bench, c *emulatortest.Client) {
				c.WantClose(1011, "Failed to refresh token: Authentication failed")
			}},
		{"access token", frame.OpText, func(b *bench) string { return AccessToken },
			func(t *testing.T, b *bench, c *emulatortest.Client) {
				c.WantClose(1011, "Failed to refresh token: Authentication failed")
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, quiet(), func(b *bench) {
				c := b.Dial("/drogue/demo-app", "Authorization: Bearer "+b.token(User, 2*time.Minute))
				c.Send(test.opcode, refreshMessage(test.token(b)))
				test.check(t, b, c)
			})
		})
	}
	t.Run("adds an expiry to an access token", func(t *testing.T) {
		inBubble(t, quiet(), func(b *bench) {
			c := b.Dial("/drogue/demo-app", basic(User, AccessToken))
			c.Send(frame.OpText, refreshMessage(b.token(User, time.Minute)))
			c.WantClose(1008, "JWT token expired")
		})
	})
	t.Run("late, before the next check", func(t *testing.T) {
		inBubble(t, quiet(), func(b *bench) {
			c := b.Dial("/drogue/demo-app", "Authorization: Bearer "+b.token(User, 10*time.Second))
			c.WantQuiet(60 * time.Second)
			c.Send(frame.OpText, refreshMessage(b.token(User, time.Hour)))
			c.WantQuiet(10 * time.Minute)
		})
	})
}

// The channel is compared exactly, and may contain an escaped slash.
func TestDrogueChannel(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		plain, slash := b.Dial("/drogue/public-app/temp"), b.Dial("/drogue/public-app/a%2Fb")
		for i, channel := range []string{"temperature", "Temp", "temp", "", "a/b", "a", "temp"} {
			b.publishDrogue("public-app", measure("d", channel, fmt.Sprint(i)))
		}
		if a, b := plain.Datum(), plain.Datum(); a != "2" || b != "6" {
			t.Errorf("channel temp: %s, %s", a, b)
		}
		if got := slash.Datum(); got != "4" {
			t.Errorf("channel a/b: %s", got)
		}
		slash.WantQuiet(time.Minute)
	})
}

// Drogue checklist 7: one compact text frame per event, extensions in an order
// that differs, and all of them strings; every kind of payload and of event.
func TestDrogueEvents(t *testing.T) {
	tests := []struct {
		name, contentType, payload string
		wantType, wantMember       string
	}{
		{"JSON", "application/json", `{"a":1}`, "application/json", `"data":{"a":1}`},
		{"JSON with a parameter", "application/json; charset=utf-8", `"s"`, "application/json", `"data":"s"`},
		{"text/json", "text/json", `null`, "application/json", `"data":null`},
		{"a +json type", "application/senml+json", `1`, "application/json", `"data":1`},
		{"no type, JSON", "", `[1]`, "application/json", `"data":[1]`},
		{"no type, no JSON", "", `hello`, "application/octet-stream", `"data_base64":"aGVsbG8="`},
		{"no type, nothing", "", ``, "application/octet-stream", `"data_base64":""`},
		{"text", "text/plain; charset=utf-8", "a<b & ü", "text/plain; charset=utf-8", `"data":"a<b & ü"`},
		{"text that looks like JSON", "text/plain", "{}", "text/plain", `"data":"{}"`},
		{"text, not UTF-8", "text/plain", "\xff", "text/plain", `"data_base64":"/w=="`},
		{"CBOR", "application/cbor", "\x01\x02\xff", "application/cbor", `"data_base64":"AQL/"`},
	}
	inBubble(t, quiet(), func(b *bench) {
		c := b.Dial("/drogue/public-app")
		orders := map[string]bool{}
		for _, test := range tests {
			b.publishDrogue("public-app", input{device: "my-dev", sender: "gw 1", channel: "c", contentType: test.contentType, payload: []byte(test.payload)})
			text := c.Text()
			e := emulatortest.Unmarshal[wire.Event](t, []byte(text))
			if e.DataContentType != test.wantType || !strings.Contains(text, test.wantMember+",") || (e.Data == nil) == (e.DataBase64 == nil) {
				t.Errorf("%s: %s", test.name, text)
			}
			if e.Source != "drogue://public-app/my%2Ddev" || e.Extension("partitionkey") != "public%2Dapp/gw%201" ||
				e.Extension("device") != "my-dev" || e.Extension("sender") != "gw 1" || e.Subject != "c" || e.SpecVersion != "1.0" {
				t.Errorf("%s: attributes of %s", test.name, text)
			}
			var names []string
			for _, x := range e.Extensions {
				names = append(names, x.Name)
			}
			orders[strings.Join(names, " ")] = true
			slices.Sort(names)
			want := []string{"application", "applicationuid", "device", "deviceuid", "instance", "partitionkey", "sender", "senderuid"}
			if !slices.Equal(names, want) {
				t.Errorf("%s: extensions %q", test.name, names)
			}
		}
		if len(orders) < 2 {
			t.Error("the extensions always have the same order")
		}
	})
	opts := byDefault()
	opts.Rate = 100
	inBubble(t, opts, func(b *bench) {
		c := b.Dial("/drogue/demo-app", basic(User, AccessToken))
		kinds := map[string]bool{}
		for range 34 {
			text := c.Text()
			e := emulatortest.Unmarshal[wire.Event](t, []byte(text))
			kinds[e.Type] = true
			kinds["base64"] = kinds["base64"] || e.DataBase64 != nil
			kinds["gateway"] = kinds["gateway"] || e.Extension("device") != e.Extension("sender")
			kinds[DemoChannel] = kinds[DemoChannel] || e.Subject == DemoChannel
			if e.Type == wire.TypeConnection && e.Subject != "connection" || e.Type == wire.TypeRegistry && e.Subject != "devices" {
				t.Errorf("got %s", text)
			}
		}
		for _, kind := range []string{wire.TypeEvent, wire.TypeConnection, wire.TypeRegistry, "base64", "gateway", DemoChannel} {
			if !kinds[kind] {
				t.Errorf("none of %s", kind)
			}
		}
	})
}

// A client that does not read is disconnected after the time limit of its heartbeat,
// and one that disconnects is removed at once.
func TestDrogueSlowReader(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		c := b.Dial("/drogue/public-app")
		b.publishDrogue("public-app", measure("d", "c", "1"))
		time.Sleep(time.Minute)
		if _, err := bufio.NewReader(c.Conn).ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("after a minute: %v", err)
		}
	})
}
