package ending

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto"
)

// The hint of each status matches its meaning.
func TestStatusHints(t *testing.T) {
	for status, want := range map[int]string{
		302: "-L", 400: "wss://", 401: "credentials", 402: "account", 403: "credentials", 404: "path", 405: "GET",
		407: "--proxy", 408: "try again", 410: "gone", 421: "host name", 426: "protocol", 429: "wait", 431: "headers",
		451: "legal", 500: "try again", 502: "cannot reach", 503: "overloaded", 504: "no answer", 200: "ordinary page",
	} {
		got := Hint(&proto.HandshakeError{Stage: netdial.StageUpgrade, Address: "ws://a", Status: status})
		if !strings.Contains(got, want) {
			t.Errorf("%d: %q has no %q", status, got, want)
		}
		if status != 404 && status != 200 && strings.HasPrefix(got, "check the path") {
			t.Errorf("%d: %q is about the path", status, got)
		}
	}
	if got := Hint(&proto.HandshakeError{Stage: netdial.StageUpgrade, Address: "ws://a", Err: errors.Join(io.EOF)}); !strings.Contains(got, "wss://") {
		t.Errorf("no answer: %q", got)
	}
}

// The schemes that the server accepts are shown.
func TestHintsNameTheServersWords(t *testing.T) {
	h := &proto.HandshakeError{Stage: netdial.StageUpgrade, Address: "ws://a", Status: 401, Challenge: []string{"Basic", "Bearer"}}
	if got := Hint(h); got != "check the credentials; the server takes Basic, Bearer" {
		t.Errorf("401: %q", got)
	}
}
