//go:build unix

package repotest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What a reader of the README and of the pages in docs types works, and shows what
// they say: console blocks are run, all others are looked through for flags that do
// not exist.
//
// The blocks of a page are run one after the other in the same folder, empty at first,
// each in a shell of its own; what it leaves in the background is ended. A block that
// needs an account is written as ```sh, or has the line
// <!-- needs an account --> above it.

func TestReadme(t *testing.T) {
	t.Parallel()
	root := Root(t)
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	bin := buildHark(t)
	for _, page := range append(pages, filepath.Join(root, "README.md")) {
		name, err := filepath.Rel(root, page)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.ToSlash(name), func(t *testing.T) {
			t.Parallel()
			markdown, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			checkMarkdown(t, string(markdown), bin)
		})
	}
}

// buildHark builds the program and returns the folder that it is in.
func buildHark(t *testing.T) string {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "hark"), ".")
	build.Dir = Root(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// checkMarkdown runs the blocks of a Markdown text with the programs in bin.
func checkMarkdown(t testing.TB, markdown, bin string) {
	t.Helper()
	all, err := blocks(markdown)
	if err != nil {
		t.Error(err)
		return
	}
	s := newShell(t, bin)
	ran := 0
	for _, b := range all {
		text := strings.Join(b.text, "\n")
		switch b.language {
		case "console":
			list, err := steps(b)
			if err != nil {
				t.Error(err)
				continue
			}
			if !b.account {
				s.run(t, list)
				ran++
			}
			for _, step := range list {
				s.checkFlags(t, step.line, step.command)
			}
		case "sh":
			s.checkFlags(t, b.line, text)
		default:
			if len(uses(text)) > 0 || len(uses(strings.ReplaceAll(text, "$ ", ""))) > 0 {
				t.Errorf("line %d: a block with commands is ```console or ```sh, not ```%s", b.line, b.language)
			}
		}
	}
	if ran == 0 {
		t.Error("no console block was found that could be run")
	}
}

// A shell runs commands in a folder and an environment of its own.
type shell struct {
	folder   string
	logs     string // folder for what is printed
	env      []string
	help     map[string]string // what "hark … --help" printed
	patience time.Duration     // how long a block may take; no measure of speed
}

func newShell(t testing.TB, bin string) *shell {
	s := &shell{folder: t.TempDir(), logs: t.TempDir(), help: make(map[string]string), patience: time.Minute}
	s.env = []string{
		"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(), "TERM=dumb", "TZ=UTC", "LANG=C",
	}
	return s
}

// output runs shell text and returns what it prints, on stdout and stderr.
func (s *shell) output(text string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", text)
	cmd.Dir, cmd.Env = s.folder, s.env
	// A group of its own, to end also what the shell has left in the background,
	// and a file for the output, because a pipe would be waited for until all those
	// have closed it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	file, err := os.CreateTemp(s.logs, "output")
	if err != nil {
		return "", err
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	err = cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // there may be nobody left
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("not done after %v", s.patience)
	}
	out, readErr := os.ReadFile(file.Name())
	return string(out), errors.Join(err, readErr)
}

// run runs the commands of a block in one shell and compares what each prints.
func (s *shell) run(t testing.TB, list []step) {
	t.Helper()
	const mark = "=== end of step ==="
	var script strings.Builder
	for _, step := range list {
		// $? of a command is there for the next one.
		fmt.Fprintf(&script, "%s\nstep_status=$?; printf '%s\\n'; (exit $step_status)\n", step.command, mark)
	}
	script.WriteString("exit 0\n")
	out, err := s.output(script.String())
	parts := strings.Split(out, mark+"\n")
	for i, step := range list {
		switch {
		case i == len(parts)-1: // the shell ended, or was ended, in this one
			t.Errorf("line %d: $ %s\n%v\n%s", step.line, step.command, err, parts[i])
			return
		case !matches(step.want, parts[i]):
			t.Errorf("line %d: $ %s\nprinted:\n%s\nthe text says:\n%s", step.line, step.command, parts[i], strings.Join(step.want, "\n"))
		}
	}
}

// checkFlags looks whether the flags in shell text exist.
func (s *shell) checkFlags(t testing.TB, line int, text string) {
	t.Helper()
	for _, u := range uses(text) {
		command := strings.Join(append([]string{"hark"}, u.path...), " ")
		help, ok := s.help[command]
		if !ok {
			var err error
			if help, err = s.output(command + " --help-all"); err != nil {
				t.Errorf("line %d: %s --help-all: %v\n%s", line, command, err, help)
			}
			s.help[command] = help
		}
		for _, flag := range u.flags {
			if !helpKnows(help, flag) {
				t.Errorf("line %d: the help of '%s' does not know %s", line, command, flag)
			}
		}
	}
}

// fakeHark stands in for the program.
const fakeHark = `#!/bin/sh
case "$*" in
*--help*) printf 'Flags:\n  -n, --count N   stop after N\n      --jq EXPR   shape\n' ;;
"fail") echo "hark: error: sunk" >&2; exit 3 ;;
"sleep") exec sleep 1000 ;;
*) echo "{\"id\":\"$$\",\"args\":\"$*\"}" ;;
esac
`

func TestCheckMarkdown(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "hark"), []byte(fakeHark), 0o700); err != nil {
		t.Fatal(err)
	}
	const good = "```console\n$ hark drogue tail -n 5 >f\n$ X=1; hark fail\nhark: error: sunk\n$ echo $?$X\n31\n```\n" +
		"```console\n$ cat f\n{\"id\":\"…\",\"args\":\"drogue tail -n 5\"}\n$ printf 'no end'\nno end\n```\n" +
		"<!-- needs an account -->\n```console\n$ hark sleep --count 5\n```\n```sh\nhark sleep --jq .x\n```\n```json\n{}\n```\n"
	const run = "```console\n$ true\n```\n"
	tests := []struct {
		name, markdown string
		want           []string // parts of the errors, in order
	}{
		{"all is well", good, nil},
		{"other output", "```console\n$ hark x\n{\"id\":\"…\",\"args\":\"y\"}\n```\n", []string{"line 2: $ hark x\nprinted:"}},
		{"output not shown", "```console\n$ hark x\n```\n", []string{"line 2"}},
		{"output missing", "```console\n$ true\nx\n```\n", []string{"line 2"}},
		{"each step counts", "```console\n$ echo a\na\n$ echo b\nc\n$ echo d\ne\n```\n", []string{"line 4", "line 6"}},
		{"shell ends early", "```console\n$ exit 7\n$ echo b\nb\n```\n", []string{"exit status 7"}},
		{"syntax error", "```console\n$ echo 'x\n```\n", []string{"line 2"}},
		{"flag unknown", run + "```sh\nhark drogue tail --cuont 5\n```\n", []string{"'hark drogue tail' does not know --cuont"}},
		{"flag unknown in a console block with an account", run + needsAccount + "\n```console\n$ hark x -z\n```\n", []string{"does not know -z"}},
		{"wrong language", run + "```bash\nhark x\n```\n", []string{"not ```bash"}},
		{"no language", run + "```\n$ hark x\n```\n", []string{"not ```"}},
		{"nothing to run", "# hark\n", []string{"no console block"}},
		{"no end", run + "```sh\n", []string{"has no end"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &recorder{TB: t}
			checkMarkdown(r, tt.markdown, bin)
			for i, e := range r.errors {
				if i >= len(tt.want) || !strings.Contains(e, tt.want[i]) {
					t.Errorf("unexpected: %s", e)
				}
			}
			if len(r.errors) < len(tt.want) {
				t.Errorf("got %q, want %q", r.errors, tt.want)
			}
		})
	}
}

func TestShellEndsWhatItStarted(t *testing.T) {
	s := newShell(t, t.TempDir())
	out, err := s.output("mkfifo f; (echo started >f; exec sleep 1000) & cat f; echo $!")
	text, ok := strings.CutPrefix(out, "started\n")
	pid, bad := strconv.Atoi(strings.TrimSpace(text))
	if !ok || err != nil || bad != nil {
		t.Fatalf("printed %q, error %v", out, err)
	}
	for syscall.Kill(pid, 0) == nil {
		// Where nobody looks after orphans, a dead one stays as a zombie.
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if strings.Contains(string(stat), ") Z ") {
			break
		}
		time.Sleep(time.Millisecond)
	}
	s.patience = 50 * time.Millisecond
	if out, err = s.output("echo begun; sleep 1000"); err == nil || !strings.Contains(err.Error(), "not done after") {
		t.Errorf("printed %q, error %v", out, err)
	}
}

// A recorder takes the errors of a check that is meant to find some.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper()           {}
func (r *recorder) Error(args ...any) { r.errors = append(r.errors, fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
