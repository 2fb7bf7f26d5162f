package commands

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// A keyring that takes the connection and never answers ends with --max-time, for a
// flag that is read before there is a stream as for one that is read in it.
func TestHangingKeyring(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+socket)
	for _, line := range []string{
		"connect ws://127.0.0.1:1 -u a:keyring:x/y -m 50ms",
		"connect ws://127.0.0.1:1 --proxy-user a:keyring:x/y -x http://127.0.0.1:1 -m 50ms",
		"octave subscribe /x --company c --token keyring:x/y --endpoint http://127.0.0.1:1 -m 50ms",
	} {
		code, _, stderr := runHark(t, nil, strings.Fields(line)...)
		if code != exitOverdue || !strings.Contains(stderr, "50ms") && !strings.Contains(stderr, "--max-time") {
			t.Errorf("%s: %d, %s", line, code, stderr)
		}
	}
}

// Its time is part of an attempt to connect, as that of a service that gives a token is.
func TestHangingKeyringConnectTimeout(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+socket)
	for _, line := range []string{
		"octave subscribe /x --company c --token keyring:x/y --endpoint http://127.0.0.1:1 --connect-timeout 50ms --retries 0",
		"connect ws://127.0.0.1:1 -u keyring:x/y --connect-timeout 50ms",
		"connect ws://127.0.0.1:1 -x http://127.0.0.1:1 -U a:keyring:x/y --connect-timeout 50ms",
	} {
		code, _, stderr := runHark(t, nil, strings.Fields(line)...)
		if code != exitUnreachable || !strings.Contains(stderr, "50ms") {
			t.Errorf("%s: %d, %s", line, code, stderr)
		}
	}
}
