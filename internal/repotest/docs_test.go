//go:build unix

package repotest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The console blocks of the README and of the pages in docs are run, and print what the
// pages show. The blocks of a page are run one after the other in the same folder,
// empty at first, each in a shell of its own; what it leaves in the background is
// ended. A block that needs an account is written as ```sh, or has the line
// <!-- needs an account --> above it.

func TestDocs(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	bin := buildHark(t)
	for _, page := range append(pages, "../../README.md") {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			markdown, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			ran, problems := checkPage(string(markdown), bin, t.TempDir())
			for _, p := range problems {
				t.Errorf("%s: %s", page, p)
			}
			if ran == 0 {
				t.Errorf("%s: no console block was found that could be run", page)
			}
		})
	}
	session, err := os.ReadFile("../../tools/recording/session.txt")
	if err != nil {
		t.Fatal(err)
	}
	for command := range strings.Lines(string(session)) {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			if out, err := runShell(command, bin, t.TempDir()); err != nil || out == "" {
				t.Errorf("$ %s%v\n%s", command, err, out)
			}
		})
	}
}

// buildHark builds the program and returns the folder that it is in.
func buildHark(t *testing.T) string {
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "hark"), "../..").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// A step is a command in a console block with the output that the reader is shown.
type step struct {
	line    int
	command string
	want    []string
}

// checkPage runs the console blocks of a page, of which there are so many, in a folder
// with the programs in bin, and returns what is not as the page says.
func checkPage(markdown, bin, folder string) (ran int, problems []string) {
	const none, console, other = 0, 1, 2
	kind, account := none, false
	var steps []step
	n := 0
	for line := range strings.Lines(markdown) {
		n++
		line = strings.TrimRight(line, "\r\n")
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && kind == none && language == "console":
			kind, steps = console, nil
		case fence && kind == none:
			kind = other
		case fence:
			if kind == console && !account {
				problems = append(problems, runBlock(steps, bin, folder)...)
				ran++
			}
			kind, account = none, false
		case kind == console:
			var err error
			if steps, err = addLine(steps, n, line); err != nil {
				problems = append(problems, err.Error())
			}
		case kind == other && strings.HasPrefix(line, "$ hark "):
			problems = append(problems, fmt.Sprintf("line %d: a block of commands and what they print begins with ```console", n))
		case kind == none && line != "":
			account = line == "<!-- needs an account -->"
		}
	}
	if kind != none {
		problems = append(problems, "the last block has no end")
	}
	return ran, problems
}

// addLine adds a line of a console block: a command, "$ …", what goes on with one, after
// a backslash or "> ", or output.
func addLine(steps []step, n int, line string) ([]step, error) {
	if command, ok := strings.CutPrefix(line, "$ "); ok {
		return append(steps, step{line: n, command: command}), nil
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("line %d: a console block begins with a command, \"$ …\"", n)
	}
	last := &steps[len(steps)-1]
	more, isMore := strings.CutPrefix(line, "> ")
	if len(last.want) == 0 && (isMore || strings.HasSuffix(last.command, `\`)) {
		last.command += "\n" + more
	} else {
		last.want = append(last.want, line)
	}
	return steps, nil
}

// runBlock runs the commands of a block in one shell and compares what each prints.
func runBlock(steps []step, bin, folder string) (problems []string) {
	const mark = "=== end of step ==="
	var script strings.Builder
	for _, s := range steps { // $? of a command is there for the next one
		fmt.Fprintf(&script, "%s\nstep_status=$?; printf '%s\\n'; (exit $step_status)\n", s.command, mark)
	}
	script.WriteString("exit 0\n")
	out, err := runShell(script.String(), bin, folder)
	parts := strings.Split(out, mark+"\n")
	for i, s := range steps {
		if i == len(parts)-1 { // the shell ended, or was ended, in this one
			return append(problems, fmt.Sprintf("line %d: $ %s\n%v\n%s", s.line, s.command, err, parts[i]))
		}
		if !matches(s.want, parts[i]) {
			problems = append(problems, fmt.Sprintf("line %d: $ %s\nprinted:\n%s\nthe page says:\n%s",
				s.line, s.command, parts[i], strings.Join(s.want, "\n")))
		}
	}
	return problems
}

// runShell runs shell text and returns what it prints, on stdout and stderr.
func runShell(text, bin, folder string) (string, error) {
	// Nothing but a program that hangs takes so long.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	home, err := os.MkdirTemp("", "docs")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(home)
	cmd := exec.CommandContext(ctx, "sh", "-c", text)
	cmd.Dir = folder
	cmd.Env = []string{
		"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME=" + home, "TMPDIR=" + home, "TERM=dumb", "TZ=UTC", "LANG=C",
	}
	// A group of its own, to end also what the shell has left in the background, and a
	// file for the output: a pipe would be waited for until all those have closed it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	file, err := os.Create(filepath.Join(home, "output"))
	if err != nil {
		return "", err
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	err = cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // there may be no process left
	}
	out, readErr := os.ReadFile(file.Name())
	return string(out), errors.Join(err, readErr)
}

var dots = regexp.MustCompile(`…|\.\.\.`)

// matches reports whether output is what the reader was shown. "…" or "..." stand for
// anything within a line, alone on a line for any number of lines. Spaces at the end of
// lines do not count.
func matches(want []string, output string) bool {
	var pattern strings.Builder
	pattern.WriteString(`\A`)
	for _, line := range want {
		line = strings.TrimRight(line, " ")
		if trimmed := strings.TrimSpace(line); trimmed == "…" || trimmed == "..." {
			pattern.WriteString(`(?:.*\n)*`)
			continue
		}
		for i, part := range dots.Split(line, -1) {
			if i > 0 {
				pattern.WriteString(`.*`)
			}
			pattern.WriteString(regexp.QuoteMeta(part))
		}
		pattern.WriteString(` *\n`)
	}
	if output != "" && !strings.HasSuffix(output, "\n") {
		output += "\n"
	}
	return regexp.MustCompile(pattern.String() + `\z`).MatchString(output)
}

func TestCheckPage(t *testing.T) {
	for _, tt := range []struct{ name, markdown, want string }{
		{"right", "```console\n$ X=1; sh -c 'exit 3' >f\n$ echo $?$X \\\n  b\n31 b\n```\n```console\n$ cat <<E; echo; ls\n> x\n> E\nx\n\n…\n```\n", ""},
		{"an account", "<!-- needs an account -->\n\n```console\n$ false\nx\n```\n```json\n{}\n```\n", ""},
		{"dots", "```console\n$ echo abc; echo d\na…c\n...\n```\n", ""},
		{"no dots", "```console\n$ echo abc\na.c\n```\n", "line 2: $ echo abc\nprinted:\nabc\n"},
		{"output not shown", "```console\n$ echo x\n```\n", "line 2"},
		{"output missing", "```console\n$ true\nx\n```\n", "line 2"},
		{"each step counts", "```console\n$ true\n$ echo b\nc\n```\n", "line 3"},
		{"the shell ends early", "```console\n$ exit 7\n$ echo b\nb\n```\n", "exit status 7"},
		{"a syntax error", "```console\n$ echo 'x\n```\n", "line 2"},
		{"no command", "```console\nx\n```\n", "line 2"},
		{"another language", "```\n$ hark x\n```\n", "```console"},
		{"no end", "```console\n$ true\n", "no end"},
	} {
		_, problems := checkPage(tt.markdown, "", t.TempDir())
		got := strings.Join(problems, "\n")
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
