package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The package is installed, runs, and leaves nothing behind when it is removed.
// The same commit makes the same bytes.
func TestDeb(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("needs root on Linux")
	}
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("there is no dpkg")
	}
	if _, err := os.Stat("/usr/bin/hark"); err == nil {
		t.Skip("hark is installed on this machine")
	}
	one, two := t.TempDir(), t.TempDir()
	for _, out := range []string{one, two} {
		d := &dist{root: "../..", out: out}
		if err := d.run("linux/" + runtime.GOARCH); err != nil {
			t.Fatal(err)
		}
	}
	sums, err := os.ReadFile(filepath.Join(one, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(filepath.Join(two, "SHA256SUMS"))
	if err != nil || !bytes.Equal(sums, again) {
		t.Errorf("two builds differ: %v\n%s\n%s", err, sums, again)
	}
	debs, err := filepath.Glob(filepath.Join(one, "*.deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("packages: %v, %v", debs, err)
	}
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	t.Cleanup(func() { _ = exec.Command("dpkg", "--purge", "hark").Run() })
	run("dpkg", "-i", debs[0])
	if out := run("/usr/bin/hark", "drogue", "tail", "--emulator", "demo-app", "-n", "1"); !strings.Contains(out, "specversion") {
		t.Errorf("hark printed %s", out)
	}
	for _, path := range []string{"/usr/share/man/man1/hark.1", "/usr/share/bash-completion/completions/hark"} {
		if _, err := os.Stat(path); err != nil {
			// A minimal system leaves manuals out by a rule of dpkg.
			t.Logf("not installed: %v", err)
		}
	}
	run("dpkg", "--purge", "hark")
	if _, err := os.Stat("/usr/bin/hark"); err == nil {
		t.Error("hark is still there")
	}
}
