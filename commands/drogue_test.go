package commands

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hark-cli/hark/proto"
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
		{"a socket as API", "", "wss://a", []string{"api"}, "", "", "--api takes"},
		{"no scheme", "a.example", "", []string{"endpoint"}, "", "", "has no scheme"},
	}
	for _, tt := range tests {
		o := &drogueSite{endpoint: tt.endpoint, api: tt.api, typed: func(f string) bool { return slices.Contains(tt.typed, f) }}
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
func testStream(stderr *bytes.Buffer) *stream {
	p := &program{Env: Env{Stderr: stderr}, say: newPrinter(stderr)}
	return p.newStream(newStreamFlags())
}

// When nobody watches, what can be lost is said when the stream was interrupted,
// once.
func TestAdviceOnGroups(t *testing.T) {
	tests := []struct {
		name    string
		options drogueOptions
		watched bool
		retries int
		quiet   bool
		want    string // after each of three handshakes
	}{
		{"in a pipe", drogueOptions{}, false, 10, false, "0 1 1"},
		{"watched", drogueOptions{}, true, 10, false, "1 1 1"},
		{"no reconnect", drogueOptions{}, true, 0, false, "0 0 0"},
		{"quiet", drogueOptions{}, false, 10, true, "0 0 0"},
		{"a group", drogueOptions{group: "g"}, true, 10, false, "0 0 0"},
		{"a group with a channel", drogueOptions{group: "g", channel: "c"}, true, 10, false, "1 1 1"},
		{"a group with a channel in a pipe", drogueOptions{group: "g", channel: "c"}, false, 10, false, "0 0 0"},
		{"a group with a filter", drogueOptions{group: "g", filter: proto.DrogueFilter{Type: "t"}}, true, 10, false, "1 1 1"},
	}
	for _, tt := range tests {
		var stderr bytes.Buffer
		s := testStream(&stderr)
		s.watched, s.flags.retries, s.flags.quiet = tt.watched, tt.retries, tt.quiet
		svc := s.adviseOnGroups(&proto.Drogue{Endpoint: "ws://x", Application: "a"}, &tt.options)
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
		if _, ok := svc.(proto.Judge); !ok {
			t.Errorf("%s: the service judges no more", tt.name)
		}
	}
}

func TestInputLines(t *testing.T) {
	lines, failed := inputLines(t.Context(), strings.NewReader("a\r\n\n\xff\n\nlast"))
	var got []string
	for l := range lines {
		got = append(got, string(rune('0'+l.number))+":"+string(l.text))
	}
	if err := <-failed; err != nil || strings.Join(got, " ") != "1:a 3:\xff 5:last" {
		t.Errorf("%q, %v", got, err)
	}
	broken := errors.New("broken")
	lines, failed = inputLines(t.Context(), brokenReader{broken})
	if _, ok := <-lines; ok || !errors.Is(<-failed, broken) {
		t.Error("an error was taken for the end")
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }
