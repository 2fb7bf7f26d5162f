package commands

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/wire"
)

// The advice of each status says what that status is about.
func TestStatusHints(t *testing.T) {
	for status, want := range map[int]string{
		302: "-L", 400: "wss://", 401: "credentials", 402: "account", 403: "credentials", 404: "path", 405: "GET",
		407: "--proxy", 408: "try again", 410: "gone", 421: "host name", 426: "protocol", 429: "wait", 431: "headers",
		451: "legal", 500: "try again", 502: "does not reach", 503: "overloaded", 504: "no answer", 200: "ordinary page",
	} {
		got := hint(&proto.HandshakeError{Stage: netdial.StageUpgrade, Address: "ws://a", Status: status})
		if !strings.Contains(got, want) {
			t.Errorf("%d: %q has no %q", status, got, want)
		}
		if status != 404 && status != 200 && strings.HasPrefix(got, "check the path") {
			t.Errorf("%d: %q is about the path", status, got)
		}
	}
	if got := hint(&proto.HandshakeError{Stage: netdial.StageUpgrade, Address: "ws://a", Err: errors.Join(io.EOF)}); !strings.Contains(got, "wss://") {
		t.Errorf("no answer: %q", got)
	}
}

// What the server takes, and which installation was asked, is said.
func TestHintsNameTheServersWords(t *testing.T) {
	h := &proto.HandshakeError{Stage: netdial.StageUpgrade, Address: "ws://a", Status: 401, Challenge: []string{"Basic", "Bearer"}}
	if got := hint(h); got != "check the credentials; the server takes Basic, Bearer" {
		t.Errorf("401: %q", got)
	}
	h = &proto.HandshakeError{Stage: netdial.StageDNS, Address: wire.DrogueAPI + "/.well-known/drogue-endpoints", Err: errors.New("no such host")}
	if got := drogueHint(h); !strings.Contains(got, "HARK_DROGUE_ENDPOINT") {
		t.Errorf("the default of Drogue: %q", got)
	}
	h.Address = "https://api.example.com/.well-known/drogue-endpoints"
	if got := drogueHint(h); strings.Contains(got, "sandbox") {
		t.Errorf("an installation of one's own: %q", got)
	}
}

// An address that is nearly one is known.
func TestAddressHints(t *testing.T) {
	for address, want := range map[string]string{
		"ws:host:1":        "did you mean ws://host:1?",
		"wss:host":         "did you mean wss://host?",
		"wss//host":        "did you mean wss://host?",
		"ws:/host/path":    "did you mean ws://host/path?",
		"https:host":       "did you mean https://host?",
		"host:8080":        "did you mean ws://host:8080 or wss://host:8080?",
		"wsserver":         "did you mean ws://wsserver or wss://wsserver?",
		"ws":               "did you mean ws://ws or wss://ws?",
		"env:URL":          "references are for credentials; for an address the shell has \"$URL\"",
		"file:address":     "references are for credentials; for an address the shell has \"$(COMMAND)\"",
		"localhost/a/ws:b": "did you mean ws://localhost/a/ws:b or wss://localhost/a/ws:b?",
	} {
		_, err := checkEndpoint(address)
		u, ok := errors.AsType[*cmdline.UsageError](err)
		if !ok || u.Hint() != want {
			t.Errorf("%s: %v, want the hint %q", address, err, want)
		} else if u.Hint() != want {
			t.Errorf("%s: %q, want %q", address, u.Hint(), want)
		}
	}
	for address, ok := range map[string]bool{
		"ws://h:70000": false, "ws://h:0": false, "ws://h:65536": false, "ws://h:99999999999999999999": false,
		"ws://h:65535": true, "ws://h": true, "ws://h:": true, "ws://[::1]:80": true,
	} {
		if _, err := checkEndpoint(address); ok != (err == nil) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
