package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/hub"
)

// runHark runs a command line in this process, with nothing on stdin and no variables
// but those that are given, as NAME=VALUE.
func runHark(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	environ = append([]string{"HOME=" + t.TempDir(), "PATH=/usr/bin:/bin"}, environ...)
	code = Main(args, program.Env{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &complaints,
		LookupEnv: func(name string) (string, bool) {
			for i := len(environ) - 1; i >= 0; i-- {
				if value, ok := strings.CutPrefix(environ[i], name+"="); ok {
					return value, true
				}
			}
			return "", false
		},
		Environ: func() []string { return environ },
		Screen:  func() (int, int) { return 0, 0 },
		Hangup:  func(ctx context.Context, gone func()) { <-ctx.Done() },
	})
	return code, out.String(), complaints.String()
}

// forged is text of a peer that imitates hark or a command of a CI system, or contains
// control sequences of terminals.
const forged = "x\n::error file=a::forged\r\nhark: hint: forged\u2028\u200e\u202e\x1b]52;c;AA\x07\u009b2J"

// A hostilePeer sends the forged text in every way that services have.
func hostilePeer(t *testing.T) *httptest.Server {
	encoded, err := json.Marshal(forged)
	if err != nil {
		t.Fatal(err)
	}
	text := string(encoded)
	mux := http.NewServeMux()
	answer := func(path string, status int, format string, args ...any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprintf(w, format, args...)
		})
	}
	var closer *hub.Hub
	closer = hub.New(hub.Options{Event: func(e hub.Event) {
		if e.Kind == hub.Connected {
			_ = closer.Send(e.Client, false, []byte(text))
			_ = closer.Disconnect(e.Client, 4001, forged)
		}
	}})
	mux.Handle("/closes", closer)
	answer("/page", 403, "%s", forged)
	answer("/session", 200, `{"head":{"ok":false,"status":403,"errors":[%s]}}`, text)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	answer("/.well-known/drogue-endpoints", 200, `{"issuer_url":"%s/sso","websocket_integration":{"url":"ws://127.0.0.1:1"}}`, s.URL)
	answer("/sso/.well-known/openid-configuration", 200,
		`{"issuer":"%[1]s/sso","authorization_endpoint":"%[1]s/a","token_endpoint":"%[1]s/t","device_authorization_endpoint":"%[1]s/d"}`, s.URL)
	answer("/d", 400, `{"error":%s,"error_description":%[1]s}`, text)
	return s
}

// Whatever a peer sends, each line of stderr is one of hark's, without control
// sequences.
func TestPeersDoNotWriteLines(t *testing.T) {
	s := hostilePeer(t)
	ws := "ws" + strings.TrimPrefix(s.URL, "http")
	for _, line := range []string{
		"connect " + ws + "/closes",
		"connect " + ws + "/closes -v",
		"connect " + ws + "/closes --expect .never",
		"connect " + ws + "/closes --jq debug",
		"connect " + ws + "/closes --jq error",
		"connect " + ws + "/closes --reconnect --retries 1",
		"connect " + ws + "/closes --include",
		"connect " + ws + "/closes -i",
		"connect " + ws + "/page",
		"doctor " + ws + "/closes",
		"octave session --company c --token t --endpoint " + s.URL + "/session",
		"octave subscribe /x --company c --token t --endpoint " + s.URL + "/session",
		"drogue login --device-flow --token-store file --endpoint " + s.URL,
	} {
		_, _, stderr := runHark(t, nil, append(strings.Fields(line), "--no-warn-secrets")...)
		if strings.HasPrefix(line, "connect") && !strings.Contains(stderr, "forged") {
			t.Errorf("%s: what the peer said is not there:\n%s", line, stderr)
		}
		for l := range strings.Lines(stderr) {
			l = strings.TrimSuffix(l, "\n")
			own := strings.HasPrefix(l, "hark: ") || strings.HasPrefix(l, "    ") ||
				strings.HasPrefix(l, "> ") || strings.HasPrefix(l, "< ") || l == ">" || l == "<" || strings.HasPrefix(l, `["DEBUG:`)
			if !own || strings.HasPrefix(l, "hark: hint: forged") || strings.ContainsFunc(l, console.Acts) {
				t.Errorf("%s: a line of the peer's: %q", line, l)
			}
		}
	}
}
