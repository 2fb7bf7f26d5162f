package prompt

import (
	"maps"
	"strings"
	"testing"

	"github.com/hark-cli/hark/proto"
)

// entriesOf makes a transcript of lines: "> " is sent, "< " received, "/" a command.
func entriesOf(text string) (entries []said) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "> "):
			entries = append(entries, said{dir: proto.Out, data: []byte(line[2:])})
		case strings.HasPrefix(line, "< "):
			entries = append(entries, said{dir: proto.In, data: []byte(line[2:])})
		case line != "":
			entries = append(entries, said{line: line})
		}
	}
	return entries
}

// Only answers to what was sent are expected.
func TestAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		entries string
		want    map[int]string
	}{
		"a greeting":  {`< {"hello":1}`, nil},
		"the next":    {"< {\"hello\":1}\n> x\n< {\"a\":\"b\"}\n< {\"c\":1}", map[int]string{2: `.a == "b"`}},
		"unanswered":  {"< {\"tick\":1}\n> x\n< {\"tick\":1}", nil},
		"one by one":  {"> x\n> y\n< \"x\"\n< \"y\"", map[int]string{2: `. == "x"`, 3: `. == "y"`}},
		"by id":       {"> {\"id\":1}\n> {\"id\":2}\n< {\"n\":0}\n< {\"id\":2,\"ok\":true}\n< {\"id\":1}", map[int]string{3: `.id == 2 and (.id | type) == "number" and .ok == true`, 4: `.id == 1 and (.id | type) == "number"`}},
		"another id":  {"> {\"request_id\":\"a\"}\n< {\"request_id\":\"b\"}\n< {\"request_id\":\"a\"}", map[int]string{2: `.request_id == "a" and (.request_id | type) == "string"`}},
		"no id found": {"> {\"id\":1}\n< {\"ok\":true}", map[int]string{1: ".ok == true"}},
		"in between":  {"> x\n< {\"tick\":1}\n< {\"said\":\"x\"}\n/wait said\n< {\"tick\":1}", nil},
		"the user's":  {"> {\"id\":1}\n< {\"id\":1}\n/wait \"id\":1\n> x\n< \"x\"", map[int]string{4: `. == "x"`}},
	} {
		got := answers(entriesOf(tt.entries), func(s string) string { return s }, func(wait string, e said) bool { return strings.Contains(string(e.data), wait) })
		if !maps.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// Credentials are references, and everything else is literal in a here-document.
func TestReferences(t *testing.T) {
	known := func(s string) string { return strings.ReplaceAll(s, "knownToThePrinter", "***") }
	for _, tt := range []struct {
		text, want string
		names      string
	}{
		{"a $b `c` \\d", "a \\$b \\`c\\` \\\\d", ""},
		{`{"type":"auth","access_token":"Canary1"}`, `{"type":"auth","access_token":"${ACCESS_TOKEN}"}`, "ACCESS_TOKEN"},
		{`{"password":"Canary1","again":"Canary1","api_key":"Canary2"}`, `{"password":"${PASSWORD}","again":"${PASSWORD}","api_key":"${API_KEY}"}`, "API_KEY PASSWORD"},
		{`[{"password":"Canary1"},{"password":"Canary2"}]`, `[{"password":"${PASSWORD}"},{"password":"${PASSWORD_2}"}]`, "PASSWORD PASSWORD_2"},
		{`/on .type == "ping" => {type: "pong", token: "Canary1"}`, `/on .type == "ping" => {type: "pong", token: "${TOKEN}"}`, "TOKEN"},
		{`/every 1h => {"password": "Canary2", n: $now_ms}`, `/every 1h => {"password": "${PASSWORD}", n: \$now_ms}`, "PASSWORD"},
		{`/wait .a == "knownToThePrinter"`, `/wait .a == "***"`, ""},
		{`{"a":"knownToThePrinter"}`, `{"a":"***"}`, ""},
		{`{"password":"Can\"ary1"}`, `{"password":"${PASSWORD}"}`, "PASSWORD"},
	} {
		r := references{redact: known}
		got := r.line(tt.text)
		if strings.HasPrefix(tt.text, "/") {
			r = references{redact: known}
			got = r.command(tt.text)
		}
		names := strings.Fields(tt.names)
		if got != tt.want || len(r.names) != len(names) || r.masked != strings.Contains(tt.want, "***") {
			t.Errorf("%s: %s (%v, %v), want %s", tt.text, got, r.names, r.masked, tt.want)
		}
		for _, n := range names {
			if !strings.Contains(strings.Join(r.names, " "), n) {
				t.Errorf("%s: no variable %s", tt.text, n)
			}
		}
	}
}
