//go:build linux

package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// The binary of the Dockerfile runs with nothing but the certificates, and not as root:
// the test builds it with the command of the Dockerfile, and uses a chroot instead of
// the image.
func TestImage(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("chroot needs root")
	}
	const certificates = "/etc/ssl/certs/ca-certificates.crt"
	if _, err := os.Stat(certificates); err != nil {
		t.Skip("this machine has no certificates")
	}
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^RUN (.*) -o /hark \.$`).FindSubmatch(text)
	if m == nil || !strings.Contains(string(text), "COPY --from=build "+certificates) {
		t.Fatalf("the Dockerfile builds something else:\n%s", text)
	}
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("sh", "-c", string(m[1])+" -o '"+filepath.Join(root, "hark")+"' .")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(certificates)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, filepath.Dir(certificates)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, certificates), data, 0o644); err != nil {
		t.Fatal(err)
	}
	run := &exec.Cmd{
		Path: "/hark", Args: []string{"/hark", "drogue", "tail", "--emulator", "demo-app", "-n", "1"}, Dir: "/", Env: []string{},
		SysProcAttr: &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65534, Gid: 65534}},
	}
	out, err := run.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"specversion":"1.0"`) {
		t.Errorf("%v\n%s", err, out)
	}
}
