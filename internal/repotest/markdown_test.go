package repotest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A block is a fenced code block of a Markdown file.
type block struct {
	line     int    // of the opening fence, from 1
	language string // console, sh
	account  bool   // marked as needing an account
	text     []string
}

// needsAccount marks the block below it.
const needsAccount = "<!-- needs an account -->"

// blocks finds the fenced code blocks.
func blocks(markdown string) ([]block, error) {
	var found []block
	var open *block
	account := false
	number := 0
	for line := range strings.Lines(markdown) {
		number++
		line = strings.TrimRight(line, "\r\n")
		fence, language, ok := strings.Cut(line, "```")
		switch {
		case ok && strings.TrimSpace(fence) == "" && open == nil:
			open = &block{line: number, language: strings.TrimSpace(language), account: account}
		case ok && strings.TrimSpace(fence) == "":
			found = append(found, *open)
			open, account = nil, false
		case open != nil:
			open.text = append(open.text, line)
		case strings.TrimSpace(line) == needsAccount:
			account = true
		case strings.TrimSpace(line) != "":
			account = false
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: the block has no end", open.line)
	}
	return found, nil
}

// A step is a command in a console block with the output that the reader is shown.
type step struct {
	line    int
	command string
	want    []string
}

// steps takes a console block apart: lines that begin with "$ " are commands, "> "
// or a backslash at the end of the line before goes on with one, the rest is output.
func steps(b block) ([]step, error) {
	var found []step
	for i, line := range b.text {
		var last *step
		if len(found) > 0 {
			last = &found[len(found)-1]
		}
		command, isCommand := strings.CutPrefix(line, "$ ")
		more, isMore := strings.CutPrefix(line, "> ")
		switch {
		case isCommand:
			found = append(found, step{line: b.line + 1 + i, command: command})
		case last == nil:
			return nil, fmt.Errorf("line %d: a console block begins with a command, \"$ …\"", b.line+1)
		case len(last.want) == 0 && (isMore || strings.HasSuffix(last.command, `\`)):
			if !isMore {
				more = line
			}
			last.command += "\n" + more
		default:
			last.want = append(last.want, line)
		}
	}
	return found, nil
}

var dots = regexp.MustCompile(`…|\.\.\.`)

// matches tells whether output is what the reader was shown. "…" or "..." stand for
// anything within a line, alone on a line for any number of lines. Spaces at the
// end of lines do not count.
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
	pattern.WriteString(`\z`)
	if output != "" && !strings.HasSuffix(output, "\n") {
		output += "\n"
	}
	return regexp.MustCompile(pattern.String()).MatchString(output)
}

// A word of a shell command.
type word struct {
	text   string
	quoted bool // at least in part
}

// pipelines splits shell text into simple commands and those into words. It knows
// quotes, comments, continued lines and the operators between commands, which is
// what examples are made of.
func pipelines(text string) [][]word {
	s := splitter{rest: []rune(text)}
	for len(s.rest) > 0 {
		r := s.rest[0]
		s.rest = s.rest[1:]
		switch {
		case s.quote != 0 && r == s.quote:
			s.quote = 0
		case s.quote != 0:
			s.add(string(r), true)
		case r == '\'' || r == '"':
			s.quote = r
			s.add("", true)
		case r == '\\' && len(s.rest) > 0:
			s.escaped()
		case r == '#' && s.current == nil:
			s.rest = s.rest[max(0, slices.Index(s.rest, '\n')):]
		case strings.ContainsRune("|;&()\n", r):
			s.endCommand()
		case r == ' ' || r == '\t':
			s.endWord()
		default:
			s.add(string(r), false)
		}
	}
	s.endCommand()
	return s.commands
}

// A splitter is the state of pipelines.
type splitter struct {
	rest     []rune
	quote    rune // the open quote, or 0
	current  *word
	command  []word
	commands [][]word
}

func (s *splitter) add(text string, quoted bool) {
	if s.current == nil {
		s.current = new(word)
	}
	s.current.text += text
	s.current.quoted = s.current.quoted || quoted
}

// escaped takes what follows a backslash.
func (s *splitter) escaped() {
	if s.rest[0] == '\n' {
		s.endWord()
	} else {
		s.add(string(s.rest[0]), true)
	}
	s.rest = s.rest[1:]
}

func (s *splitter) endWord() {
	if s.current != nil {
		s.command = append(s.command, *s.current)
		s.current = nil
	}
}

func (s *splitter) endCommand() {
	s.endWord()
	if len(s.command) > 0 {
		s.commands = append(s.commands, s.command)
		s.command = nil
	}
}

// A usage is one use of hark in an example.
type usage struct {
	path  []string // "drogue", "tail", perhaps with arguments
	flags []string // "--count", "-n"
}

var (
	commandWord = regexp.MustCompile(`^[a-z][a-z-]*$`)
	flagWord    = regexp.MustCompile(`^(--[a-z][a-z-]*|-[a-zA-Z])`)
)

// uses finds how hark is used in shell text.
func uses(text string) []usage {
	var found []usage
	for _, words := range pipelines(text) {
		for len(words) > 0 && strings.Contains(words[0].text, "=") { // NAME=VALUE hark …
			words = words[1:]
		}
		if len(words) > 2 && words[0].text == "go" && words[1].text == "run" && words[2].text == "." {
			words = append([]word{{text: "hark"}}, words[3:]...)
		}
		if len(words) == 0 || words[0].text != "hark" {
			continue
		}
		var u usage
		for _, w := range words[1:] {
			if w.text == "--" {
				break
			}
			flag := flagWord.FindString(w.text)
			switch {
			case w.quoted && !strings.Contains(w.text, "="):
			case flag != "":
				u.flags = append(u.flags, flag)
			case len(u.flags) == 0 && commandWord.MatchString(w.text):
				u.path = append(u.path, w.text)
			}
		}
		found = append(found, u)
	}
	return found
}

// helpKnows tells whether a help text lists a flag.
func helpKnows(help, flag string) bool {
	return regexp.MustCompile(`(?m)^ +(?:.*, )?` + regexp.QuoteMeta(flag) + `(?:$|[ ,=\[])`).MatchString(help)
}

func TestBlocks(t *testing.T) {
	text := "# x\n\n```console\n$ a\nb\n```\ntext\n\n<!-- needs an account -->\n\n```sh\nc\n```\n```console\n```\n<!-- needs an account -->\ntext\n```\n```\n"
	got, err := blocks(text)
	want := []block{
		{line: 3, language: "console", text: []string{"$ a", "b"}},
		{line: 11, language: "sh", account: true, text: []string{"c"}},
		{line: 14, language: "console"},
		{line: 18},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(block{})); diff != "" || err != nil {
		t.Errorf("error %v, blocks (-want +got)\n%s", err, diff)
	}
	if _, err := blocks("```console\n$ a\n"); err == nil {
		t.Error("a block without an end was taken")
	}
}

func TestSteps(t *testing.T) {
	got, err := steps(block{line: 1, text: []string{"$ a", "$ b \\", "  c", "> d", "out", "> out", "$ e"}})
	want := []step{
		{line: 2, command: "a"},
		{line: 3, command: "b \\\n  c\nd", want: []string{"out", "> out"}},
		{line: 8, command: "e"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(step{})); diff != "" || err != nil {
		t.Errorf("error %v, steps (-want +got)\n%s", err, diff)
	}
	if _, err := steps(block{line: 1, text: []string{"out"}}); err == nil {
		t.Error("output without a command was taken")
	}
}

func TestMatches(t *testing.T) {
	tests := []struct {
		want, output string
		ok           bool
	}{
		{"", "", true},
		{"", "x\n", false},
		{"x", "x\n", true},
		{"x", "x", true},
		{"x", "x\ny\n", false},
		{"x", "X\n", false},
		{"a.c", "abc\n", false},
		{`{"id":"…","n":1}`, `{"id":"abc","n":1}` + "\n", true},
		{`{"id":"...","n":1}`, `{"id":"abc","n":2}` + "\n", false},
		{"a…", "a\nb\n", false},
		{"a\n…\nz", "a\nz\n", true},
		{"a\n...\nz", "a\nb\nc\nz\n", true},
		{"a\n…", "a\nb\nc\n", true},
		{"…", "", true},
		{"x  ", "x \n", true},
	}
	for _, tt := range tests {
		var want []string
		if tt.want != "" {
			want = strings.Split(tt.want, "\n")
		}
		if got := matches(want, tt.output); got != tt.ok {
			t.Errorf("%q and %q: %v", tt.want, tt.output, got)
		}
	}
}

func TestUses(t *testing.T) {
	got := uses(`# hark commented --out
HARK_X=1 hark drogue tail demo-app --token "$TOKEN" -n5 --jq '.a | --b' --max-time=3s \
  --until "-x" | jq --arg x y && (hark connect wss://host/ -H 'A: b'; echo hark --no)
hark emulate octave -- sh -c --not
go run . doshii listen -v
hark`)
	want := []usage{
		{path: []string{"drogue", "tail", "demo-app"}, flags: []string{"--token", "-n", "--jq", "--max-time", "--until"}},
		{path: []string{"connect"}, flags: []string{"-H"}},
		{path: []string{"emulate", "octave"}},
		{path: []string{"doshii", "listen"}, flags: []string{"-v"}},
		{},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(usage{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestHelpKnows(t *testing.T) {
	help := "Flags:\n  -n, --count N   stop after --this\n      --color[=WHEN]   x\n      --jq EXPR   x\n  -r   x\n"
	for flag, want := range map[string]bool{
		"-n": true, "--count": true, "--color": true, "--jq": true, "-r": true,
		"--coun": false, "--this": false, "-c": false, "--j": false,
	} {
		if got := helpKnows(help, flag); got != want {
			t.Errorf("%s: %v", flag, got)
		}
	}
}
