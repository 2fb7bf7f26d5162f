//go:build unix

package commands

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The commands of the scripts themselves can pass and fail.

func TestHarness(t *testing.T) {
	for _, name := range []string{"HARK_COUNT", "NO_COLOR", "HTTPS_PROXY", "XDG_CONFIG_HOME"} {
		t.Setenv(name, "from the machine")
	}
	testscript.Run(t, scriptParams("testdata/harness"))
}

func TestHarnessNotices(t *testing.T) {
	tests := []struct{ script, want string }{
		{"exits 0 sh -c 'exit 1'", "sh ended with 1, want 0"},
		{"exits 1 sh -c true", "sh ended with 0, want 1"},
		{"exits 127 no-such-program", "executable file not found"},
		{"! exits 1 sh", "unsupported"},
		{"start x sh -c 'exit 4'\nended x 0", "x ended with 4, want 0"},
		{"start x sh -c true\nstart x sh", "started already"},
		{"start x no-such-program", "not in PATH"},
		{"signal y INT", "nothing was started as y"},
		{"exits 0 script-memory 99 sh -c false", "script-memory ended with 1"},
		{"json f\n-- f --\n{}\n{} {}\n", "line 2 is not one JSON value"},
		{"json f\n-- f --\n", "is empty"},
		{"json -count=2 f\n-- f --\n1\n", "has 1 lines, want 2"},
		{"exec printf 1\njson stdout", "has no end"},
		{"exec sh -c 'echo \"x=$SECRET\"'\nno-secret stdout", "line 1 shows the secret"},
		{"exec sh -c 'printf %s \"ab:$SECRET\" | base64'\nno-secret stdout", "shows the secret"},
		{"exec sh -c 'printf %s \"a:$SECRET\" | base64'\nno-secret stdout", "shows the secret"},
		{"exec sh -c 'printf %s \":$SECRET\" | base64'\nno-secret stdout", "shows the secret"},
		{"no-secret f\n-- f --\nws://host/?token=s3cret%2F%2B%3D%26hunter2%3F~\n", "shows the secret"},
		{"env SECRET=\nno-secret f\n-- f --\n", "the secret is empty"},
		{"no-secret -value=ABC f\n-- f --\nxABCx\n", "shows the secret"},
		{"exits 0 script-memory 0 sh -c true", "held "},
	}
	for _, tt := range tests {
		t.Run(tt.script, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "x.txtar"), []byte(tt.script), 0o600); err != nil {
				t.Fatal(err)
			}
			r := new(scriptRecorder)
			func() {
				defer func() {
					if p := recover(); p != nil && p != any(r) {
						panic(p)
					}
				}()
				testscript.RunT(r, scriptParams(folder))
			}()
			if !r.failed || !strings.Contains(r.log.String(), tt.want) {
				t.Errorf("failed %v, want %q in:\n%s", r.failed, tt.want, &r.log)
			}
		})
	}
}

// A scriptRecorder replaces the T of a script that is expected to fail.
type scriptRecorder struct {
	log    strings.Builder
	failed bool
}

func (r *scriptRecorder) Skip(args ...any)  { panic("a script was skipped") }
func (r *scriptRecorder) Log(args ...any)   { fmt.Fprintln(&r.log, args...) }
func (r *scriptRecorder) Fatal(args ...any) { r.Log(args...); r.FailNow() }
func (r *scriptRecorder) FailNow()          { r.failed = true; panic(any(r)) }
func (r *scriptRecorder) Parallel()         {}
func (r *scriptRecorder) Verbose() bool     { return false }
func (r *scriptRecorder) Run(name string, f func(testscript.T)) {
	defer func() {
		if p := recover(); p != nil && p != any(r) {
			panic(p)
		}
	}()
	f(r)
}
