//go:build unix

package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hark-cli/hark/commands/help"
	"github.com/hark-cli/hark/internal/cmdline"
)

// Examples in help texts work: the first one of every command, and all of the topics,
// are run without a network and without an account.

func TestHelpExamples(t *testing.T) {
	t.Parallel()
	run := func(name string, examples []string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if len(examples) == 0 {
				t.Fatal("there is no example that can be run")
			}
			runExamples(t, examples)
		})
	}
	Tree(io.Discard).Root().Walk(func(n *cmdline.Command) {
		if n.Hidden {
			return
		}
		examples := n.Describe().Examples[:min(1, len(n.Describe().Examples))]
		if n.Path() == "hark call" {
			// hark has no server that answers, and example.com none either (RFC 2606): all
			// but the connection is right. call.txtar has a server.
			examples = []string{examples[0] + " # exits 3"}
		}
		run(n.Path(), examples)
	})
	for _, topic := range help.Topics(services()) {
		run("topic "+topic.Name, topicExamples(topic.Text))
	}
}

// exampleLine is a line of a topic that is a command: variables, perhaps something
// to pipe into it, and hark.
var exampleLine = regexp.MustCompile(`^  (?:[A-Z_]+=\S* )*(?:[a-z].*\| )?hark `)

func topicExamples(text string) []string {
	var examples []string
	for line := range strings.Lines(text) {
		if exampleLine.MatchString(line) {
			examples = append(examples, strings.TrimSpace(line))
		}
	}
	return examples
}

// exampleEnd is the comment of an example that does not end with 0.
var exampleEnd = regexp.MustCompile(`# exits (\d+)$`)

// runExamples runs shell commands one after the other, in a folder and with a home
// of their own.
func runExamples(t *testing.T, examples []string) {
	t.Helper()
	folder := t.TempDir()
	for _, example := range examples {
		want := 0
		if m := exampleEnd.FindStringSubmatch(example); m != nil {
			want, _ = strconv.Atoi(m[1])
		}
		ctx, cancel := context.WithTimeout(t.Context(), scriptPatience)
		cmd := exec.CommandContext(ctx, "bash", "-c", example)
		cmd.Dir = folder
		cmd.Env = []string{
			"PATH=" + examplePath(t) + os.Getenv("PATH"), "HOME=" + filepath.Join(folder, "home"), "TMPDIR=" + folder,
			"EDITOR=true", "BROWSER=browse", "HARK_DROGUE_TOKEN_STORE=file", "TERM=dumb", "TZ=UTC", "LC_ALL=C", "GORACE=atexit_sleep_ms=10",
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		out, err := cmd.CombinedOutput()
		cancel()
		code := 0
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			code, err = exit.ExitCode(), nil
		}
		if err != nil || code != want {
			t.Errorf("$ %s\nended with %d, want %d; error %v\n%s", example, code, want, err, out)
		}
	}
}

// examplePath has a substitute for man on systems without it.
func examplePath(t *testing.T) string {
	if _, err := exec.LookPath("man"); err == nil {
		return ""
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "man"), []byte("#!/bin/sh\ncat \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(bin, string(os.PathListSeparator))
}

func TestTopicExampleLines(t *testing.T) {
	got := topicExamples("Say 'hark help':\n\n  hark a -n 1\n  A=1 B=\"x\" hark b  # exits 4\n" +
		"  printf 'x' | hark c\n  HARK_COUNT=5    --count 5\n  harker d\n    hark is indented\n  x  has hark in it\n")
	want := []string{"hark a -n 1", `A=1 B="x" hark b  # exits 4`, "printf 'x' | hark c"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
}
