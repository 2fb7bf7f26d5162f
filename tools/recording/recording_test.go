package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDraw(t *testing.T) {
	picture := draw([]event{
		{0, "o", "$ "},
		{time.Second, "i", "secret"},
		{time.Second, "o", "\x1b[1;34m<a> & b\x1b[0m"},
		{time.Second + stepTime/2, "o", " c"},
		{3 * time.Second, "o", "\r\nd"},
		{4 * time.Second, "o", ""},
	})
	decoder := xml.NewDecoder(strings.NewReader(string(picture)))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v\n%s", err, picture)
		}
	}
	for _, want := range []string{
		`<text x="16.8" textLength="58.8" fill="#7fc4ff" font-weight="bold">&lt;a&gt; &amp; b</text>`,
		"animation:film 4.00s steps(1,end) infinite",
		"0.000%{transform:translateY(-0px)}",
		`transform="translate(0,-1566)"`, // the last frame where nothing moves
	} {
		if !strings.Contains(string(picture), want) {
			t.Errorf("%q is not in\n%s", want, picture)
		}
	}
	if strings.Contains(string(picture), "secret") {
		t.Error("input is drawn")
	}
}

func TestRecord(t *testing.T) {
	hark := filepath.Join(t.TempDir(), "hark")
	const script = "#!/bin/sh\n[ -t 1 ] && printf 'é %s' \"$HOME\" | cut -c1-3 && exit \"$1\"\n"
	if err := os.WriteFile(hark, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	events, err := record(hark, []string{"hark 0"})
	var shown strings.Builder
	for i, e := range events {
		if i > 0 && e.at < events[i-1].at {
			t.Errorf("%q is before %q", e.data, events[i-1].data)
		}
		if e.kind == "o" {
			shown.WriteString(e.data)
		}
	}
	if want := promptEsc + "hark 0\r\né \r\n" + promptEsc; err != nil || shown.String() != want {
		t.Errorf("%q, want %q, error %v", shown.String(), want, err)
	}
	if _, err := record(hark, []string{"hark 3"}); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("a failure is recorded: %v", err)
	}
}

// The commands in the recording of the README are those of session.txt, and are in the
// picture.
func TestRecordingIsUpToDate(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var typed strings.Builder
	for line := range strings.Lines(read("docs/recording.cast")) {
		var at float64
		var kind, data string
		if json.Unmarshal([]byte(line), &[]any{&at, &kind, &data}) == nil && kind == "i" {
			typed.WriteString(data)
		}
	}
	session, picture := read("tools/recording/session.txt"), read("docs/recording.svg")
	if strings.TrimSpace(typed.String()) != strings.TrimSpace(session) {
		t.Errorf("in the recording is typed\n%s\nsession.txt has\n%s\nrun make recording", &typed, session)
	}
	for command := range strings.Lines(session) {
		// A row of the picture has its beginning, between marks for colors.
		if start := strings.Join(strings.Fields(command)[:4], " "); !strings.Contains(picture, start) {
			t.Errorf("the picture does not show %q", start)
		}
	}
	if !strings.Contains(read("README.md"), "docs/recording.svg") {
		t.Error("the README does not show docs/recording.svg")
	}
}
