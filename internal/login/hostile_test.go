package login

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
)

// A roundTrip answers requests without a network.
type roundTrip func(*http.Request) (status int, body string)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := f(r)
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

// The address of the login page is passed to a browser, which can do more than open
// pages, so only http and https with a host are accepted.
func TestEndpointsAreAddresses(t *testing.T) {
	for _, address := range []string{
		"file:///etc/passwd", "javascript:alert(1)", "--load-extension=/x", "-remote", "vscode://evil", "ftp://x/",
		"data:text/html,<script>", " http://x/", "http://x\n--flag", "http:x", "http:///path", "http://", "https://:443/",
		"http://user:password@x/", "$(touch pwned)", "http://ev\x1b]52;c;AA\x07il/", "http://ev\u202eil/", "http://a b/", "HTTP", "",
	} {
		if got, err := webAddress(address); err == nil {
			t.Errorf("%q was taken as %q", address, got)
		}
	}
	for address, want := range map[string]string{
		"https://sso.example.com/auth?x=1": "https://sso.example.com/auth?x=1",
		"HTTP://LOCALHOST:8080/a":          "http://LOCALHOST:8080/a",
		"http://[::1]:8080/`touch pwned`":  "http://[::1]:8080/%60touch%20pwned%60",
		"https://bücher.example/":          "https://b%C3%BCcher.example/",
	} {
		if got, err := webAddress(address); err != nil || got != want {
			t.Errorf("%q: %q, %v", address, got, err)
		}
	}
	for _, name := range []string{"authorization_endpoint", "token_endpoint", "device_authorization_endpoint", "revocation_endpoint"} {
		members := map[string]string{"authorization_endpoint": "http://x/a", "token_endpoint": "http://x/t"}
		members[name] = "javascript:alert(1)"
		var body strings.Builder
		body.WriteString(`{"issuer":"http://x"`)
		for k, v := range members {
			body.WriteString(`,"` + k + `":"` + v + `"`)
		}
		client := &http.Client{Transport: roundTrip(func(*http.Request) (int, string) { return 200, body.String() + "}" })}
		if p, err := Discover(t.Context(), client, "http://x"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if _, err := Discover(t.Context(), &http.Client{}, "file:///etc"); err == nil || !strings.Contains(err.Error(), "not an address") {
		t.Errorf("issuer: %v", err)
	}
}

// No response of a provider makes the device flow panic, poll without delay, or show
// something other than an address.
func TestHostileDeviceAnswers(t *testing.T) {
	for answer, want := range map[string]string{
		`{"device_code":"d","user_code":"AB","verification_uri":"http://v/","expires_in":60,"interval":-1}`:                             "expired",
		`{"device_code":"d","user_code":"AB","verification_uri":"http://v/","expires_in":60,"interval":0}`:                              "expired",
		`{"device_code":"d","user_code":"AB","verification_uri":"http://v/","expires_in":60,"interval":9223372036854775807}`:            "expired",
		`{"device_code":"d","user_code":"AB","verification_uri":"http://v/","expires_in":-1,"interval":5}`:                              "expired",
		`{"device_code":"d","user_code":"AB","verification_uri":"http://v/","verification_uri_complete":"file:///etc","expires_in":60}`: "expired",
		`{"device_code":"d","user_code":"AB","verification_uri":"javascript:1","expires_in":60}`:                                        "verification_uri is not an address",
		`{"device_code":"d","user_code":"AB","expires_in":60}`:                                                                          "verification_uri is not an address",
		`{"device_code":"d","expires_in":"x"}`:                                                                                          "cannot be read",
		`{"device_code":"d","interval":0.5}`:                                                                                            "cannot be read",
		`null`:                                                                                                                          "cannot be read",
		`[]`:                                                                                                                            "cannot be read",
		``:                                                                                                                              "cannot be read",
	} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			client := &http.Client{Transport: roundTrip(func(r *http.Request) (int, string) {
				if r.URL.Path == "/device" {
					return 200, answer
				}
				asked++
				return 400, `{"error":"authorization_pending"}`
			})}
			f := &Flow{Provider: Provider{Token: "http://x/token", Device: "http://x/device"}, ClientID: "c", Client: client}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			_, err := f.Device(ctx, func(address, complete, _ string) {
				for _, a := range []string{address, complete} {
					if u, err := url.Parse(a); a != "" && (err != nil || u.Scheme != "http") {
						t.Errorf("%s: shows %q", answer, a)
					}
				}
			})
			if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v, want %s", answer, err, want)
			}
			if asked > 12 {
				t.Errorf("%s: asked %d times in a minute", answer, asked)
			}
		})
	}
}

// A token that has just been received has not expired, whatever the local clock shows.
func TestTakeWithAWrongClock(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for name, tt := range map[string]struct {
		claims  string
		expires time.Time // by the response
		want    time.Duration
	}{
		"clocks agree":           {`{"iat":1800000000,"exp":1800000300}`, now.Add(10 * time.Minute), 5 * time.Minute},
		"ours is an hour ahead":  {`{"iat":1799996400,"exp":1799996700}`, now.Add(10 * time.Minute), 5 * time.Minute},
		"ours is an hour behind": {`{"iat":1800003600,"exp":1800003900}`, time.Time{}, 5 * time.Minute},
		"ahead, without iat":     {`{"exp":1799996700}`, now.Add(4 * time.Minute), 4 * time.Minute},
		"the answer says less":   {`{"iat":1800000000,"exp":1800000300}`, now.Add(time.Minute), time.Minute},
	} {
		token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(tt.claims)) + ".x"
		var l Login
		l.take(&oauth2.Token{AccessToken: token, Expiry: tt.expires}, now)
		if got := l.Expires.Sub(now); got != tt.want || !l.fresh(now) {
			t.Errorf("%s: expires in %s, want %s", name, got, tt.want)
		}
	}
}

// The error for an unusable token is not that of the library.
func TestHostileTokenAnswers(t *testing.T) {
	for _, answer := range []string{`null`, `{}`, `[]`, `{"access_token":""}`, `{"access_token":5}`, `x`} {
		synctest.Test(t, func(t *testing.T) {
			client := &http.Client{Transport: roundTrip(func(r *http.Request) (int, string) {
				if r.URL.Path == "/device" {
					return 200, `{"device_code":"d","user_code":"AB","verification_uri":"http://v/","expires_in":60,"interval":1}`
				}
				return 200, answer
			})}
			f := &Flow{Provider: Provider{Token: "http://x/token", Device: "http://x/device"}, ClientID: "c", Client: client}
			_, err := f.Device(t.Context(), func(string, string, string) {})
			if err == nil || strings.Contains(err.Error(), "oauth2") || strings.Contains(err.Error(), "json") {
				t.Errorf("%s: %v", answer, err)
			}
		})
	}
}
