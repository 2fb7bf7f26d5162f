package repotest

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/hark-cli/hark"

// An arrow says which packages of the module a package may import.
type arrow struct {
	pkg    string   // folder of the package, "." for the program
	may    []string // folders of the packages that it may import
	tests  []string // those that its test files may import besides
	reason string
}

// arrows is the picture of the house as a table. A new package needs a row.
func arrows() []arrow {
	return []arrow{
		{".", []string{"commands"}, nil,
			"the program hands its arguments over and does nothing else"},
		{"commands", []string{"output", "proto", "proto/wire", "internal/emulator", "internal/replay", "internal/secret", "internal/jsontext", "internal/config", "internal/hub", "internal/wsserver", "internal/lineedit", "internal/console", "completions", "man", "internal/login", "internal/tokenstore"}, []string{"internal/repotest"},
			"commands puts everything together, so nothing may need it"},
		{"output", []string{"proto", "proto/wire", "internal/jsontext", "internal/console"}, []string{"internal/repotest"},
			"output makes bytes of events; it knows neither services nor flags"},
		{"proto", []string{"proto/wire", "internal/secret", "internal/jsontext"}, []string{"internal/emulator", "internal/repotest"},
			"the engine reports what happened; what is printed, and to whom, is decided outside it"},
		{"proto/wire", nil, []string{"internal/repotest"},
			"client and emulator share it, so it must bring nothing else along for them to share"},
		{"internal/emulator", []string{"proto/wire"}, []string{"internal/repotest"},
			"an emulator that knew the client would agree with the client's mistakes"},
		{"internal/replay", []string{"proto", "proto/wire", "internal/secret"}, []string{"internal/repotest"},
			"it is a server for tapes, which are the engine's"},
		{"internal/secret", nil, nil, "a leaf: every package may need to withhold a secret"},
		{"internal/jsontext", nil, nil, "a leaf: every package may need to look at JSON"},
		{"internal/config", nil, nil, "a leaf: it reads a file and knows nothing of what the settings mean"},
		{"internal/login", []string{"internal/secret", "internal/tokenstore"}, []string{"proto", "internal/emulator"},
			"it gets tokens; what they open is not its business"},
		{"internal/tokenstore", nil, nil, "a leaf: what it keeps is opaque to it"},
		{"internal/hub", nil, nil, "a server that knows nothing of services, nor of who reads what it reports"},
		{"internal/console", nil, nil, "a leaf: it knows lines and writers, and what acts on a terminal"},
		{"internal/wsserver", nil, nil, "servers share it, whatever they serve"},
		{"internal/lineedit", nil, nil, "it knows keys and a screen, not what is typed"},
		{"internal/repotest", nil, nil, "it looks at files, not at code"},
		{"completions", nil, nil, "it holds generated files"},
		{"man", nil, nil, "it holds the manual"},
		{"bench", []string{"commands", "output", "proto", "proto/wire", "internal/emulator", "internal/jsontext"}, []string{"internal/repotest"},
			"benchmarks may measure anything, so nothing may need them"},
	}
}

// A home says where a third-party module may be imported.
type home struct {
	module string
	pkgs   []string
	tests  bool // test files anywhere may import it
	reason string
}

// homes lists every third-party module that is imported.
func homes() []home {
	const terminal = "only commands knows that there is a terminal"
	return []home{
		{"github.com/urfave/cli/v2", []string{"commands"}, false,
			"how a command line is read is decided in one place, behind shims"},
		{"github.com/chzyer/readline", []string{"internal/lineedit"}, false,
			"its faults are dealt with in one place"},
		{"github.com/mattn/go-runewidth", []string{"internal/lineedit"}, false,
			"only what draws needs to know how wide a character is"},
		{"github.com/mattn/go-isatty", []string{"commands"}, false, terminal},
		{"golang.org/x/term", []string{"commands", "internal/lineedit"}, true, terminal},
		{"golang.org/x/sys", []string{"commands", "internal/lineedit"}, false, "only commands and the line editor deal with the operating system"},
		{"golang.org/x/net/http/httpguts", []string{"commands"}, false,
			"headers that users type are checked where they are typed"},
		{"github.com/itchyny/gojq", []string{"output"}, true,
			"events are filtered in one place; expressions arrive there as text"},
		{"github.com/coder/websocket", []string{"proto", "internal/emulator", "internal/hub"}, true,
			"a socket is used by the engine and its counterparts, by nothing else"},
		{"github.com/BurntSushi/toml", []string{"internal/config"}, false, "there is one configuration file"},
		{"golang.org/x/net", []string{"proto"}, false, "host names go out in the form in which net/http looks them up"},
		{"golang.org/x/oauth2", []string{"internal/login"}, false, "one package speaks OAuth 2.0"},
		{"github.com/zalando/go-keyring", []string{"internal/tokenstore"}, true,
			"whether there is a keyring is known in one place"},
		{"github.com/zitadel/oidc/v3", nil, true, "it is for tests"},
		{"github.com/go-jose/go-jose/v4", nil, true, "it is for tests"},
		{"github.com/google/go-cmp", nil, true, "it is for tests"},
		{"github.com/rogpeppe/go-internal", nil, true, "it is for tests"},
		{"github.com/creack/pty", nil, true, "it is for tests"},
		{"github.com/cloudevents/sdk-go/v2", nil, true,
			"it is a second opinion about what is printed, and too slow to print it"},
		{"github.com/hinshun/vt10x", nil, true, "it is for tests"},
		{"golang.org/x/tools/txtar", nil, true, "it is for tests"},
		{"go.yaml.in/yaml/v3", nil, true, "it is for tests"},
	}
}

// An imported is one import in a file of the repository.
type imported struct {
	file string // with the folder of its package, slashes
	path string
}

func (i imported) pkg() string {
	folder, _, ok := cutLast(i.file, "/")
	if !ok {
		return "."
	}
	return folder
}

func (i imported) inTest() bool { return strings.HasSuffix(i.file, "_test.go") }

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// offence says what is wrong with an import, or "".
func offence(i imported, arrows []arrow, homes []home) string {
	first, _, _ := strings.Cut(i.path, "/")
	own := i.path == module || strings.HasPrefix(i.path, module+"/")
	switch {
	case own:
		return arrowOffence(i, arrows)
	case strings.Contains(first, "."):
		return homeOffence(i, homes)
	}
	return "" // the standard library
}

func arrowOffence(i imported, arrows []arrow) string {
	to := strings.TrimPrefix(strings.TrimPrefix(i.path, module), "/")
	for _, a := range arrows {
		if a.pkg != i.pkg() {
			continue
		}
		if to == a.pkg && i.inTest() || slices.Contains(a.may, to) || i.inTest() && slices.Contains(a.tests, to) {
			return ""
		}
		return fmt.Sprintf("%s: %s must not import %s: %s", i.file, a.pkg, to, a.reason)
	}
	return fmt.Sprintf("%s: package %s has no row in arrows: say there what it may import, and why", i.file, i.pkg())
}

func homeOffence(i imported, homes []home) string {
	for _, h := range homes {
		if i.path != h.module && !strings.HasPrefix(i.path, h.module+"/") {
			continue
		}
		if slices.Contains(h.pkgs, i.pkg()) || h.tests && i.inTest() {
			return ""
		}
		return fmt.Sprintf("%s: %s is not at home in %s: %s", i.file, h.module, i.pkg(), h.reason)
	}
	return fmt.Sprintf("%s: %s has no row in homes: say there which package is its home, and why", i.file, i.path)
}

// imports reads all imports of the Go files below root.
func imports(root string) ([]imported, error) {
	var found []imported
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && notOurs(path, d.Name()) {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found = append(found, imported{filepath.ToSlash(name), p})
		}
		return nil
	})
	return found, err
}

// notOurs tells folders apart that the go command does not take for packages of
// this module.
func notOurs(path, name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" {
		return true
	}
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	return err == nil
}

func TestImports(t *testing.T) {
	found, err := imports(Root(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 20 {
		t.Fatalf("only %d imports were found", len(found))
	}
	for _, i := range found {
		if text := offence(i, arrows(), homes()); text != "" {
			t.Error(text)
		}
	}
}

// Every arrow is followed to its end: what a package imports in two steps must
// not be forbidden in one.
func TestArrowsHaveNoCircle(t *testing.T) {
	table := make(map[string]arrow)
	for _, a := range arrows() {
		table[a.pkg] = a
	}
	for _, a := range arrows() {
		seen := map[string]bool{}
		todo := slices.Clone(a.may)
		for len(todo) > 0 {
			next := todo[0]
			todo = todo[1:]
			if next == a.pkg {
				t.Errorf("%s leads back to itself", a.pkg)
			}
			row, ok := table[next]
			if !ok {
				t.Errorf("%s may import %s, which has no row", a.pkg, next)
			}
			if !seen[next] {
				seen[next] = true
				todo = append(todo, row.may...)
			}
		}
	}
}

func TestOffence(t *testing.T) {
	const own = module + "/"
	tests := []struct {
		file, path string
		want       string // part of the offence, "" for none
	}{
		{"main.go", own + "commands", ""},
		{"main.go", own + "proto", "hands its arguments over"},
		{"main.go", "os", ""},
		{"proto/run.go", own + "proto/wire", ""},
		{"proto/run.go", own + "output", "must not import output"},
		{"proto/run.go", own + "commands", "must not import commands"},
		{"proto/run.go", own + "internal/emulator", "must not import internal/emulator"},
		{"proto/run_test.go", own + "internal/emulator", ""},
		{"proto/run_test.go", own + "proto", ""},
		{"proto/run_test.go", own + "output", "must not import output"},
		{"internal/emulator/octave.go", own + "proto/wire", ""},
		{"internal/emulator/octave.go", own + "proto", "agree with the client's mistakes"},
		{"internal/emulator/octave_test.go", own + "proto", "agree with the client's mistakes"},
		{"internal/emulator/octave.go", own + "internal/jsontext", "must not import internal/jsontext"},
		{"proto/wire/octave.go", "encoding/json", ""},
		{"proto/wire/octave.go", own + "internal/jsontext", "bring nothing else along"},
		{"proto/wire/octave.go", "github.com/coder/websocket", "not at home in proto/wire"},
		{"internal/secret/secret.go", own + "internal/jsontext", "a leaf"},
		{"proto/plain/x.go", own + "proto", "has no row in arrows"},
		{"commands/app.go", "github.com/urfave/cli/v2", ""},
		{"output/x.go", "github.com/urfave/cli/v2", "behind shims"},
		{"output/x_test.go", "github.com/urfave/cli/v2", "behind shims"},
		{"output/filter.go", "github.com/itchyny/gojq", ""},
		{"proto/filter.go", "github.com/itchyny/gojq", "expressions arrive there as text"},
		{"proto/conn.go", "github.com/coder/websocket", ""},
		{"commands/x_test.go", "github.com/coder/websocket", ""},
		{"commands/x.go", "github.com/coder/websocket", "not at home in commands"},
		{"commands/x.go", "github.com/coder/websocketfork", "has no row in homes"},
		{"commands/x_test.go", "github.com/google/go-cmp/cmp", ""},
		{"commands/x.go", "github.com/google/go-cmp/cmp", "for tests"},
		{"commands/x.go", "example.com/x", "has no row in homes"},
	}
	for _, tt := range tests {
		got := offence(imported{tt.file, tt.path}, arrows(), homes())
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s imports %s: %q, want %q", tt.file, tt.path, got, tt.want)
		}
	}
}
