package proto

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/wire"
	"golang.org/x/tools/txtar"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// messages are the JSON files of the archives of one service in testdata.
func messages(t testing.TB, service string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/" + service + "/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no messages of %s: %v", service, err)
	}
	out := make(map[string][]byte)
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range txtar.Parse(b).Files {
			out[f.Name] = []byte(strings.TrimSpace(string(f.Data)))
		}
	}
	return out
}

func texts(frames []Frame) []string {
	var out []string
	for _, f := range frames {
		out = append(out, string(f.Payload))
	}
	return out
}

func newOctaveSession(streams ...string) *octaveSession {
	return &octaveSession{o: &Octave{Streams: streams, AckTimeout: 10 * time.Second, Heartbeat: 20 * time.Second}}
}

func TestOctaveGreet(t *testing.T) {
	s := newOctaveSession("/my/stream/path", "s53b1d1600cf27b75148de0ac")
	step := stepOf(s.Greet(noon))
	want := []string{
		`{"msgId":"subscribe-1","object":"event","type":"subscribe","path":"/my/stream/path"}`,
		`{"msgId":"subscribe-2","object":"event","type":"subscribe","streamId":"s53b1d1600cf27b75148de0ac"}`,
	}
	if diff := cmp.Diff(want, texts(step.Send)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if step.Ready {
		t.Error("ready before any acknowledgement")
	}
	want = []string{
		`{"msgId":"unsubscribe-1","object":"event","type":"unsubscribe","path":"/my/stream/path"}`,
		`{"msgId":"unsubscribe-2","object":"event","type":"unsubscribe","streamId":"s53b1d1600cf27b75148de0ac"}`,
	}
	if diff := cmp.Diff(want, texts(s.Farewell())); diff != "" {
		t.Errorf("farewell (-want +got):\n%s", diff)
	}
}

func ack(id, rest string) []byte {
	return fmt.Appendf(nil, `{"head":{"msgId":%s,%s},"body":{}}`, id, rest)
}

func TestOctaveAcknowledgements(t *testing.T) {
	const ok = `"ok":true,"errors":[],"messages":["Your request has been processed successfully."]`
	s := newOctaveSession("/a", "/b")
	s.Greet(noon)
	for i, tt := range []struct {
		message string
		want    Step
	}{
		{`{"type":"message","resource":"s1","value":{}}`, Step{Event: true}}, // before its acknowledgement
		{` {"value":{"a":1},"type":"message"}`, Step{Event: true}},
		{string(ack(`"subscribe-2"`, ok)), Step{Note: "subscribed to /b"}},
		{string(ack(`"subscribe-2"`, ok)), Step{Note: "answer to another request"}},
		{string(ack(`7`, ok)), Step{Note: "answer to another request"}},
		{`{"type":"heartbeat"}`, Step{Note: "heartbeat answered", Heartbeat: true}},
		{`{"head":{}}`, Step{Note: "answer to another request"}},
		{`{"new":1}`, Step{Note: `message of an unknown kind: {"new":1}`}},
		{`hello`, Step{Warning: "a message that is not JSON of Octave was left out: hello"}},
		{string(ack(`"subscribe-1"`, ok)), Step{Note: "subscribed to /a", Ready: true}},
	} {
		got, err := decode(s, Message{Data: []byte(tt.message), Time: noon})
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%d: %s (-want +got):\n%s", i, tt.message, diff)
		}
	}
}

func TestOctaveRefusal(t *testing.T) {
	s := newOctaveSession("/nothing")
	s.Greet(noon)
	_, err := decode(s, Message{Data: ack(`"subscribe-1"`, `"ok":false,"status":404,"errors":["The requested resource could not be located at this address."],"messages":[]`)})
	const want = "subscription to /nothing refused with status 404: The requested resource could not be located at this address."
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if c := Classify(&Octave{}, err); c != Refused {
		t.Errorf("class %d, want Refused", c)
	}
}

func TestOctaveDue(t *testing.T) {
	s := newOctaveSession("/a", "/b")
	s.Greet(noon)
	s.Decode(Message{Data: ack(`"subscribe-1"`, `"ok":true`)})
	w, err := s.Due(noon.Add(9 * time.Second))
	if err != nil || len(framesOf(w.Effects)) > 0 || !w.Next.Equal(noon.Add(10*time.Second)) {
		t.Errorf("after 9s: %v, next %s, %v", texts(framesOf(w.Effects)), w.Next, err)
	}
	_, err = s.Due(noon.Add(10 * time.Second))
	const want = "no acknowledgement of the subscription to /b within 10s"
	if err == nil || err.Error() != want || Classify(&Octave{}, err) != Overdue {
		t.Errorf("after 10s: %v, want %s", err, want)
	}
	s.Decode(Message{Data: ack(`"subscribe-2"`, `"ok":true`)})
	for i := 1; i <= 3; i++ {
		now := noon.Add(time.Duration(i) * 20 * time.Second)
		if w, _ := s.Due(now.Add(-time.Millisecond)); len(framesOf(w.Effects)) != 0 {
			t.Errorf("heartbeat %d is early", i)
		}
		w, err := s.Due(now)
		if diff := cmp.Diff([]string{`{"type":"heartbeat"}`}, texts(framesOf(w.Effects))); diff != "" || err != nil || !w.Next.Equal(now.Add(20*time.Second)) {
			t.Errorf("heartbeat %d: next %s, %v\n%s", i, w.Next, err, diff)
		}
	}
}

func TestOctaveJudge(t *testing.T) {
	o := &Octave{}
	for _, tt := range []struct {
		err  error
		want Verdict
	}{
		{&HandshakeError{Stage: StageSession, Status: 400}, Verdict{Class: Credentials}},
		{&HandshakeError{Stage: StageSession, Status: 401}, Verdict{Class: Credentials}},
		{&HandshakeError{Stage: StageSession, Status: 403}, Verdict{Class: Credentials}},
		{&HandshakeError{Stage: StageSession, Status: 404}, Verdict{Class: Unreachable}},
		{&HandshakeError{Stage: StageSession, Status: 429}, Verdict{Class: Transient}},
		{&HandshakeError{Stage: StageSession, Status: 500}, Verdict{Class: Transient}},
		{&HandshakeError{Stage: netdial.StageUpgrade, Status: 404}, Verdict{Class: Transient, Free: true}},
		{&HandshakeError{Stage: netdial.StageUpgrade, Status: 401}, Verdict{Class: Transient, Free: true}},
		{&HandshakeError{Stage: netdial.StageUpgrade, Status: 502}, Verdict{Class: Transient}},
		{&HandshakeError{Stage: StageSession, Err: &RefusedError{}}, Verdict{Class: Refused}},
		{&CloseError{Code: 1008}, Verdict{Class: Transient}},
		{&LostError{errors.New("the server ended it")}, Verdict{Class: Transient}},
		{&TooBigError{Limit: 1}, Verdict{Class: Refused}},
	} {
		if got := judge(o, tt.err, false); got != tt.want {
			t.Errorf("%v: %+v, want %+v", tt.err, got, tt.want)
		}
	}
}

// jwt is a token with that expiry, with a signature that nobody checks here.
func jwt(exp time.Time) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none"}`)) + "." + enc(fmt.Appendf(nil, `{"exp":%d}`, exp.Unix())) + ".c2ln"
}

// jwtIssued is jwt with the time at which it was issued.
func jwtIssued(iat, exp time.Time) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none"}`)) + "." + enc(fmt.Appendf(nil, `{"exp":%d,"iat":%d}`, exp.Unix(), iat.Unix())) + ".c2ln"
}

func TestDrogueHandshake(t *testing.T) {
	tok := StaticToken(secret.Value(jwt(noon)))
	tests := []struct {
		name    string
		d       Drogue
		url     string
		address string
		auth    string
	}{
		{"anonymous", Drogue{Endpoint: "wss://host", Application: "app"}, "wss://host/app", "wss://host/app", ""},
		{"bearer", Drogue{Endpoint: "https://host/base/", Application: "app", Token: tok}, "wss://host/base/app", "wss://host/base/app", "Bearer " + jwt(noon)},
		{"escaping", Drogue{Endpoint: "ws://host", Application: "a b", Channel: "x/y?z#%", Group: "g&h i"},
			"ws://host/a%20b/x%2Fy%3Fz%23%25?group_id=g%26h+i", "ws://host/a%20b/x%2Fy%3Fz%23%25?group_id=g%26h+i", ""},
		{"basic", Drogue{Endpoint: "ws://host", Application: "app", User: "alice", AccessToken: StaticToken("drg_1")},
			"ws://host/app", "ws://host/app", "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:drg_1"))},
		{"token in query", Drogue{Endpoint: "ws://host", Application: "app", Group: "g", Token: tok, AuthInQuery: true},
			"ws://host/app?group_id=g&token=" + jwt(noon), "ws://host/app?group_id=g", ""},
		{"access token in query", Drogue{Endpoint: "ws://host", Application: "app", User: "al ice", AccessToken: StaticToken("drg+1"), AuthInQuery: true},
			"ws://host/app?api_key=drg%2B1&username=al+ice", "ws://host/app", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			hs, err := tt.d.Start().Handshake(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if hs.URL != tt.url || hs.Address != tt.address || hs.Header.Get("Authorization") != tt.auth {
				t.Errorf("got  %s\n     %s\n     %s\nwant %s\n     %s\n     %s",
					hs.URL, hs.Address, hs.Header.Get("Authorization"), tt.url, tt.address, tt.auth)
			}
		})
	}
}

func TestDrogueJudge(t *testing.T) {
	static, renewable := &Drogue{}, &Drogue{Renewable: true}
	for _, tt := range []struct {
		d    *Drogue
		err  error
		want Verdict
	}{
		{static, &HandshakeError{Stage: netdial.StageUpgrade, Status: 403}, Verdict{Class: Credentials}},
		{renewable, &HandshakeError{Stage: netdial.StageUpgrade, Status: 403}, Verdict{Class: Credentials, Free: true}},
		{static, &HandshakeError{Stage: netdial.StageUpgrade, Status: 404}, Verdict{Class: Refused}},
		{static, &HandshakeError{Stage: netdial.StageUpgrade, Status: 400}, Verdict{Class: Unreachable}},
		{static, &HandshakeError{Stage: netdial.StageUpgrade, Status: 500}, Verdict{Class: Transient}},
		{static, &CloseError{1008, "JWT token expired"}, Verdict{Class: Credentials}},
		{renewable, &CloseError{1008, "JWT token expired"}, Verdict{Class: Transient, Free: true}},
		{renewable, &CloseError{1008, "Failed to refresh token"}, Verdict{Class: Refused}},
		{static, &CloseError{1011, "Failed to refresh token: Authentication failed"}, Verdict{Class: Credentials}},
		{renewable, &CloseError{1011, "Failed to refresh token: Authentication failed"}, Verdict{Class: Transient, Free: true}},
		{renewable, &CloseError{1011, "Failed to refresh token: Token authentication is not enabled"}, Verdict{Class: Transient}},
		{static, &CloseError{1011, "Internal error: Stream error"}, Verdict{Class: Transient}},
		{static, &CloseError{1002, "expected value at line 1 column 1"}, Verdict{Class: Refused}},
		{static, &CloseError{1000, ""}, Verdict{Class: Transient}},
	} {
		if got := judge(tt.d, tt.err, false); got != tt.want {
			t.Errorf("%v (renewable %t): %+v, want %+v", tt.err, tt.d.Renewable, got, tt.want)
		}
	}
}

// renew runs the work that is due and returns what it wants.
func renew(t *testing.T, s *drogueSession, now time.Time) Work {
	t.Helper()
	w, err := s.Due(now)
	if err != nil || w.Do == nil {
		t.Fatalf("nothing to do at %s: %v", now, err)
	}
	w, err = w.Do(t.Context())(now)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestDrogueRenewsItsToken(t *testing.T) {
	exp := noon.Add(5 * time.Minute)
	var next string
	var fail error
	d := &Drogue{Renewable: true, Token: func(context.Context) (secret.Value, error) { return secret.Value(next), fail }}
	s := &drogueSession{d: d, limited: true, claimed: exp, expires: exp, obtained: noon}
	s.Greet(noon)
	if w, _ := s.Due(noon); w.Do != nil || !w.Next.Equal(exp.Add(-30*time.Second)) {
		t.Errorf("asks for a token at once, or next at %s", w.Next)
	}
	at := exp.Add(-30 * time.Second)

	fail = errors.New("no network")
	w := renew(t, s, at)
	if stepOf(w.Effects).Warning != "no new token: no network; the old one expires in 30s" || len(framesOf(w.Effects)) != 0 || !w.Next.Equal(at.Add(10*time.Second)) {
		t.Errorf("after a failure: %+v", w)
	}
	fail = nil
	for _, bad := range []struct{ token, warning string }{
		{jwt(exp), "the new token expires no later than the old one, and was not sent; the old one expires in 20s"},
		{"drg_1", "the new token is no JSON Web Token with an expiry, and was not sent; the old one expires in 20s"},
	} {
		next = bad.token
		s.ask = at.Add(10 * time.Second)
		if w := renew(t, s, s.ask); stepOf(w.Effects).Warning != bad.warning || len(framesOf(w.Effects)) != 0 {
			t.Errorf("%s: %+v", bad.token, w)
		}
	}
	exp = exp.Add(5 * time.Minute)
	next = jwt(exp)
	w = renew(t, s, s.ask)
	if len(framesOf(w.Effects)) != 1 || string(framesOf(w.Effects)[0].Payload) != `{"RefreshAccessToken":"`+next+`"}` || !framesOf(w.Effects)[0].Secret || framesOf(w.Effects)[0].Opcode != frame.OpText {
		t.Errorf("refresh: %+v", w)
	}
	if diff := cmp.Diff([]string{next}, stepOf(w.Effects).Secrets); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	if !w.Next.Equal(exp.Add(-30 * time.Second)) {
		t.Errorf("next at %s", w.Next)
	}
}

// The clock of the machine is wrong by an hour: tokens are compared with each other, so
// each new one is sent; a source that gives the old one is asked less and less often.
func TestDrogueRenewsWithAWrongClock(t *testing.T) {
	for _, tt := range []struct {
		name string
		skew time.Duration // of our clock
		iat  bool
		asks int // at most, in an hour of tokens that live for five minutes
	}{
		{"ahead", time.Hour, true, 14},
		{"behind", -time.Hour, true, 14},
		{"ahead, without iat", time.Hour, false, 70},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				d := &Drogue{Endpoint: "ws://h", Application: "a", Renewable: true, Token: func(context.Context) (secret.Value, error) {
					asked++
					issued := time.Now().Add(-tt.skew)
					if tt.iat {
						return secret.Value(jwtIssued(issued, issued.Add(5*time.Minute))), nil
					}
					return secret.Value(jwt(issued.Add(5 * time.Minute))), nil
				}}
				hs, err := d.Start().Handshake(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				s := hs.Session.(*drogueSession)
				s.Greet(time.Now())
				start, last, sent := time.Now(), time.Now(), 0
				asked = 0
				for time.Since(start) < time.Hour {
					w, err := s.Due(time.Now())
					if err == nil && w.Do != nil {
						w, err = w.Do(t.Context())(time.Now())
					}
					if err != nil || stepOf(w.Effects).Warning != "" {
						t.Fatalf("after %s: %+v, %v", time.Since(start), w, err)
					}
					if len(framesOf(w.Effects)) > 0 {
						if time.Since(last) >= 5*time.Minute {
							t.Errorf("the old token expired %s ago", time.Since(last)-5*time.Minute)
						}
						last = time.Now()
						sent++
					}
					time.Sleep(time.Until(w.Next))
				}
				if sent < 12 || asked > tt.asks {
					t.Errorf("asked for %d tokens in an hour and sent %d", asked, sent)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		old := secret.Value(jwt(time.Now().Add(-time.Hour)))
		d := &Drogue{Endpoint: "ws://h", Application: "a", Renewable: true, Token: func(context.Context) (secret.Value, error) { asked++; return old, nil }}
		hs, err := d.Start().Handshake(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s := hs.Session.(*drogueSession)
		s.Greet(time.Now())
		for start := time.Now(); time.Since(start) < time.Hour; {
			w, _ := s.Due(time.Now())
			if w.Do != nil {
				w, _ = w.Do(t.Context())(time.Now())
			}
			if len(framesOf(w.Effects)) > 0 || stepOf(w.Effects).Warning != "" && !strings.Contains(stepOf(w.Effects).Warning, "expires no later than the old one, and was not sent") {
				t.Fatalf("%+v", w)
			}
			time.Sleep(time.Until(w.Next))
		}
		if asked > 70 {
			t.Errorf("asked %d times in an hour for a token that does not change", asked)
		}
	})
}

// A refresh would give a connection without expiry one.
func TestDrogueNeverRefreshesWithoutExpiry(t *testing.T) {
	for name, d := range map[string]*Drogue{
		"access token": {Endpoint: "ws://h", Application: "a", User: "u", AccessToken: StaticToken("drg_1"), Renewable: true},
		"anonymous":    {Endpoint: "ws://h", Application: "a"},
		"static token": {Endpoint: "ws://h", Application: "a", Token: StaticToken(secret.Value(jwt(time.Now().Add(time.Minute))))},
		"opaque token": {Endpoint: "ws://h", Application: "a", Token: StaticToken("opaque"), Renewable: true},
	} {
		hs, err := d.Start().Handshake(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		hs.Session.Greet(time.Now())
		w, err := hs.Session.(Keeper).Due(time.Now().Add(time.Hour))
		if err != nil || w.Do != nil || len(framesOf(w.Effects)) != 0 {
			t.Errorf("%s: %+v, %v", name, w, err)
		}
	}
}

func TestExpiry(t *testing.T) {
	if got, ok := expiry(secret.Value(jwt(noon))); !ok || !got.Equal(noon) {
		t.Errorf("expiry: %s, %t", got, ok)
	}
	enc := base64.RawURLEncoding.EncodeToString
	for _, bad := range []string{"", "a.b", "a.b.c", "a." + enc([]byte(`{}`)) + ".c", "a." + enc([]byte(`{"exp":"x"}`)) + ".c", "a." + enc([]byte(`{"exp":1e300}`)) + ".c"} {
		if got, ok := expiry(secret.Value(bad)); ok {
			t.Errorf("expiry of %q: %s", bad, got)
		}
	}
}

func newDoshiiSession() *doshiiSession {
	return &doshiiSession{d: &Doshii{AppVersion: "1.4.0", Heartbeat: 30 * time.Second}}
}

func TestDoshiiDecode(t *testing.T) {
	const ms = 1795435200000 // noon
	tests := []struct {
		name, message string
		want          Step
	}{
		{"event", `{"emit":["order_created",{"id":"1"}]}`, Step{Event: true}},
		{"event without payload", `{"emit":["order_created"]}`, Step{Event: true}},
		{"event with spaces", ` { "emit" : [ "order_created" ] }`, Step{Event: true}},
		{"documented event", `{"type":"order_created","data":{}}`, Step{Event: true}},
		{"webhook event", `{"event":"order_created","data":{}}`, Step{Event: true}},
		{"wrapped event", `{"type":"message","data":{"emit":["x",{}]}}`, Step{Event: true}},
		{"unknown object", `{"new":true}`, Step{Event: true}},
		{"array", `[1]`, Step{Event: true}},
		{"string", `"hello"`, Step{Event: true}},
		{"not JSON", `hello`, Step{Event: true}},
		{"odd types", `{"doshii":7,"emit":{}}`, Step{Event: true}},
		{"pong", fmt.Sprintf(`{"doshii":{"pong":%d,"version":"3.2.0"}}`, ms-12), Step{Ready: true, Heartbeat: true, RTT: 12 * time.Millisecond, Note: "pong after 12ms"}},
		{"pong of the server's clock", `{"doshii":{"pong":1}}`, Step{Ready: true, Heartbeat: true, Note: "pong"}},
		{"pong 0", `{"doshii":{"pong":0}}`, Step{Ready: true, Heartbeat: true, Note: "pong"}},
		{"wrapped pong", `{"type":"message","data":{"doshii":{"pong":0}}}`, Step{Ready: true, Heartbeat: true, Note: "pong"}},
		{"legacy pong", `"primus::pong::1"`, Step{Ready: true, Heartbeat: true, Note: "pong"}},
		{"legacy ping", `"primus::ping::12"`, Step{Note: "ping of the server answered", Send: []Frame{Text([]byte(`"primus::pong::12"`))}}},
		{"legacy close", `"primus::server::close"`, Step{Note: "the server is about to close"}},
		{"ping", `{"doshii":{"ping":1700000000000,"version":"3.2.0"}}`, Step{
			Note: "ping of the server answered",
			Send: []Frame{Text([]byte(`{"doshii":{"pong":1700000000000,"version":"1.4.0"}}`))},
		}},
		{"ping 0", `{"doshii":{"ping":0}}`, Step{
			Note: "ping of the server answered",
			Send: []Frame{Text([]byte(`{"doshii":{"pong":0,"version":"1.4.0"}}`))},
		}},
		{"deeply wrapped", `{"type":"message","data":{"type":"message","data":{"doshii":{"pong":1}}}}`, Step{Event: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newDoshiiSession()
			s.Greet(noon)
			got, err := decode(s, Message{Data: []byte(tt.message), Time: noon})
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.message, diff)
			}
		})
	}
}

func TestDoshiiHeartbeat(t *testing.T) {
	s := newDoshiiSession()
	if diff := cmp.Diff([]string{`{"doshii":{"ping":1795435200000,"version":"1.4.0"}}`}, texts(framesOf(s.Greet(noon)))); diff != "" {
		t.Errorf("first heartbeat (-want +got):\n%s", diff)
	}
	for i := 1; i <= 5; i++ {
		now := noon.Add(time.Duration(i) * 30 * time.Second)
		s.Decode(Message{Data: []byte(`{"doshii":{"pong":0}}`), Time: now.Add(-29 * time.Second)})
		w, err := s.Due(now)
		if err != nil || len(framesOf(w.Effects)) != 1 || !w.Next.Equal(now.Add(30*time.Second)) && i < 5 {
			t.Errorf("heartbeat %d: %d frames, next %s, %v", i, len(framesOf(w.Effects)), w.Next, err)
		}
	}
	last := noon.Add(121 * time.Second) // of the pongs
	if _, err := s.Due(last.Add(60*time.Second - 1)); err != nil {
		t.Errorf("just before two periods: %v", err)
	}
	_, err := s.Due(last.Add(60 * time.Second))
	if err == nil || err.Error() != "connection lost: no pong within two heartbeat periods (1m0s)" {
		t.Errorf("after two periods: %v", err)
	}
}

func TestDoshiiHandshake(t *testing.T) {
	d := &Doshii{Endpoint: "wss://socket.sandbox.doshii.co", Path: wire.DoshiiPathAppV3, DeviceID: "rj7DnGBL", Auth: StaticToken(DoshiiAuth("some23Clients30edID"))}
	hs, err := d.Start().Handshake(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const want = "wss://socket.sandbox.doshii.co/app/socket/v3?auth=c29tZTIzQ2xpZW50czMwZWRJRA%3D%3D&deviceId=rj7DnGBL"
	if hs.URL != want || hs.Address != "wss://socket.sandbox.doshii.co/app/socket/v3" {
		t.Errorf("URL %s\naddress %s", hs.URL, hs.Address)
	}
	if diff := cmp.Diff([]string{"c29tZTIzQ2xpZW50czMwZWRJRA==", "some23Clients30edID"}, hs.Secrets); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
}

func TestDoshiiEncoded(t *testing.T) {
	jwtID := "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhcHAiOiJ4In0.abc"
	for id, want := range map[string]bool{
		"some23Clients30edID":                    false,
		"c29tZTIzQ2xpZW50czMwZWRJRA==":           true,
		jwtID:                                    false,
		"eyJhbGciOiJIUzI1NiJ9":                   false, // the head of a JSON Web Token is JSON
		"":                                       false,
		"abcdabcdabcdabcdabcd":                   false,
		DoshiiAuth(secret.Value(jwtID)).Reveal(): true,
	} {
		if got := DoshiiEncoded(secret.Value(id)); got != want {
			t.Errorf("DoshiiEncoded(%q) = %t", id, got)
		}
	}
}

// What the vendors' documents and public code send is told apart rightly.
func TestVendorMessages(t *testing.T) {
	octave := messages(t, "octave")
	s := newOctaveSession("/my/stream/path")
	s.Greet(noon)
	s.awaited = map[string]string{"my-path-request": "/my/stream/path"}
	seen := 0
	for name, m := range octave {
		if strings.HasPrefix(name, "message") || strings.HasPrefix(name, "push") {
			seen++
			if step, err := decode(s, Message{Data: m}); err != nil || !step.Event {
				t.Errorf("octave %s: %+v, %v", name, step, err)
			}
		}
		if strings.HasPrefix(name, "ack") && strings.Contains(string(m), "my-path-request") {
			seen++
			if step, err := decode(s, Message{Data: m}); err != nil || !step.Ready {
				t.Errorf("octave %s: %+v, %v", name, step, err)
			}
		}
	}
	if seen < 2 {
		t.Errorf("octave: only %d messages were tried", seen)
	}
	seen = 0
	for name, m := range messages(t, "doshii") {
		step, err := decode(newDoshiiSession(), Message{Data: m, Time: noon})
		switch {
		case strings.Contains(name, "health-check"):
			seen++
			if err != nil || step.Event || len(step.Send) != 1 || !strings.Contains(string(step.Send[0].Payload), `"pong"`) {
				t.Errorf("doshii %s: %+v, %v", name, step, err)
			}
		case strings.Contains(string(m), `"emit"`) || strings.HasPrefix(name, "documented-") && !strings.Contains(name, "pong"):
			seen++
			if err != nil || !step.Event {
				t.Errorf("doshii %s: %+v, %v", name, step, err)
			}
		case strings.Contains(name, "pong"):
			seen++
			if err != nil || !step.Ready || step.Event {
				t.Errorf("doshii %s: %+v, %v", name, step, err)
			}
		}
	}
	if seen < 20 {
		t.Errorf("doshii: only %d messages were tried", seen)
	}
}

func FuzzDecode(f *testing.F) {
	for _, service := range []string{"octave", "drogue", "doshii"} {
		for _, m := range messages(f, service) {
			f.Add(m, false)
		}
	}
	f.Add([]byte(`{"head":null,"type":null}`), true)
	f.Fuzz(func(t *testing.T, data []byte, binary bool) {
		before := string(data)
		octave := newOctaveSession("/a")
		sessions := []Session{octave, &drogueSession{d: &Drogue{}}, newDoshiiSession(), plainSession{}}
		for _, s := range sessions {
			s.Greet(noon)
			step, err := decode(s, Message{Data: data, Binary: binary, Time: noon})
			if step.Event && (err != nil || len(step.Send) > 0) {
				t.Errorf("%T: an event with an error or an answer: %+v, %v", s, step, err)
			}
			for _, r := range step.Send {
				if !r.Opcode.Control() && len(r.Payload) > len(data)+100 {
					t.Errorf("%T: an answer of %d bytes to a message of %d", s, len(r.Payload), len(data))
				}
			}
			if string(data) != before {
				t.Fatalf("%T changed the message", s)
			}
		}
	})
}

// What nobody can do anything about must not stop a stream: only what has been
// asked for and refused is an error of Decode.
func TestDecodeErrorsAreRefusals(t *testing.T) {
	for _, text := range []string{"", "null", "{}", "[", `{"head":1}`, `{"head":{"ok":"yes"}}`, "\xff"} {
		for _, s := range []Session{newOctaveSession("/a", "/b"), newDoshiiSession()} {
			s.Greet(noon)
			if _, err := decode(s, Message{Data: []byte(text), Time: noon}); err != nil {
				t.Errorf("%T: %q: %v", s, text, err)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0,
		noon.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		noon.Add(-time.Second).Format(http.TimeFormat):     0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, noon); got != want {
			t.Errorf("Retry-After %q: %s, want %s", value, got, want)
		}
	}
}
