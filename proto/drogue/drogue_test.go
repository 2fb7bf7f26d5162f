package drogue

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
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/prototest"
)

func TestHandshake(t *testing.T) {
	tok := prototest.StaticToken(secret.Value(prototest.JWT(prototest.Noon)))
	tests := []struct {
		name    string
		d       Service
		url     string
		address string
		auth    string
	}{
		{"anonymous", Service{Endpoint: "wss://host", Application: "app"}, "wss://host/app", "wss://host/app", ""},
		{"bearer", Service{Endpoint: "https://host/base/", Application: "app", Token: tok}, "wss://host/base/app", "wss://host/base/app", "Bearer " + prototest.JWT(prototest.Noon)},
		{"escaping", Service{Endpoint: "ws://host", Application: "a b", Channel: "x/y?z#%", Group: "g&h i"},
			"ws://host/a%20b/x%2Fy%3Fz%23%25?group_id=g%26h+i", "ws://host/a%20b/x%2Fy%3Fz%23%25?group_id=g%26h+i", ""},
		{"basic", Service{Endpoint: "ws://host", Application: "app", User: "alice", AccessToken: prototest.StaticToken("drg_1")},
			"ws://host/app", "ws://host/app", "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:drg_1"))},
		{"token in query", Service{Endpoint: "ws://host", Application: "app", Group: "g", Token: tok, AuthInQuery: true},
			"ws://host/app?group_id=g&token=" + prototest.JWT(prototest.Noon), "ws://host/app?group_id=g", ""},
		{"access token in query", Service{Endpoint: "ws://host", Application: "app", User: "al ice", AccessToken: prototest.StaticToken("drg+1"), AuthInQuery: true},
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

func TestJudge(t *testing.T) {
	static, renewable := &Service{}, &Service{Renewable: true}
	for _, tt := range []struct {
		d    *Service
		err  error
		want proto.Verdict
	}{
		{static, &proto.HandshakeError{Stage: netdial.StageUpgrade, Status: 403}, proto.Verdict{Class: proto.Credentials}},
		{renewable, &proto.HandshakeError{Stage: netdial.StageUpgrade, Status: 403}, proto.Verdict{Class: proto.Credentials, RetryNow: true}},
		{static, &proto.HandshakeError{Stage: netdial.StageUpgrade, Status: 404}, proto.Verdict{Class: proto.Refused}},
		{static, &proto.HandshakeError{Stage: netdial.StageUpgrade, Status: 400}, proto.Verdict{Class: proto.Unreachable}},
		{static, &proto.HandshakeError{Stage: netdial.StageUpgrade, Status: 500}, proto.Verdict{Class: proto.Transient}},
		{static, &proto.CloseError{Code: 1008, Reason: "JWT token expired"}, proto.Verdict{Class: proto.Credentials}},
		{renewable, &proto.CloseError{Code: 1008, Reason: "JWT token expired"}, proto.Verdict{Class: proto.Transient, RetryNow: true}},
		{renewable, &proto.CloseError{Code: 1008, Reason: "Failed to refresh token"}, proto.Verdict{Class: proto.Refused}},
		{static, &proto.CloseError{Code: 1011, Reason: "Failed to refresh token: Authentication failed"}, proto.Verdict{Class: proto.Credentials}},
		{renewable, &proto.CloseError{Code: 1011, Reason: "Failed to refresh token: Authentication failed"}, proto.Verdict{Class: proto.Transient, RetryNow: true}},
		{renewable, &proto.CloseError{Code: 1011, Reason: "Failed to refresh token: Token authentication is not enabled"}, proto.Verdict{Class: proto.Transient}},
		{static, &proto.CloseError{Code: 1011, Reason: "Internal error: Stream error"}, proto.Verdict{Class: proto.Transient}},
		{static, &proto.CloseError{Code: 1002, Reason: "expected value at line 1 column 1"}, proto.Verdict{Class: proto.Refused}},
		{static, &proto.CloseError{Code: 1000, Reason: ""}, proto.Verdict{Class: proto.Transient}},
	} {
		if got := prototest.VerdictOf(tt.d, tt.err); got != tt.want {
			t.Errorf("%v (renewable %t): %+v, want %+v", tt.err, tt.d.Renewable, got, tt.want)
		}
	}
}

// renew runs the work that is due and returns its effects.
func renew(t *testing.T, s *session, now time.Time) proto.Work {
	t.Helper()
	w, err := s.Tick(now)
	if err != nil || w.Do == nil {
		t.Fatalf("nothing to do at %s: %v", now, err)
	}
	w, err = w.Do(t.Context())(now)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestRenewsItsToken(t *testing.T) {
	exp := prototest.Noon.Add(5 * time.Minute)
	var next string
	var fail error
	d := &Service{Renewable: true, Token: func(context.Context) (secret.Value, error) { return secret.Value(next), fail }}
	s := &session{d: d, limited: true, claimed: exp, expires: exp, obtained: prototest.Noon}
	s.OnOpen(prototest.Noon)
	if w, _ := s.Tick(prototest.Noon); w.Do != nil || !w.Next.Equal(exp.Add(-30*time.Second)) {
		t.Errorf("asks for a token at once, or next at %s", w.Next)
	}
	at := exp.Add(-30 * time.Second)

	fail = errors.New("no network")
	w := renew(t, s, at)
	if prototest.StepOf(w.Effects).Warning != "no new token: no network; the old one expires in 30s" || len(prototest.Frames(w.Effects)) != 0 || !w.Next.Equal(at.Add(10*time.Second)) {
		t.Errorf("after a failure: %+v", w)
	}
	fail = nil
	for _, bad := range []struct{ token, warning string }{
		{prototest.JWT(exp), "the new token expires no later than the old one, and was not sent; the old one expires in 20s"},
		{"drg_1", "the new token is not a JSON Web Token with an expiry, and was not sent; the old one expires in 20s"},
	} {
		next = bad.token
		s.ask = at.Add(10 * time.Second)
		if w := renew(t, s, s.ask); prototest.StepOf(w.Effects).Warning != bad.warning || len(prototest.Frames(w.Effects)) != 0 {
			t.Errorf("%s: %+v", bad.token, w)
		}
	}
	exp = exp.Add(5 * time.Minute)
	next = prototest.JWT(exp)
	w = renew(t, s, s.ask)
	if len(prototest.Frames(w.Effects)) != 1 || string(prototest.Frames(w.Effects)[0].Payload) != `{"RefreshAccessToken":"`+next+`"}` || !prototest.Frames(w.Effects)[0].Secret || prototest.Frames(w.Effects)[0].Opcode != frame.OpText {
		t.Errorf("refresh: %+v", w)
	}
	if diff := cmp.Diff([]string{next}, prototest.StepOf(w.Effects).Secrets); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	if !w.Next.Equal(exp.Add(-30 * time.Second)) {
		t.Errorf("next at %s", w.Next)
	}
}

// The clock of the machine is wrong by an hour: tokens are compared with each other, so
// each new one is sent; a source that returns the old one is called at growing
// intervals.
func TestRenewsWithAWrongClock(t *testing.T) {
	for _, tt := range []struct {
		name string
		skew time.Duration // of the local clock
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
				d := &Service{Endpoint: "ws://h", Application: "a", Renewable: true, Token: func(context.Context) (secret.Value, error) {
					asked++
					issued := time.Now().Add(-tt.skew)
					if tt.iat {
						return secret.Value(prototest.JWTIssued(issued, issued.Add(5*time.Minute))), nil
					}
					return secret.Value(prototest.JWT(issued.Add(5 * time.Minute))), nil
				}}
				hs, err := d.Start().Handshake(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				s := hs.Session.(*session)
				s.OnOpen(time.Now())
				start, last, sent := time.Now(), time.Now(), 0
				asked = 0
				for time.Since(start) < time.Hour {
					w, err := s.Tick(time.Now())
					if err == nil && w.Do != nil {
						w, err = w.Do(t.Context())(time.Now())
					}
					if err != nil || prototest.StepOf(w.Effects).Warning != "" {
						t.Fatalf("after %s: %+v, %v", time.Since(start), w, err)
					}
					if len(prototest.Frames(w.Effects)) > 0 {
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
		old := secret.Value(prototest.JWT(time.Now().Add(-time.Hour)))
		d := &Service{Endpoint: "ws://h", Application: "a", Renewable: true, Token: func(context.Context) (secret.Value, error) { asked++; return old, nil }}
		hs, err := d.Start().Handshake(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s := hs.Session.(*session)
		s.OnOpen(time.Now())
		for start := time.Now(); time.Since(start) < time.Hour; {
			w, _ := s.Tick(time.Now())
			if w.Do != nil {
				w, _ = w.Do(t.Context())(time.Now())
			}
			if len(prototest.Frames(w.Effects)) > 0 || prototest.StepOf(w.Effects).Warning != "" && !strings.Contains(prototest.StepOf(w.Effects).Warning, "expires no later than the old one, and was not sent") {
				t.Fatalf("%+v", w)
			}
			time.Sleep(time.Until(w.Next))
		}
		if asked > 70 {
			t.Errorf("asked %d times in an hour for a token that does not change", asked)
		}
	})
}

// A refresh would make a connection expire that does not otherwise.
func TestNeverRefreshesWithoutExpiry(t *testing.T) {
	for name, d := range map[string]*Service{
		"access token": {Endpoint: "ws://h", Application: "a", User: "u", AccessToken: prototest.StaticToken("drg_1"), Renewable: true},
		"anonymous":    {Endpoint: "ws://h", Application: "a"},
		"static token": {Endpoint: "ws://h", Application: "a", Token: prototest.StaticToken(secret.Value(prototest.JWT(time.Now().Add(time.Minute))))},
		"opaque token": {Endpoint: "ws://h", Application: "a", Token: prototest.StaticToken("opaque"), Renewable: true},
	} {
		hs, err := d.Start().Handshake(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		hs.Session.OnOpen(time.Now())
		w, err := hs.Session.(proto.Scheduler).Tick(time.Now().Add(time.Hour))
		if err != nil || w.Do != nil || len(prototest.Frames(w.Effects)) != 0 {
			t.Errorf("%s: %+v, %v", name, w, err)
		}
	}
}

func TestExpiry(t *testing.T) {
	if got, _, ok := claims(secret.Value(prototest.JWT(prototest.Noon))); !ok || !got.Equal(prototest.Noon) {
		t.Errorf("expiry: %s, %t", got, ok)
	}
	enc := base64.RawURLEncoding.EncodeToString
	for _, bad := range []string{"", "a.b", "a.b.c", "a." + enc([]byte(`{}`)) + ".c", "a." + enc([]byte(`{"exp":"x"}`)) + ".c", "a." + enc([]byte(`{"exp":1e300}`)) + ".c"} {
		if got, _, ok := claims(secret.Value(bad)); ok {
			t.Errorf("expiry of %q: %s", bad, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	prototest.FuzzDecode(f, "drogue", func() proto.Session { return &session{d: &Service{}} })
}

func TestCommands(t *testing.T) {
	now := time.Now()
	d := &session{d: &Service{}, limited: true, ask: now.Add(time.Hour)}
	if _, _, err := d.Command("refresh", nil, now); err == nil {
		t.Error("a token that cannot be renewed was renewed")
	}
	d.d = &Service{Renewable: true}
	if _, _, err := d.Command("refresh", nil, now); err != nil || !d.ask.Equal(now) {
		t.Errorf("refresh: %v, due %s", err, d.ask)
	}
}
