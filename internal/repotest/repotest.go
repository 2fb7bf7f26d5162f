// Package repotest tests the repository itself: which package may know which, the
// examples of the README, and what no file may contain. For other packages' tests
// it finds what "make deps" has installed.
package repotest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Root is the folder of the repository, for a test in any of its packages.
func Root(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			t.Fatal("there is no go.mod above the test")
		}
		folder = parent
	}
}

// Node returns a command that runs a script of Node.js with the package ws at
// hand, which is WebSocket made by others. Without it the test is skipped.
func Node(t testing.TB, script string, args ...string) *exec.Cmd {
	t.Helper()
	modules := filepath.Join(Root(t), ".deps", "node_modules")
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(modules, "ws", "package.json"))
	}
	if err != nil {
		t.Skipf("run make deps, and install Node.js if it says so: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), node, append([]string{script}, args...)...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	return cmd
}
