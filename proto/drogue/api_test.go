package drogue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/prototest"
)

// installation is the API of a Drogue Cloud installation: paths and their responses;
// HOST is replaced by the address of the server.
func installation(t *testing.T, answers map[string]string) (base string, asked *[]string) {
	t.Helper()
	asked = new([]string)
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.Path+" "+r.Header.Get("Authorization"))
		text, ok := answers[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if status, _, refused := strings.Cut(text, " "); refused && len(status) == 3 {
			w.WriteHeader(http.StatusForbidden)
		}
		io.WriteString(w, strings.ReplaceAll(text, "HOST", server.Listener.Addr().String()))
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func TestDiscovery(t *testing.T) {
	const wellKnown, info = "/.well-known/drogue-endpoints", "/api/console/v1alpha1/info"
	tests := []struct {
		name    string
		answers map[string]string
		token   secret.Value
		url     string // of the socket
		asked   []string
		err     string
		class   proto.Class
	}{
		{
			name:    "current",
			answers: map[string]string{wellKnown: `{"api":"x","websocket_integration":{"url":"ws://HOST/ws/"},"new":1}`},
			token:   "t",
			url:     "ws://HOST/ws/app/ch%2Fx",
			asked:   []string{wellKnown + " "},
		},
		{
			name: "older than 0.10",
			answers: map[string]string{
				wellKnown: `{"api":"x"}`,
				info:      `{"websocket_integration":{"url":"ws://HOST"},"demos":[["a","b"]]}`,
			},
			token: "t",
			url:   "ws://HOST/app/ch%2Fx",
			asked: []string{wellKnown + " ", info + " Bearer t"},
		},
		{
			name:    "no credentials for the older",
			answers: map[string]string{wellKnown: `{}`, info: `403 {"error":"Forbidden","message":"Forbidden"}`},
			token:   "wrong",
			err:     `discovery http://HOST/api/console/v1alpha1/info: HTTP 403 Forbidden: 403 {"error":"Forbidden","message":"Forbidden"}`,
			class:   proto.Credentials,
		},
		{
			name:    "no integration at all",
			answers: map[string]string{wellKnown: `{}`, info: `{"websocket_integration":{}}`},
			err:     "discovery http://HOST: protocol error: the installation does not name its WebSocket integration is",
			class:   proto.Unreachable,
		},
		{
			name:    "an address with a query",
			answers: map[string]string{wellKnown: `{"websocket_integration":{"url":"ws://HOST/?a=b"}}`},
			err:     "discovery http://HOST: protocol error: the installation names an endpoint that is not a scheme, a host and a path: ws://HOST/?…",
			class:   proto.Unreachable,
		},
		{
			name:    "an address with a control character",
			answers: map[string]string{wellKnown: `{"websocket_integration":{"url":"ws://ev\u001bil"}}`},
			err:     "discovery http://HOST: protocol error: the installation names an endpoint that is not a scheme, a host and a path: (unreadable address)",
			class:   proto.Unreachable,
		},
		{
			name:  "no Drogue Cloud",
			err:   "discovery http://HOST/.well-known/drogue-endpoints: HTTP 404 Not Found: 404 page not found",
			class: proto.Unreachable,
		},
		{
			name:    "a web page",
			answers: map[string]string{wellKnown: `<html>`},
			err:     "discovery http://HOST/.well-known/drogue-endpoints: protocol error: the answer is not a list of endpoints",
			class:   proto.Unreachable,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base, asked := installation(t, tt.answers)
			here := func(s string) string { return strings.ReplaceAll(s, "HOST", strings.TrimPrefix(base, "http://")) }
			tokens := 0
			d := &Service{API: base, Client: http.DefaultClient, Application: "app", Channel: "ch/x"}
			if tt.token != "" {
				d.Token = func(context.Context) (secret.Value, error) { tokens++; return tt.token, nil }
			}
			hs, err := d.Start().Handshake(t.Context())
			if tt.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), here(tt.err)) || proto.Classify(d, err) != tt.class {
					t.Errorf("%v of class %d, want %s of class %d", err, proto.Classify(d, err), here(tt.err), tt.class)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if hs.URL != here(tt.url) || hs.Header.Get("Authorization") != "Bearer t" || tokens != 1 {
				t.Errorf("handshake %+v, %d tokens", hs, tokens)
			}
			if diff := cmp.Diff(tt.asked, *asked); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Credentials sent to the API over TLS are not sent anywhere without it.
func TestTrusted(t *testing.T) {
	for _, tt := range []struct {
		base, endpoint string
		ok             bool
	}{
		{"https://a", "wss://b", true},
		{"https://a", "https://b", true},
		{"https://a", "ws://b", false},
		{"https://a", "http://b", false},
		{"http://a", "ws://b", true},
	} {
		if err := (API{Base: tt.base}).Trusted(tt.endpoint); (err == nil) != tt.ok {
			t.Errorf("%s, %s: %v", tt.base, tt.endpoint, err)
		}
	}
}

func TestPublish(t *testing.T) {
	type got struct{ Path, Query, User, Password, Type, Body string }
	var last got
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		last = got{Path: r.Method + " " + r.URL.EscapedPath(), Query: r.URL.RawQuery, Type: r.Header.Get("Content-Type"), Body: string(body)}
		last.User, last.Password, _ = r.BasicAuth()
		switch last.Password {
		case "wrong":
			w.WriteHeader(http.StatusForbidden)
		case "full":
			w.WriteHeader(http.StatusNotAcceptable)
		default:
			w.WriteHeader(http.StatusAccepted)
		}
	}))
	defer server.Close()
	publisher := func(password secret.Value, user, as string) *Publisher {
		p := &Publisher{
			Endpoint: server.URL, Application: "my app", Channel: "a b/c", Device: "d&1", Username: user, As: as,
			Client: server.Client(),
		}
		if password != "" {
			p.Password = prototest.StaticToken(password)
		}
		return p
	}
	tests := []struct {
		p    *Publisher
		kind string
		data string
		want got
	}{
		{publisher("", "", ""), "", `{"a":1}`,
			got{"POST /v1/a%20b/c", "application=my+app&device=d%261", "", "", "application/json", `{"a":1}`}},
		{publisher("pw", "", ""), "", `hi é`,
			got{"POST /v1/a%20b/c", "application=my+app", "d&1", "pw", "text/plain; charset=utf-8", `hi é`}},
		{publisher("pw", "u", "other"), "", "\xff",
			got{"POST /v1/a%20b/c", "application=my+app&as=other&device=d%261", "u", "pw", "application/octet-stream", "\xff"}},
		{publisher("", "", ""), "text/csv", `1`,
			got{"POST /v1/a%20b/c", "application=my+app&device=d%261", "", "", "text/csv", "1"}},
	}
	for _, tt := range tests {
		if err := tt.p.Publish(t.Context(), tt.kind, []byte(tt.data)); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(tt.want, last); diff != "" {
			t.Error(diff)
		}
	}
	for password, class := range map[secret.Value]proto.Class{"wrong": proto.Credentials, "full": proto.Refused} {
		err := proto.RequestFailure(publisher(password, "", "").Publish(t.Context(), "", nil))
		f, ok := errors.AsType[*proto.Failure](err)
		if !ok || f.Class != class || strings.Contains(err.Error(), "application=") {
			t.Errorf("%s: %v", password.Reveal(), err)
		}
	}
}

func TestWhoami(t *testing.T) {
	const path = "/api/admin/v1alpha1/user/whoami"
	base, asked := installation(t, map[string]string{path: `{"id":"4711"}`})
	api := API{Base: base, Client: http.DefaultClient}
	id, err := api.Whoami(t.Context(), Credential{User: "u", AccessToken: "p"})
	if err != nil || id != "4711" || fmt.Sprint(*asked) != "["+path+" Basic dTpw]" {
		t.Errorf("%q, %v, asked %v", id, err, *asked)
	}
}

// When the source of tokens has none left, the user must act.
func TestCredentialError(t *testing.T) {
	d := &Service{Endpoint: "ws://x", Application: "a", Token: func(context.Context) (secret.Value, error) {
		return "", &proto.CredentialError{Err: errors.New("not logged in")}
	}}
	_, err := d.Start().Handshake(t.Context())
	if proto.Classify(d, err) != proto.Credentials {
		t.Errorf("%v is of class %d", err, proto.Classify(d, err))
	}
}
