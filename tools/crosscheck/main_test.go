package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An error on one system only is found there, also in a test, and nowhere else.
func TestCheck(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":            "module example.org/x\n\ngo 1.26\n",
		"x.go":              "package x\n\nimport \"os\"\n\nfunc f() error { return os.Chdir(\"/\") }\n",
		"x_windows.go":      "package x\n\nvar _ int = f()\n",
		"y_windows_test.go": "package x\n\nimport \"testing\"\n\nfunc TestY(*testing.T) { missing() }\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	problems, err := check(folder, "windows")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(problems, "\n")
	for _, want := range []string{"x_windows.go:3:13: cannot use f()", "y_windows_test.go:5:26: undefined: missing"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not among the problems:\n%s", want, got)
		}
	}
	if len(problems) != 2 {
		t.Errorf("%d problems, want 2:\n%s", len(problems), got)
	}
	if problems, err := check(folder, "linux"); err != nil || len(problems) > 0 {
		t.Errorf("on another system: %q, %v", problems, err)
	}
	if _, err := check(folder, "plan10"); err == nil || !strings.Contains(err.Error(), "plan10") {
		t.Errorf("an unknown system: %v", err)
	}
}
