package commands

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// withHangingKeyring runs hark with a keyring that does not answer, in a separate
// process, so that no goroutine waiting for the keyring outlives the test.
func withHangingKeyring(t *testing.T, line string) (code int, stderr string) {
	t.Helper()
	folder := t.TempDir()
	socket := filepath.Join(folder, "bus")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "hark") // testscript knows its commands by this name
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, strings.Fields(line)...)
	cmd.Env = []string{"HOME=" + folder, "DBUS_SESSION_BUS_ADDRESS=unix:path=" + socket, "GORACE=atexit_sleep_ms=10"}
	var text strings.Builder
	cmd.Stderr = &text
	if _, ok := errors.AsType[*exec.ExitError](cmd.Run()); !ok {
		t.Errorf("%s: not run, or no failure", line)
	}
	return cmd.ProcessState.ExitCode(), text.String()
}

// A keyring that takes the connection and never answers ends with --max-time, for a
// flag that is read before there is a stream as for one that is read in it.
func TestHangingKeyring(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"connect ws://127.0.0.1:1 -u a:keyring:x/y -m 50ms",
		"connect ws://127.0.0.1:1 --proxy-user a:keyring:x/y -x http://127.0.0.1:1 -m 50ms",
		"octave subscribe /x --company c --token keyring:x/y --endpoint http://127.0.0.1:1 -m 50ms",
	} {
		code, stderr := withHangingKeyring(t, line)
		if code != 7 || !strings.Contains(stderr, "50ms") && !strings.Contains(stderr, "--max-time") {
			t.Errorf("%s: %d, %s", line, code, stderr)
		}
	}
}

// Its time is part of a connection attempt, like that of a token service.
func TestHangingKeyringConnectTimeout(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"octave subscribe /x --company c --token keyring:x/y --endpoint http://127.0.0.1:1 --connect-timeout 50ms --retries 0",
		"connect ws://127.0.0.1:1 -u keyring:x/y --connect-timeout 50ms",
		"connect ws://127.0.0.1:1 -x http://127.0.0.1:1 -U a:keyring:x/y --connect-timeout 50ms",
	} {
		code, stderr := withHangingKeyring(t, line)
		if code != 3 || !strings.Contains(stderr, "50ms") {
			t.Errorf("%s: %d, %s", line, code, stderr)
		}
	}
}
