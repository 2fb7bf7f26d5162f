package repotest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/hark-cli/hark"

// An arrow lists the packages of the module that a package may import.
type arrow struct {
	// pkg is the folder of the package, "." for the program. A * in it matches a name,
	// and stands for the same name in the other fields; packages with their own row are
	// excluded.
	pkg    string
	may    []string // folders of the packages that it may import; * is any name
	tests  []string // packages that its test files may import in addition
	reason string
}

// arrows is the table of allowed imports. A new package requires a row.
func arrows() []arrow {
	const (
		service = "a service knows the engine and its own shapes, and neither other services nor flags"
		knowing = "an emulator that knew the client would agree with the client's mistakes"
		shared  = "client and emulator share it, so it must bring nothing else along for them to share"
	)
	return []arrow{
		{".", []string{"commands"}, nil,
			"the program hands its arguments over and does nothing else"},
		{"commands", []string{"commands/*", "internal/cmdline", "internal/console", "internal/process"}, []string{"internal/emulator", "internal/emulator/drogue", "internal/freeport", "internal/hub", "internal/lineedit", "internal/secret", "recipes"},
			"commands puts everything together, so nothing may need it"},
		// A service has a folder in each of these; * stands for its name.
		{"commands/*", []string{
			"commands/complete", "commands/ending", "commands/program", "commands/stream",
			"internal/bounded", "internal/cmdline", "internal/console", "internal/credential", "internal/emulator", "internal/emulator/*",
			"internal/eventjson", "internal/login", "internal/netdial", "internal/process", "internal/secret", "internal/tokenstore",
			"output", "proto", "proto/*", "proto/*/wire", "proto/frame",
		}, nil, "a service knows no other one"},
		{"proto/*", []string{"proto", "proto/*/wire", "proto/frame", "internal/eventjson", "internal/netdial", "internal/secret"},
			[]string{"proto/prototest", "internal/emulator", "internal/emulator/*"}, service},
		{"proto/*/wire", nil, []string{"internal/vectors"}, shared},
		{"internal/emulator/*", []string{"internal/emulator", "internal/wsserver", "proto/frame", "proto/*/wire"},
			[]string{"internal/emulator/emulatortest"}, knowing},
		{"internal/emulator/recipe", []string{"internal/emulator", "internal/transcript", "proto/frame"},
			[]string{"internal/emulator/emulatortest", "recipes"}, knowing},
		{"commands/call", []string{"commands/ending", "commands/program", "commands/stream", "internal/cmdline", "internal/console", "internal/credential", "internal/eventjson", "internal/jq", "output", "output/destination", "proto", "proto/plain", "proto/rpc"}, nil,
			"a call is not a stream of a service"},
		{"commands/complete", []string{"commands/program", "commands/settings", "internal/cmdline", "internal/console", "internal/credential"}, nil,
			"it knows names at a service, whichever it is"},
		{"commands/config", []string{"commands/doctor", "commands/ending", "commands/program", "commands/settings", "commands/stream", "internal/cmdline", "internal/config", "internal/console", "internal/credential", "internal/jq", "internal/process", "internal/secret", "internal/tomlfile", "proto"}, nil,
			"it ranges over the services, and knows none"},
		{"commands/connect", []string{"commands/program", "commands/stream", "internal/bounded", "internal/cmdline", "internal/credential", "internal/netdial", "internal/prompt", "proto", "proto/plain", "commands/ending", "internal/jq", "internal/pattern", "internal/secret", "proto/recipe"}, nil,
			"a service knows no other one"},
		{"commands/doctor", []string{"commands/ending", "commands/program", "commands/settings", "commands/stream", "internal/cmdline", "internal/config", "internal/console", "internal/netdial", "internal/process", "output", "output/destination", "proto"}, nil,
			"it ranges over the services, and knows none"},
		{"commands/emulate", []string{"commands/listen", "commands/program", "commands/stream", "internal/cmdline", "internal/emulator", "output"}, nil,
			"it ranges over the services, and knows none"},
		{"commands/ending", []string{"internal/cmdline", "internal/console", "internal/jq", "internal/netdial", "internal/process", "internal/prompt", "internal/replay", "output", "output/destination", "proto", "proto/frame"}, nil,
			"whatever can end a command is below it; what tells of the end is above"},
		{"commands/help", []string{"commands/program", "commands/stream", "completions", "internal/cmdline", "internal/emulator", "man", "output"}, nil,
			"it ranges over the services, and knows none"},
		{"commands/listen", []string{"commands/program", "internal/cmdline", "internal/wsserver"}, nil,
			"servers share it, whatever they serve"},
		{"commands/play", []string{"commands/ending", "commands/listen", "commands/program", "commands/stream", "internal/bounded", "internal/cmdline", "internal/process", "internal/replay", "output", "output/destination", "proto"}, nil,
			"it ranges over the services, and knows none"},
		{"commands/program", []string{"commands/ending", "internal/bounded", "internal/cmdline", "internal/console", "internal/credential", "internal/lineedit", "internal/netdial", "internal/pattern", "internal/process", "internal/secret", "internal/terminal", "internal/tokenstore", "output", "output/destination", "proto"}, nil,
			"every command needs it, so it knows none, and no stream"},
		{"commands/run", []string{"commands/program", "commands/recipes", "commands/stream", "internal/bounded", "internal/cmdline", "internal/config", "internal/credential", "internal/emulator", "internal/emulator/recipe", "internal/eventjson", "internal/secret", "proto", "proto/recipe"}, nil,
			"it is the service of any recipe"},
		{"commands/recipes", []string{"commands/ending", "commands/program", "commands/stream", "internal/bounded", "internal/cmdline", "internal/console", "internal/secret", "internal/simulate", "internal/transcript", "proto", "proto/recipe", "recipes"}, nil,
			"it knows recipes as files; a stream of one is for its service"},
		{"commands/serve", []string{"commands/ending", "commands/listen", "commands/program", "commands/stream", "internal/bounded", "internal/cmdline", "internal/hub", "internal/eventjson", "internal/lineedit", "internal/prompt", "output"}, nil,
			"it serves clients; it is not a stream of events"},
		{"commands/settings", []string{"commands/program", "internal/cmdline", "internal/config"}, nil,
			"it knows flags and their settings, not what they are for"},
		{"commands/stream", []string{"commands/ending", "commands/program", "commands/settings", "internal/bounded", "internal/cmdline", "internal/console", "internal/credential", "internal/emulator", "internal/jq", "internal/eventjson", "internal/netdial", "internal/pattern", "internal/process", "internal/prompt", "internal/report", "internal/secret", "output", "output/destination", "output/destination/*", "output/destination", "proto", "proto/frame"}, nil,
			"all streams share it, so it knows none of the services"},
		{"internal/console", []string{"internal/secret"}, nil,
			"it knows lines and writers, what acts on a terminal, and what must not be shown"},
		{"internal/pattern", nil, nil,
			"a leaf: it compiles"},
		{"internal/process", nil, []string{"internal/bounded"},
			"it starts what it is told to, and knows signals"},
		{"internal/prompt", []string{"internal/cmdline", "internal/console", "internal/credential", "internal/jq", "internal/eventjson", "internal/lineedit", "internal/pattern", "internal/secret", "output", "proto", "proto/frame"}, nil,
			"it knows what is typed and shown, not what a stream is"},
		{"output", []string{"proto", "internal/jq", "internal/eventjson", "internal/console"}, []string{"proto/frame", "proto/octave", "proto/drogue", "proto/doshii", "proto/doshii/wire", "proto/plain"},
			"output makes bytes of events; it knows neither services nor flags"},
		{"proto", []string{"internal/netdial", "internal/wsconn", "proto/frame", "internal/secret", "internal/eventjson"},
			[]string{"proto/octave", "proto/drogue", "proto/doshii", "proto/plain", "proto/prototest", "internal/emulator", "internal/emulator/doshii", "internal/emulator/drogue", "internal/emulator/octave", "internal/freeport", "internal/wsserver"},
			"the engine knows no service; what is printed, and to whom, is decided outside it"},
		{"proto/recipe", []string{"proto", "proto/frame", "internal/jq", "internal/eventjson", "internal/netdial", "internal/tomlfile"}, []string{"proto/prototest", "proto/doshii", "proto/doshii/wire", "internal/emulator", "internal/emulator/doshii", "internal/secret", "internal/vectors", "internal/wsserver"},
			"a service that is read from a file: TOML, whose expressions are jq"},
		{"proto/plain", []string{"proto"}, []string{"proto/prototest"}, service},
		{"output/destination", []string{"proto"}, []string{"output/destination/*"}, "it knows no destination"},
		{"output/destination/*", []string{"output/destination", "internal/netdial", "internal/process"}, nil, "a destination knows no other one, and no flags"},
		{"proto/rpc", []string{"internal/jq", "internal/eventjson"}, nil, "it has the messages of calls, and knows no connection"},
		{"proto/prototest", []string{"proto", "internal/vectors", "internal/emulator", "internal/secret"}, nil, "it is for tests of services"},
		{"proto/frame", nil, nil, "a leaf: client and servers share the framing of RFC 6455"},
		{"internal/freeport", nil, nil, "a leaf: it is for tests"},
		{"internal/vectors", nil, nil, "a leaf: it reads the vendors' messages for tests"},
		{"internal/emulator", []string{"internal/wsserver", "proto/frame"},
			[]string{"internal/emulator/doshii", "internal/emulator/drogue", "internal/emulator/emulatortest", "internal/emulator/octave", "proto/octave/wire", "proto/drogue/wire", "proto/doshii/wire"},
			"it knows feeds, faults and frames; what a service says is for its folder"},
		{"internal/emulator/emulatortest", []string{"internal/emulator", "proto/frame", "proto/drogue/wire"}, nil, "it is for tests"},
		{"internal/replay", []string{"internal/wsserver", "proto", "proto/frame", "internal/secret"}, nil,
			"it is a server for tapes, which are the engine's"},
		{"internal/wsconn", []string{"proto/frame"}, nil,
			"it knows one connection; when there is another one, and what is said on it, is for the engine"},
		{"internal/jq", []string{"internal/eventjson", "internal/console"}, nil, "it knows expressions and values, not where those come from"},
		{"internal/simulate", []string{"internal/eventjson", "internal/jq", "internal/netdial", "internal/transcript", "proto", "proto/frame"},
			[]string{"internal/emulator", "internal/secret", "internal/wsserver", "proto/recipe", "recipes"},
			"it does what the engine does, with any service"},
		{"internal/transcript", []string{"internal/jq", "internal/eventjson"}, nil, "recipes are tested and emulated by it, so it knows no codec"},
		{"internal/credential", []string{"internal/bounded", "internal/pattern", "internal/process", "internal/secret", "internal/tokenstore"}, nil,
			"it knows what a credential looks like and where to find one, not what it is for"},
		{"internal/bounded", nil, nil, "a leaf: whatever reads what a user names needs it"},
		{"internal/report", nil, nil, "a leaf: it writes what it is given"},
		{"internal/secret", nil, nil, "a leaf: every package may need to withhold a secret"},
		{"internal/eventjson", nil, nil, "a leaf: every package may need to look at JSON"},
		{"internal/tomlfile", nil, nil, "a leaf: it knows TOML, not what it is for"},
		{"internal/config", []string{"internal/bounded", "internal/tomlfile"}, nil, "a leaf: it reads a file and knows nothing of what the settings mean"},
		{"internal/login", []string{"internal/secret", "internal/tokenstore"}, []string{"proto", "proto/drogue", "internal/emulator", "internal/emulator/drogue"},
			"it gets tokens; what they open is not its business"},
		{"internal/tokenstore", []string{"internal/bounded"}, nil, "a leaf: what it keeps is opaque to it"},
		{"internal/hub", []string{"internal/wsserver", "proto/frame"}, nil, "a server that knows nothing of services, nor of who reads what it reports"},
		{"internal/wsserver", []string{"proto/frame"}, nil, "servers share it, whatever they serve"},
		{"internal/terminal", nil, nil, "a leaf: it knows files, not what they are to whom"},
		{"internal/lineedit", []string{"internal/console", "internal/terminal"}, nil, "it knows keys and a screen, not what is typed"},
		{"internal/cmdline", nil, nil, "it knows flags and commands, not what they are for"},
		{"internal/netdial", []string{"internal/wsconn"}, nil, "it opens connections, and does not know what for; each of them is metered"},
		{"internal/docgen", []string{"commands", "internal/cmdline"}, nil, "it writes down what the tree of commands says of itself"},
		{"internal/repotest", nil, nil, "it looks at files, not at code"},
		{"recipes", nil, []string{"internal/transcript", "proto/recipe"}, "it holds files"},
		{"completions", nil, nil, "it holds generated files"},
		{"man", nil, nil, "it holds the manual"},
		{"bench", []string{"commands", "output", "proto", "proto/frame", "proto/octave", "proto/drogue", "proto/doshii", "proto/plain", "internal/emulator", "internal/jq", "internal/eventjson", "internal/wsserver"}, nil,
			"benchmarks may measure anything, so nothing may need them"},
	}
}

// A home is the only package that may import a third-party module, so that its
// behavior, messages and bugs are handled in one place.
type home struct {
	module string
	pkg    string // folder of the package; "" if only tests import it
	tests  bool   // test files anywhere may import it, too
	reason string
}

// homes lists every third-party module that is imported.
func homes() []home {
	const terminal = "the rest knows files, and asks one package what is behind them"
	return []home{
		{"github.com/urfave/cli/v2", "internal/cmdline", false,
			"how a command line is read is decided in one place, and commands declare their flags in words of our own"},
		{"github.com/chzyer/readline", "internal/lineedit", false,
			"its faults are dealt with in one place"},
		{"github.com/mattn/go-runewidth", "internal/console", false,
			"what is drawn in one place is as wide as in any other"},
		{"github.com/mattn/go-isatty", "internal/terminal", false, terminal},
		{"golang.org/x/term", "internal/terminal", true, terminal},
		{"golang.org/x/sys", "internal/terminal", true, terminal},
		{"github.com/itchyny/gojq", "internal/jq", true,
			"expressions arrive as text, and mistakes in them are shown in one way"},
		{"github.com/coder/websocket", "internal/wsconn", true,
			"the client's side of it is one package, so that another library, or none, could take its place; the server's side is our own"},
		{"github.com/BurntSushi/toml", "internal/tomlfile", false, "where keys stand is known in one place"},
		{"golang.org/x/net", "internal/netdial", false, "host names go out in the form in which net/http looks them up"},
		{"github.com/youmark/pkcs8", "internal/netdial", false, "encrypted keys are for connections over TLS"},
		{"golang.org/x/oauth2", "internal/login", false, "one package speaks OAuth 2.0"},
		{"github.com/zalando/go-keyring", "internal/tokenstore", true,
			"whether there is a keyring is known in one place"},
		{"github.com/zitadel/oidc/v3", "", true, "it is for tests"},
		{"github.com/go-jose/go-jose/v4", "", true, "it is for tests"},
		{"github.com/google/go-cmp", "internal/vectors", true, "it is for tests"},
		{"github.com/rogpeppe/go-internal", "", true, "it is for tests"},
		{"github.com/creack/pty", "", true, "it is for tests"},
		{"github.com/cloudevents/sdk-go/v2", "", true,
			"it is a second opinion about what is printed, and too slow to print it"},
		{"github.com/hinshun/vt10x", "", true, "it is for tests"},
		{"golang.org/x/tools/txtar", "internal/vectors", true, "it is for tests"},
		{"go.yaml.in/yaml/v3", "", true, "it is for tests"},
	}
}

// A listed is a package as "go list" prints it.
type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// TestImports checks what each package imports, as built on three systems, against the
// tables.
func TestImports(t *testing.T) {
	found := make(map[string]bool) // used rows of arrows and homes
	for _, system := range []string{"linux", "darwin", "windows"} {
		cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		for d := json.NewDecoder(strings.NewReader(string(out))); ; {
			var l listed
			if err := d.Decode(&l); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			pkg := strings.TrimPrefix(strings.TrimPrefix(l.ImportPath, module), "/")
			if pkg == "" {
				pkg = "."
			}
			found[pkg] = true
			for _, to := range l.Imports {
				report(t, pkg, to, false, found)
			}
			for _, to := range slices.Concat(l.TestImports, l.XTestImports) {
				report(t, pkg, to, true, found)
			}
		}
	}
	for _, a := range arrows() {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(found)), func(pkg string) bool { return fits(a.pkg, pkg) }) {
			t.Errorf("arrows has a row for %s, which is not there", a.pkg)
		}
	}
	for _, h := range homes() {
		if !found[h.module] {
			t.Errorf("homes has a row for %s, which nothing imports", h.module)
		}
	}
}

func report(t *testing.T, pkg, to string, inTest bool, found map[string]bool) {
	home, problem := offense(pkg, to, inTest)
	if found[home] = true; problem != "" && !found[problem] {
		found[problem] = true // once for all systems
		t.Error(problem)
	}
}

// offense returns the row of homes for an import, if there is one, and the problem, or
// "".
func offense(pkg, to string, inTest bool) (home, problem string) {
	first, _, _ := strings.Cut(to, "/")
	switch {
	case to == module || strings.HasPrefix(to, module+"/"):
		return "", arrowOffense(pkg, strings.TrimPrefix(to, module+"/"), inTest)
	case !strings.Contains(first, "."):
		return "", "" // the standard library
	}
	for _, h := range homes() {
		if to != h.module && !strings.HasPrefix(to, h.module+"/") {
			continue
		}
		if pkg == h.pkg || h.tests && inTest {
			return h.module, ""
		}
		return h.module, fmt.Sprintf("%s must not import %s, whose home is %s: %s", pkg, to, cmp.Or(h.pkg, "in tests"), h.reason)
	}
	return "", fmt.Sprintf("%s imports %s, which has no row in homes: say there which package is its home, and why", pkg, to)
}

func arrowOffense(pkg, to string, inTest bool) string {
	a, ok := arrowOf(pkg)
	switch {
	case !ok:
		return fmt.Sprintf("%s has no row in arrows: say there what it may import, and why", pkg)
	case a.allows(a.may, pkg, to) || inTest && (to == pkg || a.allows(a.tests, pkg, to)):
		return ""
	}
	return fmt.Sprintf("%s must not import %s: %s", pkg, to, a.reason)
}

// arrowOf returns the row of a package.
func arrowOf(pkg string) (arrow, bool) {
	var other *arrow
	for _, a := range arrows() {
		if a.pkg == pkg {
			return a, true
		}
		if fits(a.pkg, pkg) {
			other = &a
		}
	}
	if other == nil {
		return arrow{}, false
	}
	return *other, true
}

// allows reports whether one of the folders matches to, as imported by pkg.
func (a arrow) allows(folders []string, pkg, to string) bool {
	name := "*"
	if before, _, ok := strings.Cut(a.pkg, "*"); ok {
		name, _, _ = strings.Cut(strings.TrimPrefix(pkg, before), "/")
	}
	return slices.ContainsFunc(folders, func(f string) bool { return fits(strings.ReplaceAll(f, "*", name), to) })
}

// fits reports whether a folder matches a pattern.
func fits(pattern, folder string) bool {
	ok, err := path.Match(pattern, folder)
	return ok && err == nil
}

func TestOffense(t *testing.T) {
	const own = module + "/"
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
		{"internal/nosuch", own + "proto", false, "has no row in arrows"},
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
		{"commands", "github.com/coder/websocketfork", false, "has no row in homes"},
		{"commands", "github.com/google/go-cmp/cmp", false, "for tests"},
	} {
		if _, got := offense(tt.pkg, tt.to, tt.inTest); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s imports %s: %q, want %q", tt.pkg, tt.to, got, tt.want)
		}
	}
}
