//go:build unix

package credential

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestReferences(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("from a file"), 0o644); err != nil {
		t.Fatal(err)
	}
	exposed := 0
	r := &References{
		LookupEnv: func(name string) (string, bool) { return "from " + name, name == "X" },
		Environ:   os.Environ,
		Exposed:   func(string, fs.FileMode) { exposed++ },
		Hold:      func(context.Context) func() { return func() {} },
	}
	for _, tt := range []struct {
		text      string
		reference bool
		renewable bool
		want      string // "error: …" for the one of Open, "failed: …" for the one of getting it
	}{
		{"literal", false, false, "literal"},
		{"url://x", false, false, "url://x"},
		{"env:X", true, false, "from X"},
		{"env:Y", true, false, "error: the environment variable Y is not set"},
		{"file:" + path, true, true, "from a file"},
		{"file:" + path + "x", true, false, "error: stat " + path + "x: no such file or directory"},
		{"cmd:printf '%s' a:b", true, true, "a:b"},
		{"cmd:echo no key >&2; exit 3", true, true, "failed: the command failed: exit status 3: no key"},
		{"keyring:x", true, false, "error: expected keyring:SERVICE/NAME"},
	} {
		get, renewable, err := r.Open(tt.text)
		got := ""
		if err != nil {
			got, renewable = "error: "+err.Error(), false
		} else if got, err = get(t.Context()); err != nil {
			got = "failed: " + err.Error()
		}
		if got != tt.want || renewable != tt.renewable || IsReference(tt.text) != tt.reference {
			t.Errorf("%s: %q, renewable %v, a reference %v", tt.text, got, renewable, IsReference(tt.text))
		}
	}
	if exposed == 0 {
		t.Error("no warning that others can read the file")
	}
	for _, bad := range []string{"", "a\nb", "a\x7f"} {
		if Usable(bad) == nil {
			t.Errorf("%q is usable", bad)
		}
	}
}
