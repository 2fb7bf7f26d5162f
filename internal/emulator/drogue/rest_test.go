package drogue

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/emulatortest"
	"github.com/hark-cli/hark/proto/drogue/wire"
	"github.com/hark-cli/hark/proto/frame"
)

// Drogue checklist 10: the discovery document and the version.
func TestDrogueDiscovery(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		status, body := b.Do("GET", "/drogue-api"+wire.PathEndpoints, "")
		e := emulatortest.Unmarshal[wire.Endpoints](t, body)
		if status != 200 || e.WebSocket == nil || e.WebSocket.URL != "ws://hark-emulator.invalid/drogue" ||
			e.API != emulator.Base+"/drogue-api" || e.IssuerURL != emulator.Base+"/drogue-sso/realms/drogue" || e.HTTP.URL != emulator.Base+"/drogue-http" {
			t.Errorf("%d %s", status, body)
		}
		if status, body := b.Do("GET", "/drogue-api"+wire.PathVersion, ""); status != 200 || string(body) != `{"version":"0.11.0"}` {
			t.Errorf("%d %s", status, body)
		}
		if status, _ := b.Do("GET", "/drogue-api/nothing", ""); status != 404 {
			t.Errorf("unknown path: %d", status)
		}
	})
	opts := quiet()
	opts.Drogue.NoDiscovery = true
	inBubble(t, opts, func(b *bench) {
		if _, body := b.Do("GET", "/drogue-api"+wire.PathEndpoints, ""); strings.Contains(string(body), "websocket_integration") {
			t.Errorf("an old installation says %s", body)
		}
		if _, body := b.Do("GET", "/drogue-api"+wire.PathInfo, "", basic(User, AccessToken)); !strings.Contains(string(body), "websocket_integration") {
			t.Errorf("info says %s", body)
		}
		if status, _ := b.Do("GET", "/drogue-api"+wire.PathInfo, "", basic(User, "x")); status != 403 {
			t.Errorf("info with bad credentials: %d", status)
		}
	})
}

// Drogue checklist 10: who am I, and access tokens with valid checksums.
func TestDrogueAccessTokens(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		bearer := "Authorization: Bearer " + b.token(User, time.Hour)
		status, body := b.Do("GET", "/drogue-api"+wire.PathWhoami, "", bearer)
		if id := emulatortest.Unmarshal[struct{ ID string }](t, body).ID; status != 200 || id != userID(User) {
			t.Errorf("whoami: %d %s", status, body)
		}
		if status, _ := b.Do("GET", "/drogue-api"+wire.PathWhoami, ""); status != 403 {
			t.Errorf("nobody: %d", status)
		}
		status, body = b.Do("GET", "/drogue-api"+wire.PathApps, "", bearer)
		apps := emulatortest.Unmarshal[[]struct{ Metadata struct{ Name string } }](t, body)
		if status != 200 || len(apps) != 1 || apps[0].Metadata.Name != DemoApplication {
			t.Errorf("applications: %d %s", status, body)
		}
		if status, _ := b.Do("GET", "/drogue-api"+wire.PathApps, ""); status != 403 {
			t.Errorf("applications for nobody: %d", status)
		}
		tokens := "/drogue-api" + wire.PathTokens
		status, body = b.Do("POST", tokens+"?description=ci+job", "", bearer)
		made := emulatortest.Unmarshal[struct{ Prefix, Token string }](t, body)
		if status != 200 || !wire.AccessTokenValid(made.Token) || made.Prefix != made.Token[:10] {
			t.Fatalf("%d %s", status, body)
		}
		b.Dial("/drogue/demo-app", basic(User, made.Token))
		_, body = b.Do("GET", tokens, "", basic(User, made.Token))
		if !regexp.MustCompile(`\{"prefix":"`+made.Prefix+`","created":"[^"]+Z","description":"ci job"\}`).Match(body) ||
			strings.Contains(string(body), made.Token) {
			t.Errorf("listed %s", body)
		}
		for range 2 {
			if status, _ := b.Do("DELETE", tokens+"/"+made.Prefix, "", bearer); status != 204 {
				t.Errorf("deleting: %d", status)
			}
		}
		if _, res := b.Upgrade("/drogue/demo-app", basic(User, made.Token)); res.StatusCode != 403 {
			t.Errorf("with a deleted token: %s", res.Status)
		}
		if status, _ := b.Do("PUT", tokens, "", bearer); status != 405 {
			t.Errorf("PUT: %d", status)
		}
		_, body = b.Do("GET", tokens, "", "Authorization: Bearer "+b.token("other", time.Hour))
		if string(body) != "[]" {
			t.Errorf("another user's tokens: %s", body)
		}
	})
}

// The endpoint for devices: all forms of credentials, and the payload of the event.
func TestDroguePublish(t *testing.T) {
	device := basic("dev-1@demo-app", DevicePassword)
	inBubble(t, quiet(), func(b *bench) {
		c := b.Dial("/drogue/demo-app", basic(User, AccessToken))
		for _, test := range []struct {
			name, path, body string
			headers          []string
			status           int
			want             []string
		}{
			{"plain", "/v1/temp", `{"t": 1}`, []string{device, "Content-Type: application/json"}, 202, []string{`"subject":"temp"`, `"data":{"t":1}`, `"device":"dev-1"`}},
			{"application as parameter", "/v1/temp?application=demo-app", `1`, []string{basic("dev-2", DevicePassword)}, 202, []string{`"sender":"dev-2"`, `"data":1`}},
			{"device as parameter", "/v1/temp?device=dev-3", `1`, []string{basic("user@demo-app", DevicePassword)}, 202, []string{`"device":"dev-3"`}},
			{"both", "/v1/temp?application=demo-app&device=dev-4", `1`, []string{basic("user", DevicePassword)}, 202, []string{`"device":"dev-4"`}},
			{"as another device", "/v1/temp?as=dev-5", `1`, []string{device}, 202, []string{`"device":"dev-5"`, `"sender":"dev-1"`}},
			{"suffix", "/v1/temp/a/b?data_schema=urn%3Ax", ``, []string{device, "Content-Type: application/octet-stream"}, 202, []string{`"subject":"temp"`, `"data_base64":""`, `"dataschema":"urn:x"`}},
			{"escaped channel", "/v1/a%2Fb", `x`, []string{device}, 202, []string{`"subject":"a/b"`}},
			{"not the JSON that it claims to be", "/v1/temp", `{`, []string{device, "Content-Type: application/json"}, 406, nil},
			{"wrong password", "/v1/temp", `1`, []string{basic("dev-1@demo-app", "x")}, 403, nil},
			{"no application", "/v1/temp", `1`, []string{basic("dev-1", DevicePassword)}, 403, nil},
			{"private application", "/v1/temp", `1`, []string{basic("dev-1@private-app", DevicePassword)}, 403, nil},
			{"no credentials", "/v1/temp", `1`, []string{"X-None: 1"}, 403, nil},
			{"too large", "/v1/temp", strings.Repeat("x", maxPayload+1), []string{device}, 413, nil},
			{"no channel", "/v1/", `1`, []string{device}, 404, nil},
		} {
			status, body := b.Do("POST", "/drogue-http"+test.path, test.body, test.headers...)
			if status != test.status || status == 202 && len(body) > 0 {
				t.Errorf("%s: %d %s", test.name, status, body)
				continue
			}
			if test.want == nil {
				continue
			}
			got := c.Text()
			for _, part := range test.want {
				if !strings.Contains(got, part) {
					t.Errorf("%s: %s lacks %s", test.name, got, part)
				}
			}
		}
		if status, _ := b.Do("GET", "/drogue-http/v1/temp", ""); status != 405 {
			t.Errorf("GET: %d", status)
		}
		c.WantQuiet(time.Second)
	})
}

const oidc = realmPath + "/protocol/openid-connect"

// form posts a form and decodes the response.
func (b *bench) form(path string, values ...string) (int, map[string]any) {
	b.T.Helper()
	form := url.Values{}
	for i := 0; i < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	status, body := b.Do("POST", path, form.Encode(), "Content-Type: application/x-www-form-urlencoded")
	return status, emulatortest.Unmarshal[map[string]any](b.T, body)
}

// login performs the authorization code grant and returns the response of the token
// endpoint.
func (b *bench) login(scope string) map[string]any {
	b.T.Helper()
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	redirect := "http://localhost:4711/"
	q := url.Values{
		"client_id": {"drogue"}, "response_type": {"code"}, "redirect_uri": {redirect}, "state": {"s t"}, "scope": {scope}, "nonce": {"n1"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	res := b.Request("GET", oidc+"/auth?"+q.Encode(), "")
	res.Body.Close()
	to, err := res.Location()
	if err != nil || res.StatusCode != 302 || to.Host != "localhost:4711" || to.Query().Get("state") != "s t" {
		b.T.Fatalf("authorization: %s to %v, %v", res.Status, to, err)
	}
	code := to.Query().Get("code")
	if status, answer := b.form(oidc+"/token", "grant_type", "authorization_code", "client_id", "drogue", "code", code,
		"redirect_uri", redirect, "code_verifier", "wrong"); status != 400 || answer["error"] != "invalid_grant" {
		b.T.Errorf("wrong verifier: %d %v", status, answer)
	}
	if status, _ := b.form(oidc+"/token", "grant_type", "authorization_code", "client_id", "drogue", "code", code,
		"redirect_uri", redirect, "code_verifier", verifier); status != 400 {
		b.T.Errorf("a code was taken twice")
	}
	res = b.Request("GET", oidc+"/auth?"+q.Encode(), "")
	res.Body.Close()
	if to, err = res.Location(); err != nil {
		b.T.Fatal(err)
	}
	status, answer := b.form(oidc+"/token", "grant_type", "authorization_code", "client_id", "drogue", "code", to.Query().Get("code"),
		"redirect_uri", redirect, "code_verifier", verifier)
	if status != 200 {
		b.T.Fatalf("token: %d %v", status, answer)
	}
	return answer
}

// Drogue checklist 10: the issuer, whose tokens the sockets accept.
func TestDrogueIssuer(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		_, body := b.Do("GET", realmPath+"/.well-known/openid-configuration", "")
		c := emulatortest.Unmarshal[map[string]any](t, body)
		if c["issuer"] != emulator.Base+realmPath || c["token_endpoint"] != emulator.Base+oidc+"/token" || c["jwks_uri"] != emulator.Base+oidc+"/certs" ||
			c["authorization_endpoint"] != emulator.Base+oidc+"/auth" || c["device_authorization_endpoint"] != nil {
			t.Errorf("%s", body)
		}
		answer := b.login("openid offline_access")
		if answer["token_type"] != "Bearer" || answer["expires_in"] != 300.0 {
			t.Errorf("%v", answer)
		}
		client := b.Dial("/drogue/demo-app", "Authorization: Bearer "+answer["access_token"].(string))
		// The claims can be verified with the key set alone.
		_, body = b.Do("GET", oidc+"/certs", "")
		key := emulatortest.Unmarshal[struct {
			Keys []struct{ Kid, N, E, Alg string }
		}](t, body).Keys[0]
		n, err := base64.RawURLEncoding.DecodeString(key.N)
		if err != nil || new(big.Int).SetBytes(n).Cmp(b.drogue.issuer.key.N) != 0 || key.E != "AQAB" || key.Alg != "RS256" {
			t.Errorf("%s, %v", body, err)
		}
		var id claims
		if err := b.drogue.issuer.verify(answer["id_token"].(string), &id); err != nil || id.Nonce != "n1" || id.Type != "ID" || id.Issuer != c["issuer"] {
			t.Errorf("id token %+v, %v", id, err)
		}
		if _, body := b.Do("GET", oidc+"/userinfo", "", "Authorization: Bearer "+answer["access_token"].(string)); !strings.Contains(string(body), `"preferred_username":"demo"`) {
			t.Errorf("userinfo: %s", body)
		}
		// Three expiries, each with a token from the refresh grant.
		for range 3 {
			client.WantQuiet(4 * time.Minute)
			status, next := b.form(oidc+"/token", "grant_type", "refresh_token", "client_id", "drogue", "refresh_token", answer["refresh_token"].(string))
			if status != 200 || next["refresh_token"] == answer["refresh_token"] || next["access_token"] == answer["access_token"] {
				t.Fatalf("refresh: %d %v", status, next)
			}
			if status, _ := b.form(oidc+"/token", "grant_type", "refresh_token", "client_id", "drogue", "refresh_token", answer["refresh_token"].(string)); status != 400 {
				t.Error("a refresh token was taken twice")
			}
			answer = next
			client.Send(frame.OpText, refreshMessage(answer["access_token"].(string)))
		}
		client.WantClose(1008, "JWT token expired")
		if status, _ := b.Do("POST", oidc+"/logout", "refresh_token="+answer["refresh_token"].(string), "Content-Type: application/x-www-form-urlencoded"); status != 204 {
			t.Errorf("logout: %d", status)
		}
		if status, _ := b.form(oidc+"/token", "grant_type", "refresh_token", "client_id", "drogue", "refresh_token", answer["refresh_token"].(string)); status != 400 {
			t.Error("a refresh token was taken after the logout")
		}
	})
	opts := quiet()
	opts.Drogue.KeepRefreshTokens = true
	opts.Drogue.IssuedLifetime = time.Minute
	inBubble(t, opts, func(b *bench) {
		answer := b.login("offline_access")
		if answer["id_token"] != nil || answer["expires_in"] != 60.0 {
			t.Errorf("%v", answer)
		}
		for range 2 {
			if status, _ := b.form(oidc+"/token", "grant_type", "refresh_token", "client_id", "drogue", "refresh_token", answer["refresh_token"].(string)); status != 200 {
				t.Errorf("refresh: %d", status)
			}
		}
	})
}

func TestDrogueIssuerRefusals(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		for _, test := range []struct{ query, redirect, error string }{
			{"client_id=drogue&response_type=code&redirect_uri=http://127.0.0.1:1/", "", ""},
			{"client_id=drogue&response_type=code&redirect_uri=https://localhost/", "", ""},
			{"client_id=other&response_type=code&redirect_uri=http://localhost:1/", "", ""},
			{"client_id=drogue&response_type=token&redirect_uri=http://localhost:1/x", "localhost:1", "unsupported_response_type"},
			{"client_id=drogue&response_type=code&redirect_uri=http://localhost:1/&code_challenge=x&code_challenge_method=plain", "localhost:1", "invalid_request"},
		} {
			res := b.Request("GET", oidc+"/auth?"+test.query, "")
			res.Body.Close()
			to, _ := res.Location()
			if test.redirect == "" {
				if res.StatusCode != 400 {
					t.Errorf("%s: %s", test.query, res.Status)
				}
			} else if to == nil || to.Host != test.redirect || to.Query().Get("error") != test.error {
				t.Errorf("%s: %s to %v", test.query, res.Status, to)
			}
		}
		for _, test := range []struct {
			form   []string
			status int
			error  string
		}{
			{[]string{"grant_type", "password", "client_id", "drogue"}, 400, "unsupported_grant_type"},
			{[]string{"grant_type", "refresh_token", "client_id", "other"}, 401, "invalid_client"},
			{[]string{"grant_type", "refresh_token", "client_id", "drogue", "refresh_token", "x"}, 400, "invalid_grant"},
			{[]string{"grant_type", "client_credentials", "client_id", "drogue"}, 400, "unauthorized_client"},
			{[]string{"grant_type", "client_credentials", "client_id", "services", "client_secret", "x"}, 401, "invalid_client"},
			{[]string{"grant_type", deviceGrantType, "client_id", "drogue", "device_code", "x"}, 400, "unauthorized_client"},
		} {
			if status, answer := b.form(oidc+"/token", test.form...); status != test.status || answer["error"] != test.error {
				t.Errorf("%v: %d %v", test.form, status, answer)
			}
		}
		status, answer := b.form(oidc+"/token", "grant_type", "client_credentials", "client_id", "services", "client_secret", ServiceSecret)
		if status != 200 || answer["refresh_token"] != nil {
			t.Fatalf("client credentials: %d %v", status, answer)
		}
		b.Dial("/drogue/private-app", "Authorization: Bearer "+answer["access_token"].(string))
		if status, answer := b.form(oidc+"/auth/device", "client_id", "drogue"); status != 400 || answer["error"] != "unauthorized_client" {
			t.Errorf("device flow: %d %v", status, answer)
		}
	})
}

// The device authorization grant, if enabled.
func TestDrogueDeviceFlow(t *testing.T) {
	opts := quiet()
	opts.Drogue.DeviceFlow = true
	inBubble(t, opts, func(b *bench) {
		_, body := b.Do("GET", realmPath+"/.well-known/openid-configuration", "")
		if !strings.Contains(string(body), `"device_authorization_endpoint":"`+emulator.Base+oidc+`/auth/device"`) {
			t.Errorf("%s", body)
		}
		status, start := b.form(oidc+"/auth/device", "client_id", "drogue", "scope", "offline_access")
		if status != 200 || start["interval"] != 5.0 {
			t.Fatalf("%d %v", status, start)
		}
		poll := func() (int, any) {
			status, answer := b.form(oidc+"/token", "grant_type", deviceGrantType, "client_id", "drogue", "device_code", start["device_code"].(string))
			return status, answer["error"]
		}
		var errs []any
		for _, wait := range []time.Duration{0, time.Second, 11 * time.Second} {
			time.Sleep(wait)
			_, err := poll()
			errs = append(errs, err)
		}
		if want := []any{"authorization_pending", "slow_down", "authorization_pending"}; !slices.Equal(errs, want) {
			t.Errorf("polling: %v", errs)
		}
		page := strings.TrimPrefix(start["verification_uri_complete"].(string), emulator.Base)
		if status, _ := b.Do("GET", page+"x", ""); status != 400 {
			t.Errorf("a wrong code: %d", status)
		}
		if status, _ := b.Do("GET", page, ""); status != 200 {
			t.Errorf("the page: %d", status)
		}
		if status, err := poll(); status != 200 {
			t.Errorf("after the consent: %v", err)
		}
		if _, err := poll(); err != "invalid_grant" {
			t.Errorf("a second time: %v", err)
		}
		_, start = b.form(oidc+"/auth/device", "client_id", "drogue")
		time.Sleep(11 * time.Minute)
		if _, err := poll(); err != "expired_token" {
			t.Errorf("late: %v", err)
		}
	})
}

// Another issuer can replace the emulator's own.
func TestDrogueOtherIssuer(t *testing.T) {
	opts := quiet()
	opts.Drogue.Issuer = &Issuer{URL: "https://sso.example.com", Verify: func(token string) (string, time.Time, error) {
		if user, ok := strings.CutPrefix(token, "opaque-"); ok {
			return user, time.Now().Add(time.Minute), nil
		}
		return "", time.Time{}, errors.New("unknown token")
	}}
	inBubble(t, opts, func(b *bench) {
		if _, body := b.Do("GET", "/drogue-api"+wire.PathEndpoints, ""); emulatortest.Unmarshal[wire.Endpoints](t, body).IssuerURL != "https://sso.example.com" {
			t.Errorf("%s", body)
		}
		for token, want := range map[string]int{"opaque-demo": 101, "opaque-other": 404, b.token(User, time.Hour): 403} {
			if _, res := b.Upgrade("/drogue/demo-app", "Authorization: Bearer "+token); res.StatusCode != want {
				t.Errorf("%.20s: %s", token, res.Status)
			}
		}
		b.Dial("/drogue/demo-app?token=opaque-demo").WantClose(1008, "JWT token expired")
	})
}

// Invalid tokens are refused without a panic.
func FuzzVerify(f *testing.F) {
	i, err := newIssuer()
	if err != nil {
		f.Fatal(err)
	}
	good, err := i.sign(claims{Subject: "x"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		var c claims
		if i.verify(token, &c) == nil && c.Subject != "x" {
			t.Errorf("%q was taken", token)
		}
	})
}

func TestAudience(t *testing.T) {
	for text, want := range map[string]audience{`"a"`: {"a"}, `["a","b"]`: {"a", "b"}, `[]`: {}} {
		var a audience
		if err := json.Unmarshal([]byte(text), &a); err != nil || !slices.Equal(a, want) {
			t.Errorf("%s: %v, %v", text, a, err)
		}
	}
}
