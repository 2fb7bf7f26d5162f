package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// goreleaser runs GoReleaser at the root of the repository, which need not have a remote
// for it.
func goreleaser(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"tool", "-modfile=tools/release/go.mod", "goreleaser"}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GIT_CONFIG_COUNT=1",
		"GIT_CONFIG_KEY_0=remote.origin.url", "GIT_CONFIG_VALUE_0=https://github.com/hark-cli/hark.git")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("goreleaser %v: %v\n%s", args, err, out)
	}
}

// slow skips what needs GoReleaser, unless "make test-release" runs it: building
// GoReleaser takes as long as all other tests.
func slow(t *testing.T) {
	if os.Getenv("HARK_TEST_RELEASE") != "1" {
		t.Skip("make test-release checks what GoReleaser makes")
	}
}

// The files that go into archives and packages exist.
func TestSources(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	sources := regexp.MustCompile(`(?m)^ *- src: '?([^' \n]+)`).FindAllStringSubmatch(string(text), -1)
	if len(sources) < 10 {
		t.Errorf("%d sources in .goreleaser.yaml", len(sources))
	}
	braces := regexp.MustCompile(`\{(.*)\}`) // Glob does not know them
	for _, m := range sources {
		patterns := []string{m[1]}
		if in := braces.FindStringSubmatch(m[1]); in != nil {
			patterns = nil
			for alternative := range strings.SplitSeq(in[1], ",") {
				patterns = append(patterns, strings.Replace(m[1], in[0], alternative, 1))
			}
		}
		for _, pattern := range patterns {
			if found, err := filepath.Glob(filepath.Join(root, pattern)); err != nil || len(found) == 0 {
				t.Errorf(".goreleaser.yaml: there is no %s (%v)", pattern, err)
			}
		}
	}
}

func TestConfiguration(t *testing.T) {
	slow(t)
	goreleaser(t, "check")
}

// snapshot builds the release for this system only, and returns its folder.
func snapshot(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// The SBOM is made by a tool of this module, which is only found in its folder.
	if err := os.MkdirAll(filepath.Join(root, "dist"), 0o755); err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp(filepath.Join(root, "dist"), "test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	for _, change := range [][2]string{
		{`(?m)^( *goos: )\[.*\]$`, "${1}[linux]"},
		{`(?m)^( *goarch: )\[.*\]$`, "${1}[" + runtime.GOARCH + "]"},
		{`(?m)^project_name:`, "dist: dist/" + filepath.Base(folder) + "\n$0"},
		{`-modfile=\.\./`, "-modfile=../../"},
	} {
		pattern := regexp.MustCompile(change[0])
		if !pattern.Match(text) {
			t.Fatalf("%s does not match in .goreleaser.yaml", change[0])
		}
		text = pattern.ReplaceAll(text, []byte(change[1]))
	}
	config := filepath.Join(t.TempDir(), "one.yaml")
	if err := os.WriteFile(config, text, 0o644); err != nil {
		t.Fatal(err)
	}
	goreleaser(t, "release", "--snapshot", "--clean", "--config", config)
	return folder
}

// only returns the file of a folder that the pattern matches.
func only(t *testing.T, folder, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v, %v", pattern, found, err)
	}
	return found[0]
}

// Builds of a commit are reproducible: archives, packages and SBOMs. The package can be
// installed, runs, and is removed completely.
func TestSnapshot(t *testing.T) {
	slow(t)
	if runtime.GOOS != "linux" {
		t.Skip("packages are for Linux")
	}
	one, two := snapshot(t), snapshot(t)
	sums, err := os.ReadFile(filepath.Join(one, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(filepath.Join(two, "SHA256SUMS"))
	if err != nil || !bytes.Equal(sums, again) {
		t.Errorf("two builds differ: %v\n%s\n%s", err, sums, again)
	}
	for _, suffix := range []string{".tar.gz", ".deb", ".rpm", ".apk", ".cdx.json"} {
		if !strings.Contains(string(sums), suffix+"\n") {
			t.Errorf("SHA256SUMS has no %s:\n%s", suffix, sums)
		}
	}
	checkArchive(t, only(t, one, "*.tar.gz"))
	checkModules(t, only(t, one, "*.cdx.json"))
	t.Run("deb", func(t *testing.T) { install(t, only(t, one, "*.deb")) })
}

func checkArchive(t *testing.T, file string) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(h.Name, "/")
		names = append(names, name)
	}
	want := append(linked(t), strings.Fields("README.md completions/_hark completions/hark.bash completions/hark.fish completions/hark.ps1 hark hark.1")...)
	for _, name := range want {
		if !slices.Contains(names, name) {
			t.Errorf("the archive has no %s: %v", name, names)
		}
	}
}

// linked returns the files that README.md and the pages that it links to link to.
func linked(t *testing.T) []string {
	link := regexp.MustCompile(`\]\(([^):#]+)[^):]*\)`)
	names := []string{"README.md"}
	for i := 0; i < len(names); i++ {
		if filepath.Ext(names[i]) != ".md" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, names[i]))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllSubmatch(text, -1) {
			name := path.Join(path.Dir(names[i]), string(m[1]))
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func checkModules(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		Components []struct{ Name string }
	}
	if err := json.Unmarshal(text, &bom); err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{"std", "github.com/itchyny/gojq"} {
		if !slices.ContainsFunc(bom.Components, func(c struct{ Name string }) bool { return c.Name == module }) {
			t.Errorf("%s does not name %s", path, module)
		}
	}
}

func install(t *testing.T, deb string) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("there is no dpkg")
	}
	if _, err := os.Stat("/usr/bin/hark"); err == nil {
		t.Skip("hark is installed on this machine")
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
	run("dpkg", "-i", deb)
	if out := run("/usr/bin/hark", "drogue", "tail", "--emulator", "demo-app", "-n", "1"); !strings.Contains(out, "specversion") {
		t.Errorf("hark printed %s", out)
	}
	listed := run("dpkg", "-L", "hark")
	for _, name := range linked(t) {
		file := "/usr/share/doc/hark/" + name
		if !strings.Contains(listed, file+"\n") {
			t.Errorf("the package has no %s:\n%s", file, listed)
		}
	}
	for _, path := range []string{"/usr/share/man/man1/hark.1", "/usr/share/bash-completion/completions/hark"} {
		if _, err := os.Stat(path); err != nil {
			// A minimal system excludes manuals by a rule of dpkg.
			t.Logf("not installed: %v", err)
		}
	}
	run("dpkg", "--purge", "hark")
	if _, err := os.Stat("/usr/bin/hark"); err == nil {
		t.Error("hark is still there")
	}
}
