package network

import (
	"errors"
	"testing"

	"github.com/hark-cli/hark/internal/cmdline"
)

// Almost valid addresses get a hint.
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
		_, err := CheckEndpoint(address)
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
		if _, err := CheckEndpoint(address); ok != (err == nil) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
