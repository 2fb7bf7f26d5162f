package commands

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/emulator"
)

// Requirements of every service in the list.
func TestServices(t *testing.T) {
	t.Parallel()
	for _, sv := range services() {
		t.Run(sv.Name, func(t *testing.T) {
			t.Parallel()
			if sv.Title == "" || sv.Player == nil || sv.Player.Name() != sv.Name {
				t.Errorf("title %q, player %v", sv.Title, sv.Player)
			}
			if tree := Tree(io.Discard).Root().Below(sv.Words(sv.Stream(&program.Program{}))); tree == nil || tree.Run == nil {
				t.Errorf("its stream is not in the tree")
			}
			if sv.Emulator == nil {
				return
			}
			t.Run("record and play", func(t *testing.T) { t.Parallel(); testRecordAndPlay(t, sv) })
			t.Run("doctor", func(t *testing.T) {
				t.Parallel()
				args := append([]string{"doctor", sv.Name, "--emulator"}, sv.Demo...)
				if code, stdout, stderr := runHark(t, nil, args...); code != 0 || !strings.Contains(stdout, "ok") {
					t.Errorf("ended with %d\n%s%s", code, stdout, stderr)
				}
			})
			t.Run("config init", func(t *testing.T) { t.Parallel(); testConfigInit(t, sv) })
			t.Run("variables", func(t *testing.T) { t.Parallel(); testEmulatorVariables(t, sv) })
			if _, err := os.Stat("../docs/" + sv.Name + ".md"); err != nil {
				t.Error(err)
			}
		})
	}
}

// testRecordAndPlay records a stream from the emulator; play prints the same lines.
func testRecordAndPlay(t *testing.T, sv stream.Service) {
	recording := filepath.Join(t.TempDir(), "x.tape")
	args := append(sv.Words(sv.Stream(&program.Program{})), "--emulator", "-n", "3", "-m", "60s", "--record", recording)
	code, streamed, stderr := runHark(t, nil, append(args, sv.Demo...)...)
	if code != 0 || strings.Count(streamed, "\n") != 3 {
		t.Fatalf("the stream ended with %d\n%s%s", code, streamed, stderr)
	}
	code, played, stderr := runHark(t, nil, "play", recording, "-n", "3")
	if code != 0 || played != streamed {
		t.Errorf("play ended with %d\n%s%swant\n%s", code, played, stderr, streamed)
	}
}

// testConfigInit writes the settings that config init asks for; they are read back, and
// each command accepts them.
func testConfigInit(t *testing.T, sv stream.Service) {
	environ := []string{"HARK_CONFIG=" + filepath.Join(t.TempDir(), "config.toml")}
	args := []string{"config", "init", sv.Name, "--no-check"}
	var want []string
	for _, q := range sv.Settings {
		value := q.Default
		if value == "" && q.Name == "endpoint" {
			value = "https://service.example.com"
		} else if value == "" {
			value = "acme"
		}
		args = append(args, "--set", q.Name+"="+value)
		want = append(want, sv.Name+"."+q.Name+" = "+value)
	}
	if code, _, stderr := runHark(t, environ, args...); code != 0 {
		t.Fatalf("config init ended with %d\n%s", code, stderr)
	}
	slices.Sort(want)
	code, stdout, stderr := runHark(t, environ, "config", "show")
	if got := strings.Split(strings.TrimSpace(stdout), "\n"); code != 0 || !slices.Equal(got, want) {
		t.Errorf("config show ended with %d: %q, want %q\n%s", code, got, want, stderr)
	}
	if code, _, stderr := runHark(t, environ, "config", "check"); code != 0 {
		t.Errorf("config check ended with %d\n%s", code, stderr)
	}
}

// testEmulatorVariables checks that each variable that emulate prints is that of a
// flag, except HARK_DEMO_….
func testEmulatorVariables(t *testing.T, sv stream.Service) {
	known := make(map[string]bool)
	Tree(io.Discard).Root().Walk(func(c *cmdline.Command) {
		for _, f := range c.Flags {
			known[f.Variable()] = true
		}
	})
	e, err := services().Emulators().New(emulator.DefaultOptions(), sv.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	environ, err := e.Environ("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range environ {
		if name, _, _ := strings.Cut(v, "="); !known[name] && !strings.HasPrefix(name, "HARK_DEMO_") {
			t.Errorf("no flag has the variable %s", name)
		}
	}
}

func TestClocked(t *testing.T) {
	tests := []struct {
		service, data string
		want          bool
	}{
		{"octave", `{"type":"heartbeat"}`, true},
		{"octave", `{"type":"subscribe","path":"/a"}`, false},
		{"doshii", `{"doshii":{"ping":1795435199988,"version":"1"}}`, true},
		{"doshii", `"primus::pong::1"`, true},
		{"doshii", `"hello"`, false},
		{"doshii", `{"emit":["x"]}`, false},
		{"drogue", `{"RefreshAccessToken":"x"}`, true},
		{"connect", `{"type":"heartbeat"}`, false},
		{"", "", false},
	}
	for _, tt := range tests {
		got := false
		if sv := services().Find(tt.service); sv != nil && sv.Clocked != nil {
			got = sv.Clocked([]byte(tt.data))
		}
		if got != tt.want {
			t.Errorf("%s, %s: %v", tt.service, tt.data, got)
		}
	}
}
