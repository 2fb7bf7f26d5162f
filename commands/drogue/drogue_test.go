package drogue

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/drogue"
	"github.com/hark-cli/hark/proto/drogue/wire"
)

func TestDrogueAddresses(t *testing.T) {
	const public = "https://api.sandbox.drogue.cloud"
	tests := []struct {
		name          string
		endpoint, api string
		typed         []string
		wantAPI, want string // want is the socket
		err           string
	}{
		{"nothing", "", "", nil, public, "", ""},
		{"an API", "https://a/x/", "", []string{"endpoint"}, "https://a/x", "", ""},
		{"a socket", "wss://s/x/", "", []string{"endpoint"}, "", "wss://s/x", ""},
		{"both", "wss://s", "https://a", []string{"endpoint", "api"}, "https://a", "wss://s", ""},
		{"both of the environment", "ws://s", "http://a", nil, "http://a", "ws://s", ""},
		{"only the API", "", "https://a", nil, "https://a", "", ""},
		{"an API over the environment", "https://other", "https://a", []string{"endpoint"}, "https://other", "", ""},
		{"a socket over the environment", "wss://other", "https://a", []string{"endpoint"}, "", "wss://other", ""},
		{"an API by its own flag over the environment", "wss://s", "https://other", []string{"api"}, "https://other", "", ""},
		{"two APIs", "https://a", "https://b", []string{"endpoint", "api"}, "", "", "two APIs"},
		{"the same twice", "https://a/", "https://a", nil, "https://a", "", ""},
		{"a socket as API", "", "wss://a", []string{"api"}, "", "", "--api requires an address"},
		{"no scheme", "a.example", "", []string{"endpoint"}, "", "", "has no scheme"},
	}
	for _, tt := range tests {
		line := new(cmdline.Line)
		for _, name := range tt.typed {
			line.Settings = append(line.Settings, cmdline.Setting{Flag: &cmdline.Flag{Name: name}, As: "--" + name})
		}
		o := &site{endpoint: tt.endpoint, api: tt.api}
		o.readFrom(line)
		api, socket, err := o.addresses()
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %s", tt.name, err, tt.err)
			}
			continue
		}
		if err != nil || api != tt.wantAPI || socket != tt.want {
			t.Errorf("%s: API %q, socket %q, %v, want %q and %q", tt.name, api, socket, err, tt.wantAPI, tt.want)
		}
	}
}

func TestLoginKey(t *testing.T) {
	for _, api := range []string{"https://api.example.com/x", "HTTPS://API.example.com/x/", "https://user@api.example.com/x"} {
		if got := loginKey(api); got != "drogue https://api.example.com/x" {
			t.Errorf("%s: %s", api, got)
		}
	}
	if loginKey("https://a") == loginKey("https://a:8443") || loginKey("https://a") == loginKey("http://a") {
		t.Error("different installations have one login")
	}
}

// testStream is a stream whose stderr is the buffer.
func testStream(stderr *bytes.Buffer) *stream.Stream {
	p := &program.Program{Env: program.Env{Stderr: stderr}, Say: console.NewPrinter(stderr)}
	return stream.New(p, stream.NewFlags())
}

// Without a terminal, the warning about lost events is printed once, when the stream
// was interrupted.
func TestAdviceOnGroups(t *testing.T) {
	tests := []struct {
		name    string
		options options
		watched bool
		retries int
		quiet   bool
		want    string // after each of three handshakes
	}{
		{"in a pipe", options{}, false, 10, false, "0 1 1"},
		{"watched", options{}, true, 10, false, "1 1 1"},
		{"no reconnect", options{}, true, 0, false, "0 0 0"},
		{"quiet", options{}, false, 10, true, "0 0 0"},
		{"a group", options{group: "g"}, true, 10, false, "0 0 0"},
		{"a group with a channel", options{group: "g", channel: "c"}, true, 10, false, "1 1 1"},
		{"a group with a channel in a pipe", options{group: "g", channel: "c"}, false, 10, false, "0 0 0"},
		{"a group with a filter", options{group: "g", filter: drogue.Filter{Type: "t"}}, true, 10, false, "1 1 1"},
	}
	for _, tt := range tests {
		var stderr bytes.Buffer
		s := testStream(&stderr)
		s.Watched, s.Flags.Retries, s.Flags.Quiet = tt.watched, tt.retries, tt.quiet
		svc := adviseOnGroups(s, &drogue.Service{Endpoint: "ws://x", Application: "a"}, &tt.options)
		source := svc.Start()
		var got []string
		for range 3 {
			if _, err := source.Handshake(t.Context()); err != nil {
				t.Fatal(err)
			}
			got = append(got, string('0'+rune(strings.Count(stderr.String(), "warning: "))))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v warnings, want %s:\n%s", tt.name, got, tt.want, &stderr)
		}
		if _, ok := svc.(proto.Classifier); !ok {
			t.Errorf("%s: the service judges no more", tt.name)
		}
	}
}

// The error contains the installation.
func TestHints(t *testing.T) {
	h := &proto.HandshakeError{Stage: netdial.StageDNS, Address: wire.API + "/.well-known/drogue-endpoints", Err: errors.New("no such host")}
	if got := hint(h); !strings.Contains(got, "HARK_DROGUE_ENDPOINT") {
		t.Errorf("the default of Drogue: %q", got)
	}
	h.Address = "https://api.example.com/.well-known/drogue-endpoints"
	if got := hint(h); strings.Contains(got, "sandbox") {
		t.Errorf("an installation of one's own: %q", got)
	}
}
