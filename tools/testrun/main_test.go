package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What go test prints is printed, what was skipped is listed with the reason, and in
// strict mode that is a failure.
func TestReport(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/hark/m\n\ngo 1.26\n",
		"x_test.go": `package m

import (
	"fmt"
	"testing"
)

func TestPass(t *testing.T) { t.Log("unseen") }
func TestSkip(t *testing.T) {
	t.Run("a", func(t *testing.T) { t.Skip("x is missing") })
	t.Run("b", func(t *testing.T) { t.Skip("x is missing") })
	t.Run("c", func(t *testing.T) { t.SkipNow() })
}
func TestPart(t *testing.T) { fmt.Println("skipped: y is missing") }
func TestScript(t *testing.T) {
	defer t.Log("WORK=x\nlog")
	t.Skip("z is missing")
}
func TestFail(t *testing.T) {
	if testing.Short() {
		t.Error("seen")
	}
}
`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	r := &report{out: &out, reasons: make(map[string][]string), output: make(map[test][]string)}
	if err := run(r, folder, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.finish(false, regexp.MustCompile("^$")); err != nil {
		t.Error(err)
	}
	text := out.String()
	_, list, _ := strings.Cut(text, "\nskipped:\n")
	const want = `  no reason was given:
      m TestSkip/c
  x is missing:
      m TestSkip/a
      m TestSkip/b
  y is missing:
      m a part of a test
  z is missing:
      m TestScript
`
	if list != want || !strings.HasPrefix(text, "ok  \texample.com/hark/m\t") || strings.Contains(text, "unseen") {
		t.Errorf("printed:\n%s\nwant the list:\n%s", text, want)
	}
	for may, ok := range map[string]bool{"^x": false, "missing|reason": true} {
		if err := r.finish(true, regexp.MustCompile(may)); (err == nil) != ok {
			t.Errorf("%s: error %v", may, err)
		}
	}
	out.Reset()
	if err := run(r, folder, []string{"-short", "-run=Fail"}); err == nil || !strings.Contains(out.String(), "seen") {
		t.Errorf("error %v, printed:\n%s", err, &out)
	}
	if err := os.WriteFile(filepath.Join(folder, "y_test.go"), []byte("package m\n\nvar x int = true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := run(r, folder, nil); err == nil || !strings.Contains(out.String(), "y_test.go:3") {
		t.Errorf("error %v, printed:\n%s", err, &out)
	}
}
