package repotest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/hark-cli/hark"

// A rule is a row of imports.txt, which says what the fields mean.
type rule struct {
	kind, name string
	may, tests []string
	why        string
	used       bool
}

// A table is imports.txt.
type table []rule

func readTable(t *testing.T) (all table) {
	text, err := os.ReadFile("imports.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		key, value, _ := strings.Cut(strings.TrimPrefix(line, "\t"), " ")
		switch last := len(all) - 1; {
		case line == "" || line[0] == '#':
		case line[0] != '\t' && (key == "package" || key == "module"):
			all = append(all, rule{kind: key, name: value})
		case key == "may":
			all[last].may = append(all[last].may, strings.Fields(value)...)
		case key == "tests":
			all[last].tests = append(all[last].tests, strings.Fields(value)...)
		case key == "why":
			all[last].why = value
		default:
			t.Fatalf("imports.txt: unknown line %q", line)
		}
	}
	return all
}

// find returns the row for the package or module of that name, or nil.
func (all table) find(kind, name string) *rule {
	for i := range all {
		if r := &all[i]; r.kind == kind && (r.name == name || kind == "module" && strings.HasPrefix(name, r.name+"/")) {
			return r
		}
	}
	for i := range all {
		if r := &all[i]; r.kind == kind && matchesFolder(r.name, name) {
			return r
		}
	}
	return nil
}

// matchesFolder reports whether a folder matches a pattern.
func matchesFolder(pattern, folder string) bool {
	ok, err := path.Match(pattern, folder)
	return ok && err == nil
}

// allows reports whether one of the folders matches to, as imported by pkg.
func (r *rule) allows(folders []string, pkg, to string) bool {
	name := "*"
	if before, _, ok := strings.Cut(r.name, "*"); ok {
		name, _, _ = strings.Cut(strings.TrimPrefix(pkg, before), "/")
	}
	return slices.ContainsFunc(folders, func(f string) bool { return matchesFolder(strings.ReplaceAll(f, "*", name), to) })
}

// offense returns what is wrong with an import, or "".
func (all table) offense(pkg, to string, inTest bool) string {
	own, ok := strings.CutPrefix(to, module+"/")
	first, _, _ := strings.Cut(to, "/")
	switch {
	case !ok && !strings.Contains(first, "."):
		return "" // the standard library
	case !ok:
		r := all.find("module", to)
		if r == nil {
			return fmt.Sprintf("%s imports %s, which has no row in imports.txt: say there which package is its home, and why", pkg, to)
		}
		r.used = true
		if slices.Contains(r.may, pkg) || inTest && r.tests != nil {
			return ""
		}
		return fmt.Sprintf("%s must not import %s, whose home is %v: %s", pkg, to, r.may, r.why)
	}
	r := all.find("package", pkg)
	switch {
	case r == nil:
		return fmt.Sprintf("%s has no row in imports.txt: say there what it may import, and why", pkg)
	case r.allows(r.may, pkg, own) || inTest && (own == pkg || r.allows(r.tests, pkg, own)):
		return ""
	}
	return fmt.Sprintf("%s must not import %s: %s", pkg, own, r.why)
}

// TestImports checks what each package imports, as built on three systems, against
// imports.txt.
func TestImports(t *testing.T) {
	all := readTable(t)
	reported := make(map[string]bool)
	for _, system := range []string{"linux", "darwin", "windows"} {
		cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		for d := json.NewDecoder(strings.NewReader(string(out))); ; {
			var l struct {
				ImportPath                         string
				Imports, TestImports, XTestImports []string
			}
			if err := d.Decode(&l); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			pkg := strings.TrimPrefix(strings.Replace(l.ImportPath, module, ".", 1), "./")
			if r := all.find("package", pkg); r != nil {
				r.used = true
			}
			for i, to := range slices.Concat(l.Imports, l.TestImports, l.XTestImports) {
				if problem := all.offense(pkg, to, i >= len(l.Imports)); problem != "" && !reported[problem] {
					reported[problem] = true
					t.Error(problem)
				}
			}
		}
	}
	for _, r := range all {
		if !r.used {
			t.Errorf("imports.txt has a row for the %s %s, which nothing needs", r.kind, r.name)
		}
	}
}

func TestOffense(t *testing.T) {
	const own = module + "/"
	all := readTable(t)
	for _, tt := range []struct {
		pkg, to string
		inTest  bool
		want    string // part of the problem, "" for none
	}{
		{".", own + "commands", false, ""},
		{".", own + "proto", false, "hands its arguments over"},
		{".", "os", false, ""},
		{"proto", own + "output", true, "must not import output"},
		{"proto", own + "internal/emulator", false, "must not import internal/emulator"},
		{"proto", own + "internal/emulator", true, ""},
		{"proto", own + "proto", true, ""},
		{"internal/emulator/octave", own + "proto", true, "agree with the client's mistakes"},
		{"internal/nosuch", own + "proto", false, "has no row in imports.txt"},
		{"proto/new", own + "proto/new/wire", false, ""},
		{"commands/new", own + "proto/octave", false, "no other one"},
		{"internal/emulator/new", own + "proto", true, "agree with"},
		{"proto/octave", own + "proto/drogue/wire", false, "neither other services nor flags"},
		{"commands", "github.com/urfave/cli/v2", true, "in words of our own"},
		{"internal/cmdline", "github.com/urfave/cli/v2", false, ""},
		{"internal/jq", "github.com/itchyny/gojq", false, ""},
		{"commands", "github.com/coder/websocket", false, "must not import"},
		{"proto", "github.com/coder/websocket", false, "must not import"},
		{"internal/wsconn", own + "proto", false, "one connection"},
		{"commands", "github.com/coder/websocket", true, ""},
		{"commands", "github.com/coder/websocketfork", false, "has no row in imports.txt"},
		{"commands", "github.com/google/go-cmp/cmp", false, "for tests"},
	} {
		if got := all.offense(tt.pkg, tt.to, tt.inTest); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s imports %s: %q, want %q", tt.pkg, tt.to, got, tt.want)
		}
	}
}
