package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWriteFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "r.xml")
	for _, text := range []string{"first, and longer", "second"} {
		if err := (Target{Path: path}).Check(); err != nil {
			t.Fatal(err)
		}
		if err := writeFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, bad := range []string{folder, filepath.Join(folder, "no", "r.xml"), filepath.Join(path, "x")} {
		if err := (Target{Path: bad}).Check(); err == nil {
			t.Errorf("%s can be written", bad)
		} else if text := fmt.Sprint(err); !strings.Contains(text, bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
