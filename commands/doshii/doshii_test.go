package doshii

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/doshii/wire"
)

// The socket is selected by --path, the credentials on the command line, or those of
// the environment, where an app takes precedence.
func TestDoshiiPath(t *testing.T) {
	all := options{account: account{clientID: "c"}, locationToken: "l", vendor: "v"}
	with := func(path string) options { o := all; o.path = path; return o }
	tests := []struct {
		name    string
		options options
		typed   []string
		want    string
		token   bool
		vendor  bool
	}{
		{"nothing", options{}, nil, "/app/socket/v3", false, false},
		{"all in the environment", all, nil, "/app/socket/v3", false, false},
		{"typed location token", all, []string{"location-token"}, "/pos/socket", true, false},
		{"typed vendor", all, []string{"vendor"}, "/vendor/socket", true, true},
		{"location token alone", options{locationToken: "l"}, nil, "/pos/socket", true, false},
		{"vendor alone", options{vendor: "v"}, nil, "/vendor/socket", true, true},
		{"app", with("app"), nil, "/app/socket", false, false},
		{"app-v3", with("app-v3"), []string{"location-token"}, "/app/socket/v3", false, false},
		{"pos", with("pos"), nil, "/pos/socket", true, false},
		{"vendor", with("vendor"), nil, "/vendor/socket", true, true},
		{"another", with("/x"), nil, "/x", false, false},
		{"another with a location token", with("/x"), []string{"location-token"}, "/x", true, false},
		{"another with a vendor", with("/x"), []string{"vendor"}, "/x", true, true},
	}
	for _, tt := range tests {
		o := tt.options
		o.typed = func(f string) bool { return slices.Contains(tt.typed, f) }
		if err := o.choosePath(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if o.path != tt.want || o.token() != tt.token || o.token() && o.asVendor() != tt.vendor {
			t.Errorf("%s: %s, token %v, vendor %v", tt.name, o.path, o.token(), o.asVendor())
		}
	}
}

func TestDoshiiHosts(t *testing.T) {
	for style, want := range map[string]string{
		"current": "wss://socket.live.doshii.co", "middle": "wss://live-socket.doshii.co", "oldest": "wss://live.doshii.co",
	} {
		var stderr bytes.Buffer
		s := testStream(&stderr)
		s.LookupEnv = func(string) (string, bool) { return "", false }
		o := &options{
			account:   account{env: "live", clientID: "client", typed: func(string) bool { return false }},
			hostStyle: style, path: wire.PathApp,
		}
		d, err := open(s, o)
		if err != nil || d.Endpoint != want {
			t.Errorf("%s: %+v, %v", style, d, err)
		}
		o.endpoint = "ws://of.the.environment"
		o.typed = func(f string) bool { return f == "env" }
		if d, err := open(s, o); err != nil || d.Endpoint != want {
			t.Errorf("%s, --env typed: %+v, %v", style, d, err)
		}
	}
}

// The hint is printed once, and not after an event.
func TestQuietHint(t *testing.T) {
	o := &options{deviceID: "d", path: wire.PathAppV3}
	var stderr bytes.Buffer
	s := testStream(&stderr)
	quiet := quietHint(s, o)
	quiet()
	quiet()
	text := stderr.String()
	if strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "hark: hint: ") ||
		!strings.Contains(text, "subscribe-location") || !strings.Contains(text, "--device-id") {
		t.Errorf("%s", text)
	}
	stderr.Reset()
	s = testStream(&stderr)
	quiet = quietHint(s, o)
	if err := s.Wrap(discard{}).Event(&proto.Event{}); err != nil {
		t.Fatal(err)
	}
	quiet()
	if stderr.Len() > 0 {
		t.Errorf("after an event: %s", &stderr)
	}
}

type discard struct{}

func (discard) Event(*proto.Event) error { return nil }
func (discard) Flush() error             { return nil }

// testStream returns a stream whose stderr is the buffer.
func testStream(stderr *bytes.Buffer) *stream.Stream {
	p := &program.Program{Env: program.Env{Stderr: stderr}, Say: console.NewPrinter(stderr)}
	return stream.New(p, stream.NewFlags())
}
