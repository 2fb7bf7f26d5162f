//go:build unix

package repotest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// typedCommands takes the commands that were typed from an asciicast of version 2.
func typedCommands(cast []byte) ([]string, error) {
	var commands []string
	first := true
	for line := range bytes.Lines(cast) {
		if first {
			var head struct{ Version int }
			if err := json.Unmarshal(line, &head); err != nil || head.Version != 2 {
				return nil, fmt.Errorf("the head %s is not that of an asciicast of version 2: %v", line, err)
			}
			first = false
			continue
		}
		var at float64
		var kind, data string
		if err := json.Unmarshal(line, &[]any{&at, &kind, &data}); err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		if kind == "i" {
			commands = append(commands, strings.TrimSuffix(data, "\n"))
		}
	}
	return commands, nil
}

// What is typed in the recording works, is what tools/recording would type, and is
// in the picture.
func TestRecording(t *testing.T) {
	t.Parallel()
	root := Root(t)
	read := func(elem ...string) string {
		data, err := os.ReadFile(filepath.Join(append([]string{root}, elem...)...))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	cast, picture := read("docs", "recording.cast"), read("docs", "recording.svg")
	commands, err := typedCommands([]byte(cast))
	if err != nil {
		t.Fatal(err)
	}
	session := strings.Split(strings.TrimSpace(read("tools", "recording", "session.txt")), "\n")
	if !slices.Equal(commands, session) {
		t.Errorf("the recording has %q, session.txt %q: run make recording", commands, session)
	}
	if host, err := os.Hostname(); err == nil && len(host) > 3 && (strings.Contains(cast, host) || strings.Contains(picture, host)) {
		t.Errorf("the recording shows the name of this machine, %s", host)
	}
	if !strings.Contains(read("README.md"), "docs/recording.svg") {
		t.Error("the README does not show docs/recording.svg")
	}
	bin := buildHark(t)
	for _, command := range commands {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			if out, err := newShell(t, bin).output(command); err != nil || out == "" {
				t.Errorf("$ %s\n%v\n%s", command, err, out)
			}
		})
		// The picture has a row for its beginning, between marks for colour.
		words := strings.Fields(command)
		if start := strings.Join(words[:4], " "); !strings.Contains(picture, start) {
			t.Errorf("the picture does not show %q", start)
		}
	}
}

func TestTypedCommands(t *testing.T) {
	const head = `{"version":2,"width":80,"height":24}` + "\n"
	got, err := typedCommands([]byte(head + `[0.1,"o","$ "]` + "\n" + `[0.2,"i","a 'b'\n"]` + "\n"))
	if err != nil || !slices.Equal(got, []string{"a 'b'"}) {
		t.Errorf("%q, error %v", got, err)
	}
	for _, bad := range []string{`{"version":1}`, "[]", head + "[0.1]x", head + `["o",1,"x"]`} {
		if got, err := typedCommands([]byte(bad)); err == nil {
			t.Errorf("%q was taken: %q", bad, got)
		}
	}
}
