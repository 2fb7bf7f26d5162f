package doshii

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/doshii/wire"
	"github.com/hark-cli/hark/proto/prototest"
)

// The token that jsonwebtoken 9.0.3, which the vendor's SDK uses, makes of the same
// claims and key with {noTimestamp: true}.
func TestAppJWT(t *testing.T) {
	const want = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJjbGllbnRJZCI6InNvbWUyM0NsaWVudHMzMGVkSUQiLCJ0aW1lc3RhbXAiOjE3MDAwMDAwMDB9.uLvMq61h_vkjIj1lQpelDvo5-F8GPU3Odz-NqTu8PMM"
	if got := AppJWT(time.Unix(1700000000, 5), "some23Clients30edID", "shh"); got.Reveal() != want {
		t.Errorf("%s, want %s", got.Reveal(), want)
	}
}

// claimsOf checks the signature of a token and reads its claims.
func claimsOf(t *testing.T, jwt, key string) (c wire.Claims) {
	t.Helper()
	text, sig, _ := cutLastDot(jwt)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	if want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)); sig != want {
		t.Errorf("signature %s, want %s", sig, want)
	}
	_, payload, _ := strings.Cut(text, ".")
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func cutLastDot(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func TestAPI(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		jwt, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		c := claimsOf(t, jwt, "shh")
		if c.ClientID != "id" || c.Vendor != "" || time.Since(time.Unix(c.Timestamp, 0)).Abs() > time.Minute {
			t.Errorf("claims %+v", c)
		}
		body, _ := io.ReadAll(r.Body)
		got = append(got, fmt.Sprintf("%s %s %s %s", r.Method, r.URL.EscapedPath(), r.Header.Get("doshii-location-id"), body))
		switch {
		case r.Method == http.MethodGet:
			io.WriteString(w, `[{"doshiiId":"a","new":1}, {"doshiiId":"b"}]`)
		case strings.HasSuffix(r.URL.Path, "nothing"):
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"message":"no such device"}`)
		default:
			io.WriteString(w, `{"message":"ok"}`)
		}
	}))
	defer server.Close()
	var secrets []string
	api := &API{
		Base: server.URL + "/partner/v3", Client: server.Client(),
		ClientID: prototest.StaticToken("id"), ClientSecret: prototest.StaticToken("shh"),
		Secret: func(v string) { secrets = append(secrets, v) },
	}
	ctx := t.Context()
	list, err := api.Devices(ctx)
	if err != nil || len(list) != 2 || string(list[0]) != `{"doshiiId":"a","new":1}` {
		t.Errorf("%s, %v", list, err)
	}
	for _, call := range []func() ([]byte, error){
		func() ([]byte, error) { return api.Subscribe(ctx, "loc/1", Subscription{}) },
		func() ([]byte, error) {
			return api.Subscribe(ctx, "l", Subscription{MappedLocationID: "m", UseFilteredMenu: true})
		},
		func() ([]byte, error) { return api.Unsubscribe(ctx, "l") },
		func() ([]byte, error) {
			return api.CreateDevice(ctx, NewDevice{Name: "n", Ref: "r", Events: []string{"order_created"}})
		},
		func() ([]byte, error) { return api.DeleteDevice(ctx, "d") },
	} {
		if answer, err := call(); err != nil || string(answer) != `{"message":"ok"}` {
			t.Errorf("%s, %v", answer, err)
		}
	}
	want := []string{
		"GET /partner/v3/devices  ",
		"POST /partner/v3/locations/loc%2F1/subscription loc/1 {}",
		`POST /partner/v3/locations/l/subscription l {"mappedLocationId":"m","useFilteredMenu":true}`,
		"DELETE /partner/v3/locations/l/subscription l ",
		`POST /partner/v3/devices  {"name":"n","ref":"r","events":["order_created"],"terminals":[],"channels":[],"locationIds":[]}`,
		"DELETE /partner/v3/devices/d  ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(secrets) != len(want) {
		t.Errorf("%d secrets were told", len(secrets))
	}
	_, err = api.DeleteDevice(ctx, "nothing")
	if f, ok := errors.AsType[*proto.Failure](proto.RequestFailure(err)); !ok || f.Class != proto.Refused {
		t.Errorf("%v", err)
	}
}

// The sockets of points of sale and vendors have other credentials than those of apps.
// A vendor's token expires, so each attempt gets a new one.
func TestHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Service{Endpoint: "wss://h", Path: wire.PathPOS, Token: prototest.StaticToken("loc&tok")}
		hs, err := d.Start().Handshake(t.Context())
		if err != nil || hs.URL != "wss://h/pos/socket?token=loc%26tok" || hs.Address != "wss://h/pos/socket" {
			t.Errorf("%+v, %v", hs, err)
		}
		d = &Service{Endpoint: "wss://h", Path: wire.PathVendor, Vendor: "myposco",
			Token: func(context.Context) (secret.Value, error) {
				return VendorJWT(time.Now(), "myposco", "key"), nil
			}}
		var stamps []int64
		for range 2 {
			hs, err := d.Start().Handshake(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			jwt, ok := strings.CutPrefix(hs.URL, "wss://h/vendor/socket?token=")
			jwt, ok2 := strings.CutSuffix(jwt, "&vendor=myposco")
			if !ok || !ok2 || hs.Secrets[0] != jwt {
				t.Errorf("%+v", hs)
			}
			c := claimsOf(t, jwt, "key")
			if c.Vendor != "myposco" || c.ClientID != "" {
				t.Errorf("claims %+v", c)
			}
			stamps = append(stamps, c.Timestamp)
			time.Sleep(time.Hour)
		}
		if stamps[1]-stamps[0] != 3600 {
			t.Errorf("timestamps %v", stamps)
		}
	})
}

func TestEvents(t *testing.T) {
	check := prototest.Step{
		Note: "health check answered",
		Send: []proto.Frame{proto.Text([]byte(`{"doshii":{"pong":1539153305184,"version":"1.4.0"}}`))},
	}
	wanted := check
	wanted.Event = true
	tests := []struct {
		name    string
		events  []string
		message string
		want    prototest.Step
	}{
		{"wanted", []string{"a", "order_created"}, `{"emit":["order_created",{}]}`, prototest.Step{Event: true}},
		{"not wanted", []string{"a"}, `{"emit":["order_created",{}]}`, prototest.Step{}},
		{"no prefix", []string{"order"}, `{"emit":["order_created",{}]}`, prototest.Step{}},
		{"spaced", []string{"order_created"}, `{ "emit" : [ "order_created" ] }`, prototest.Step{Event: true}},
		{"escaped", []string{"order_created"}, `{"emit":["order\u005fcreated",{}]}`, prototest.Step{Event: true}},
		{"documented", []string{"order_created"}, `{"type":"order_created","data":{}}`, prototest.Step{Event: true}},
		{"documented otherwise", []string{"order_created"}, `{"event":"order_created","data":{}}`, prototest.Step{Event: true}},
		{"wrapped", []string{"order_created"}, `{"type":"message","data":{"emit":["order_created",{}]}}`, prototest.Step{Event: true}},
		{"unknown, none asked for", nil, `{"emit":["never_heard_of",{}]}`, prototest.Step{Event: true}},
		{"another message, none asked for", nil, `{"x":1}`, prototest.Step{Event: true}},
		{"another message", []string{"a"}, `{"x":1}`, prototest.Step{}},
		{"no JSON", []string{"a"}, `hello`, prototest.Step{}},
		{"pong", []string{"a"}, `{"doshii":{"pong":1}}`, prototest.Step{Ready: true, Note: "pong", Heartbeat: true}},
		{"health check", nil, `{"emit":["health_check",{"ping":1539153305184}]}`, check},
		{"documented health check", nil, `{"event":"health_check","data":{"ping":1539153305184}}`, check},
		{"the other documented health check", nil, `{"type":"health_check","data":{"ping":1539153305184}}`, check},
		{"health check, asked for", []string{"health_check"}, `{"emit":["health_check",{"ping":1539153305184}]}`, wanted},
		{"health check without a ping", nil, `{"emit":["health_check",{}]}`, prototest.Step{Event: true}},
	}
	for _, tt := range tests {
		s := newSession()
		s.d.Events = tt.events
		step, err := prototest.Decode(s, proto.Message{Data: []byte(tt.message), Time: prototest.Noon})
		if diff := cmp.Diff(tt.want, step); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", tt.name, err, diff)
		}
	}
}

// Only pongs for a minute is reported, once; an event counts, even one that the filter
// drops.
func TestQuiet(t *testing.T) {
	const pong, event = `{"doshii":{"pong":1}}`, `{"emit":["order_created",{}]}`
	tests := []struct {
		name     string
		messages []string // one each 10 s
		want     string
	}{
		{"pongs", []string{pong, pong, pong, pong, pong, pong, pong, pong}, "at 1m0s"},
		{"an event", []string{pong, pong, pong, event, pong, pong, pong, pong}, ""},
		{"an event late", []string{pong, pong, pong, pong, pong, pong, pong, event}, "at 1m0s"},
	}
	for _, tt := range tests {
		var got []string
		s := newSession()
		now := prototest.Noon
		s.d.Quiet = func() { got = append(got, "at "+now.Sub(prototest.Noon).String()) }
		s.d.Events = []string{"another"}
		s.OnOpen(now)
		for _, m := range tt.messages {
			now = now.Add(10 * time.Second)
			s.Decode(proto.Message{Data: []byte(m), Time: now})
			w, err := s.Tick(now)
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			if tt.want != "" && now.Sub(prototest.Noon) == 50*time.Second && w.Next.Sub(prototest.Noon) != time.Minute {
				t.Errorf("%s: wants to be asked again after %s", tt.name, w.Next.Sub(prototest.Noon))
			}
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, got, tt.want)
		}
	}
}
