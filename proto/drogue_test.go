package proto

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto/frame"
)

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
	if got, _, ok := claims(secret.Value(jwt(noon))); !ok || !got.Equal(noon) {
		t.Errorf("expiry: %s, %t", got, ok)
	}
	enc := base64.RawURLEncoding.EncodeToString
	for _, bad := range []string{"", "a.b", "a.b.c", "a." + enc([]byte(`{}`)) + ".c", "a." + enc([]byte(`{"exp":"x"}`)) + ".c", "a." + enc([]byte(`{"exp":1e300}`)) + ".c"} {
		if got, _, ok := claims(secret.Value(bad)); ok {
			t.Errorf("expiry of %q: %s", bad, got)
		}
	}
}

func FuzzDrogueSessionDecode(f *testing.F) {
	fuzzDecode(f, "drogue", func() Session { return &drogueSession{d: &Drogue{}} })
}

func TestDrogueCommands(t *testing.T) {
	now := time.Now()
	d := &drogueSession{d: &Drogue{}, limited: true, ask: now.Add(time.Hour)}
	if _, _, err := d.Command("refresh", nil, now); err == nil {
		t.Error("a token that cannot be renewed was renewed")
	}
	d.d = &Drogue{Renewable: true}
	if _, _, err := d.Command("refresh", nil, now); err != nil || !d.ask.Equal(now) {
		t.Errorf("refresh: %v, due %s", err, d.ask)
	}
}
