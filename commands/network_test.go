package commands

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/proto"
	"github.com/zalando/go-keyring"
)

func TestBypassed(t *testing.T) {
	for _, tt := range []struct {
		list, host, port string
		want             bool
	}{
		{"", "example.com", "443", false},
		{"*", "example.com", "443", true},
		{"example.com", "example.com", "443", true},
		{"example.com", "EXAMPLE.COM.", "443", true},
		{"example.com", "www.example.com", "443", true},
		{".example.com", "www.example.com", "443", true},
		{"*.example.com", "www.example.com", "443", true},
		{"example.com", "notexample.com", "443", false},
		{"www.example.com", "example.com", "443", false},
		{"a, b example.com", "example.com", "443", true},
		{"example.com:443", "example.com", "443", true},
		{"example.com:80", "example.com", "443", false},
		{"10.0.0.0/8", "10.1.2.3", "80", true},
		{"10.0.0.0/8", "11.1.2.3", "80", false},
		{"10.0.0.0/8", "example.com", "80", false},
		{"192.0.2.1", "192.0.2.1", "80", true},
		{"192.0.2.1", "192.0.2.10", "80", false},
		{"::1", "::1", "80", true},
		{"[::1]:80", "::1", "80", true},
		{"2001:db8::/32", "2001:db8::5", "80", true},
		{"0.1", "192.0.0.1", "80", false},
	} {
		if got := bypassed(tt.list, tt.host, tt.port); got != tt.want {
			t.Errorf("bypassed(%q, %s, %s) = %t", tt.list, tt.host, tt.port, got)
		}
	}
}

func TestParseProxy(t *testing.T) {
	for text, want := range map[string]*proto.Proxy{
		"":                          nil,
		"host":                      {Kind: "http", Host: "host", Port: "1080"},
		"host:3128":                 {Kind: "http", Host: "host", Port: "3128"},
		"HTTPS://host":              {Kind: "https", Host: "host", Port: "443"},
		"socks5://[::1]:9":          {Kind: "socks5", Host: "::1", Port: "9"},
		"http://a%40b:c%2Fd@host:1": {Kind: "http", Host: "host", Port: "1", User: "a@b", Password: "c/d"},
	} {
		got, err := parseProxy("--proxy", text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v, (-want +got):\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"ftp://host", "http://", "socks4://host", "http://a:b/c@host", "://"} {
		if got, err := parseProxy("--proxy", text); err == nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

// The proxy of the environment, in both cases of the names.
func TestProxyOfTheEnvironment(t *testing.T) {
	for _, tt := range []struct {
		environ map[string]string
		secure  bool
		host    string
		want    string
	}{
		{map[string]string{"http_proxy": "one"}, false, "example.com", "one"},
		{map[string]string{"HTTP_PROXY": "one"}, false, "example.com", "one"},
		{map[string]string{"http_proxy": "one", "HTTP_PROXY": "two"}, false, "example.com", "one"},
		{map[string]string{"http_proxy": "one"}, true, "example.com", ""},
		{map[string]string{"HTTPS_PROXY": "one"}, true, "example.com", "one"},
		{map[string]string{"https_proxy": "one"}, true, "example.com", "one"},
		{map[string]string{"ALL_PROXY": "one"}, true, "example.com", "one"},
		{map[string]string{"all_proxy": "one", "http_proxy": "two"}, false, "example.com", "two"},
		{map[string]string{"all_proxy": "one", "no_proxy": "example.com"}, false, "www.example.com", ""},
		{map[string]string{"all_proxy": "one", "NO_PROXY": "other.com"}, false, "example.com", "one"},
		{map[string]string{"all_proxy": "one"}, false, "localhost", ""},
		{map[string]string{"all_proxy": "one"}, false, "127.0.0.1", ""},
		{map[string]string{"HTTP_PROXY": "one", "REQUEST_METHOD": "GET"}, false, "example.com", ""},
	} {
		p := &program{say: &printer{}, Env: Env{LookupEnv: func(name string) (string, bool) {
			v, ok := tt.environ[name]
			return v, ok
		}}}
		choose, err := new(proxyFlags).choose(t.Context(), new(cmdline.Line), p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := choose(tt.secure, tt.host, "80")
		if err != nil {
			t.Fatal(err)
		}
		host := ""
		if got != nil {
			host = got.Host
		}
		if host != tt.want {
			t.Errorf("%v, secure %t, %s: %q, want %q", tt.environ, tt.secure, tt.host, host, tt.want)
		}
	}
}

func TestSplitColons(t *testing.T) {
	for text, want := range map[string][]string{
		"a:1:b:2":             {"a", "1", "b", "2"},
		":::":                 {"", "", "", ""},
		"[::1]:1:[2001::2]:2": {"::1", "1", "2001::2", "2"},
		"a:1:b":               {"a", "1", "b"},
		"a:1:b:2:3":           {"a", "1", "b", "2:3"},
	} {
		if diff := cmp.Diff(want, splitColons(text, 4)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestKeyringSecret(t *testing.T) {
	keyring.MockInit()
	if err := keyring.Set("hark/octave", "alice", "opensesame"); err != nil {
		t.Fatal(err)
	}
	var said printer
	p := &program{say: &said}
	src, renewable, err := p.source("--token", "keyring:hark/octave/alice")
	if err != nil || !renewable {
		t.Fatal(err, renewable)
	}
	if v, err := src(t.Context()); err != nil || v.Reveal() != "opensesame" {
		t.Errorf("%q, %v", v.Reveal(), err)
	}
	if got := said.String("token opensesame"); got != "token ***" {
		t.Errorf("it is shown: %s", got)
	}
	src, _, err = p.source("--token", "keyring:hark/octave/bob")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := src(t.Context()); err == nil || v != "" {
		t.Errorf("an entry that is not there gave %q", v.Reveal())
	}
	for _, bad := range []secretRef{"keyring:", "keyring:x", "keyring:/x", "keyring:x/"} {
		if _, _, err := p.source("--token", bad); err == nil {
			t.Errorf("%s was taken", string(bad))
		}
	}
}

// A proxy that refuses is not asked for credentials that it got, nor with a scheme
// that hark does not have.
func TestProxyRefusedHint(t *testing.T) {
	for _, tt := range []struct {
		refusal proto.ProxyError
		want    string
	}{
		{proto.ProxyError{Status: 407}, "the proxy requires credentials: --proxy-user"},
		{proto.ProxyError{Status: 407, Offers: []string{"NTLM", "basic"}}, "the proxy requires credentials: --proxy-user"},
		{proto.ProxyError{Status: 407, Sent: true, Offers: []string{"Basic"}}, "the proxy did not accept the credentials that were sent"},
		{proto.ProxyError{Status: 407, Sent: true}, "the proxy did not accept the credentials that were sent"},
		{proto.ProxyError{Status: 407, Sent: true, Offers: []string{"Negotiate", "NTLM"}}, "with Basic only; a proxy of this machine that speaks Negotiate or NTLM"},
	} {
		tt.refusal.Refused = true
		err := &proto.HandshakeError{Stage: proto.StageProxy, Status: tt.refusal.Status, Err: &tt.refusal}
		if got := hint(err); !strings.Contains(got, tt.want) {
			t.Errorf("%+v: %q, want %q", tt.refusal, got, tt.want)
		}
	}
}
