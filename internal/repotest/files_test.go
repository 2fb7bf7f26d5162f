package repotest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const maxLines = 1000

// generated are files that nobody writes or reads by hand.
var generated = []string{"man/hark.1"}

// machinePath matches an absolute path that only exists where somebody works.
var machinePath = regexp.MustCompile(`(?:^|[^\w.~*-])(/(?:root|home/\w+|Users/\w+|tmp|var/tmp|var/folders)/[\w.-][^\s"'` + "`" + `]*)`)

// tracked lists the files of the repository, those that are not yet committed too.
func tracked(t *testing.T) []string {
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	cmd.Dir = Root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	names := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if len(names) < 10 {
		t.Fatalf("only the files %q were found", names)
	}
	return names
}

// blemishes lists what a file should not have.
func blemishes(name string, data []byte) []string {
	if bytes.IndexByte(data, 0) >= 0 {
		return nil // no text
	}
	var found []string
	lines := 0
	for line := range bytes.Lines(data) {
		lines++
		if m := machinePath.FindSubmatch(line); m != nil {
			found = append(found, fmt.Sprintf("%s:%d: %s is a path of somebody's machine", name, lines, m[1]))
		}
	}
	if lines > maxLines && !slices.Contains(generated, name) {
		found = append(found, fmt.Sprintf("%s has %d lines, more than %d: split it", name, lines, maxLines))
	}
	return found
}

func TestFiles(t *testing.T) {
	root := Root(t)
	for _, name := range tracked(t) {
		data, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // removed, not yet committed
		}
		if info, statErr := os.Lstat(filepath.Join(root, name)); statErr == nil && !info.Mode().IsRegular() {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blemishes(name, data) {
			t.Error(b)
		}
	}
}

func TestBlemishes(t *testing.T) {
	const home = "/ho" + "me/"
	tests := []struct {
		text string
		want int
	}{
		{"", 0},
		{strings.Repeat("x\n", maxLines), 0},
		{strings.Repeat("x\n", maxLines+1), 1},
		{strings.Repeat("x\n", maxLines+1) + "\x00", 0},
		{"see /ro" + "ot/x", 1},
		{`"` + home + `ann/src"`, 1},
		{"cd /tm" + "p/x1\ncd /Us" + "ers/ann/y", 2},
		{"https://example.com" + home + "ann/", 0},
		{"~" + home + "x/y and $HOME/tmp/y and ./tm" + "p/z", 0},
		{"the folders /tmp and /home", 0},
	}
	for _, tt := range tests {
		if got := blemishes("f", []byte(tt.text)); len(got) != tt.want {
			t.Errorf("%.40q: %q, want %d", tt.text, got, tt.want)
		}
	}
}
