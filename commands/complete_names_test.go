//go:build unix

package commands

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hark-cli/hark/commands/program"
)

// A completionBench completes lines against a server that plays the REST interface of
// Octave.
type completionBench struct {
	t       *testing.T
	env     map[string]string
	asked   atomic.Int32
	cache   string
	handler http.HandlerFunc
}

const benchToken = "SecretOfTheCompletion"

func newCompletionBench(t *testing.T, h http.HandlerFunc) *completionBench {
	b := &completionBench{t: t, cache: t.TempDir(), handler: h}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.asked.Add(1)
		b.handler(w, r)
	}))
	t.Cleanup(server.Close)
	b.env = map[string]string{
		"HARK_OCTAVE_API": server.URL, "HARK_OCTAVE_ENDPOINT": server.URL, "HARK_OCTAVE_COMPANY": "acme",
		"HARK_OCTAVE_TOKEN": benchToken, "XDG_CACHE_HOME": b.cache, "HOME": t.TempDir(),
	}
	return b
}

// complete returns the candidates for a line; the last word is being typed.
func (b *completionBench) complete(line string) string {
	b.t.Helper()
	var stdout, stderr bytes.Buffer
	code := Main(append([]string{"__complete"}, strings.Split(line, " ")...), program.Env{
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
		LookupEnv: func(name string) (string, bool) { v, ok := b.env[name]; return v, ok },
		Environ:   func() []string { return nil },
		Screen:    func() (int, int) { return 0, 0 },
	})
	if code != 0 || stderr.Len() > 0 {
		b.t.Errorf("%s: ended with %d, stderr %q", line, code, &stderr)
	}
	var words []string
	for l := range strings.Lines(stdout.String()) {
		word, _, _ := strings.Cut(strings.TrimSpace(l), "\t")
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func streams(w http.ResponseWriter, _ *http.Request) {
	w.Write([]byte(`{"head":{"status":200,"ok":true},"body":[{"id":"s1","path":"/acme/devices/pump/level"},{"id":"s2","path":"/acme/devices/pump/flow"},` +
		`{"id":"s3","path":"/acme/$(touch pwned)"},{"id":"s4","path":"/acme/a b"},{"id":"s5","path":"/acme/\t;x"}]}`))
}

func TestCompleteStreams(t *testing.T) {
	b := newCompletionBench(t, streams)
	for _, tt := range []struct{ line, want string }{
		{"octave subscribe ", "/acme/devices/pump/flow /acme/devices/pump/level"},
		{"octave subscribe /acme/devices/pump/l", "/acme/devices/pump/level"},
		{"octave subscribe /x ", "/acme/devices/pump/flow /acme/devices/pump/level"},
		{"octave publish /acme/devices/pump/f", "/acme/devices/pump/flow"},
		{"octave publish /acme/x ", ""},
		{"doctor octave --json /acme/devices/pump/f", "/acme/devices/pump/flow"},
		{"octave subscribe --prefix=/acme/devices/pump/f", "--prefix=/acme/devices/pump/flow"},
		{"octave subscribe --prefix /acme/devices/pump/f", "/acme/devices/pump/flow"},
	} {
		if got := b.complete(tt.line); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.line, got, tt.want)
		}
	}
	if n := b.asked.Load(); n != 1 {
		t.Errorf("the service was asked %d times, the cache should have answered", n)
	}
	// Another account has a file of its own, and no file shows a credential.
	b.complete("octave subscribe --company other ")
	b.env["HARK_OCTAVE_COMPANY"] = "other"
	b.complete("octave subscribe ")
	if n := b.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
	files, _ := filepath.Glob(filepath.Join(b.cache, "hark", "*"))
	if len(files) != 2 {
		t.Fatalf("files %q", files)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		info, _ := os.Stat(f)
		if err != nil || bytes.Contains(text, []byte(benchToken)) || strings.Contains(f, benchToken) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: error %v, mode %v, %s", f, err, info.Mode(), text)
		}
	}
}

// Failures are silent, and the service is not queried for a while.
func TestCompleteStreamsFails(t *testing.T) {
	b := newCompletionBench(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	for range 3 {
		if got := b.complete("octave subscribe "); got != "" {
			t.Errorf("got %q", got)
		}
	}
	if n := b.asked.Load(); n > 2 { // the session service may be asked once, for the reason
		t.Errorf("asked %d times", n)
	}
}

func TestCompleteStreamsGivesUp(t *testing.T) {
	release := make(chan struct{})
	b := newCompletionBench(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	start := time.Now()
	if got := b.complete("octave subscribe "); got != "" {
		t.Errorf("got %q", got)
	}
	if took := time.Since(start); took > 2*time.Second+5*time.Second {
		t.Errorf("took %v", took)
	}
}

// A credential that could require asking the user is not looked up.
func TestCompleteAsksNobody(t *testing.T) {
	b := newCompletionBench(t, streams)
	witness := filepath.Join(t.TempDir(), "ran")
	for _, ref := range []string{"cmd:touch " + witness + "; echo x", "keyring:a/b"} {
		b.env["HARK_OCTAVE_TOKEN"] = ref
		if got := b.complete("octave subscribe "); got != "" {
			t.Errorf("%s: %q", ref, got)
		}
	}
	if _, err := os.Stat(witness); err == nil {
		t.Error("the command ran")
	}
	if n := b.asked.Load(); n != 0 {
		t.Errorf("asked %d times", n)
	}
	os.RemoveAll(filepath.Join(b.cache, "hark"))
	b.env["HARK_OCTAVE_TOKEN"], b.env["REF"] = "env:REF", benchToken
	if got := b.complete("octave subscribe /acme/devices/pump/f"); got != "/acme/devices/pump/flow" {
		t.Errorf("env: %q", got)
	}
}

func TestCompleteProfiles(t *testing.T) {
	b := newCompletionBench(t, streams)
	path := filepath.Join(t.TempDir(), "config.toml")
	b.env["HARK_CONFIG"] = path
	if got := b.complete("drogue tail --profile "); got != "" {
		t.Errorf("without a file: %q", got)
	}
	os.WriteFile(path, []byte("[profile.staging]\nretries = 1\n[profile.live]\nretries = 2\n[profile.\"a;b\"]\nretries = 3\n"), 0o600)
	if got := b.complete("drogue tail --profile "); got != "live staging" {
		t.Errorf("got %q", got)
	}
	os.WriteFile(path, []byte("[profile"), 0o600)
	if got := b.complete("drogue tail --profile "); got != "" {
		t.Errorf("with mistakes: %q", got)
	}
}

func TestCompleteWords(t *testing.T) {
	b := newCompletionBench(t, streams)
	for _, tt := range []struct{ line, want string }{
		{"help drogue wh", "whoami"},
		{"help jq ", ""},
		{"config explain octave se", "session"},
		{"config explain exit", ""},
		{"config init d", "drogue doshii"},
		{"drogue tail --report ", "junit= tap= json="},
		{"drogue tail --report junit=", ":files"},
		{"emulate drogue --fault re", "refuse= reorder"},
		{"drogue tail --emulator de", "demo-app"},
		{"octave subscribe --emulator /demo/s", "/demo/stream"},
	} {
		if got := b.complete(tt.line); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.line, got, tt.want)
		}
	}
	if topics := b.complete("help "); !slices.Contains(strings.Fields(topics), "exit-codes") || !slices.Contains(strings.Fields(topics), "octave") {
		t.Errorf("help: %q", topics)
	}
}
