package network

import (
	"strings"
	"testing"

	"github.com/zalando/go-keyring"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto"
)

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
		p := &program.Program{Say: &console.Printer{}, Env: program.Env{LookupEnv: func(name string) (string, bool) {
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

func TestKeyringSecret(t *testing.T) {
	keyring.MockInit()
	if err := keyring.Set("hark/octave", "alice", "opensesame"); err != nil {
		t.Fatal(err)
	}
	var said console.Printer
	p := &program.Program{Say: &said}
	src, renewable, err := p.Source("--token", "keyring:hark/octave/alice")
	if err != nil || !renewable {
		t.Fatal(err, renewable)
	}
	if v, err := src(t.Context()); err != nil || v.Reveal() != "opensesame" {
		t.Errorf("%q, %v", v.Reveal(), err)
	}
	if got := said.String("token opensesame"); got != "token ***" {
		t.Errorf("it is shown: %s", got)
	}
	src, _, err = p.Source("--token", "keyring:hark/octave/bob")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := src(t.Context()); err == nil || v != "" {
		t.Errorf("an entry that is not there gave %q", v.Reveal())
	}
	for _, bad := range []string{"keyring:", "keyring:x", "keyring:/x", "keyring:x/"} {
		if _, _, err := p.Source("--token", bad); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

// The hint for a refusing proxy does not suggest credentials that were sent, nor a
// scheme that hark does not support.
func TestProxyRefusedHint(t *testing.T) {
	for _, tt := range []struct {
		refusal netdial.ProxyError
		want    string
	}{
		{netdial.ProxyError{Status: 407}, "the proxy requires credentials: --proxy-user"},
		{netdial.ProxyError{Status: 407, Offers: []string{"NTLM", "basic"}}, "the proxy requires credentials: --proxy-user"},
		{netdial.ProxyError{Status: 407, Sent: true, Offers: []string{"Basic"}}, "the proxy did not accept the credentials that were sent"},
		{netdial.ProxyError{Status: 407, Sent: true}, "the proxy did not accept the credentials that were sent"},
		{netdial.ProxyError{Status: 407, Sent: true, Offers: []string{"Negotiate", "NTLM"}}, "with Basic only; a proxy of this machine that speaks Negotiate or NTLM"},
	} {
		tt.refusal.Refused = true
		err := &proto.HandshakeError{Stage: netdial.StageProxy, Status: tt.refusal.Status, Err: &tt.refusal}
		if got := ending.Hint(err); !strings.Contains(got, tt.want) {
			t.Errorf("%+v: %q, want %q", tt.refusal, got, tt.want)
		}
	}
}
