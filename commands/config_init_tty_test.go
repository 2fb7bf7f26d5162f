//go:build unix

package commands

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A credential that is typed is not on the screen, neither then nor later, and the
// terminal echoes again afterwards, also when the question is not answered.
func TestConfigInitHidesCredentials(t *testing.T) {
	t.Parallel()
	x := startTTY(t, `HARK_CONFIG=$HOME/c.toml exec "$HARK" config init octave --no-check`)
	x.until("company:")
	x.keys("acme\r")
	x.until("restricted token):")
	x.keys("alice\r")
	x.until("(not shown)\n:")
	x.keys("hunter2-typed\r")
	x.ended(0)
	x.restored()
	text, err := os.ReadFile(filepath.Join(x.home, "c.toml"))
	if err != nil || !strings.Contains(string(text), `token = "hunter2-typed"`) {
		t.Errorf("the file: %s, %v", text, err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if strings.Contains(string(x.raw), "hunter2") {
		t.Errorf("the credential is on the screen: %q", x.raw)
	}
}

func TestConfigInitInterrupted(t *testing.T) {
	t.Parallel()
	x := startTTY(t, `HARK_CONFIG=$HOME/c.toml exec "$HARK" config init octave --no-check`)
	x.until("company:")
	x.keys("acme\r")
	x.until("restricted token):")
	x.keys("alice\r")
	x.until("(not shown)\n:")
	x.keys("\x03")
	x.ended(130)
	x.restored()
}
