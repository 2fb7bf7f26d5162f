//go:build unix

package commands

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// The manual is made of what the commands say of themselves, so it cannot miss a
// flag. Run with -update after a change.
func TestManual(t *testing.T) {
	const path = "../man/hark.1"
	want := manual(testApp())
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the manual is not up to date: go test ./commands -run Manual -update")
	}
	if _, err := exec.LookPath("mandoc"); err != nil {
		t.Log("there is no mandoc: the manual was not checked by it")
		return
	}
	out, err := exec.Command("mandoc", "-T", "lint", path).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("mandoc: %v\n%s", err, out)
	}
}

// testApp is the real tree, with nobody to talk to.
func testApp() *app {
	p := &program{Env: Env{
		Stdin: strings.NewReader(""), Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer),
		LookupEnv: func(string) (string, bool) { return "", false },
		Environ:   func() []string { return nil },
		Screen:    func() (int, int) { return 0, 0 },
	}}
	p.say = newPrinter(p.Stderr)
	return p.app()
}

// manual is the page hark(1) in the man macros.
func manual(a *app) []byte {
	m := &page{}
	root := a.root.describe()
	m.line(`.TH HARK 1 2026-11-23 hark "hark manual"`)
	m.macro(".SH", "NAME")
	m.line("hark \\- " + roff(root.Summary))
	m.macro(".SH", "SYNOPSIS")
	for i, c := range leaves(root) {
		if i > 0 {
			m.line(".br")
		}
		m.line("\\fB" + roff(strings.Replace(c.Synopsis, c.Path, c.Path+"\\fR", 1)))
	}
	m.macro(".SH", "DESCRIPTION")
	m.text(root.Description)
	m.macro(".SH", "EXAMPLES")
	m.examples(root.Examples)
	m.macro(".SH", "COMMANDS")
	shared := sharedFlags(root)
	for _, c := range leaves(root) {
		m.command(c, shared)
	}
	m.macro(".SH", "FLAGS OF ALL COMMANDS THAT STREAM")
	m.flags(shared)
	m.macro(".SH", "FLAGS OF ALL COMMANDS")
	m.flags(root.Flags)
	for _, t := range a.config.Topics {
		m.macro(".SH", strings.ToUpper(strings.ReplaceAll(t.Name, "-", " ")))
		m.text(t.Text)
	}
	m.macro(".SH", "SEE ALSO")
	m.line(".BR jq (1),")
	m.line(".BR curl (1)")
	return m.b.Bytes()
}

// leaves are the commands that do something.
func leaves(d commandDoc) []commandDoc {
	if len(d.Commands) == 0 {
		return []commandDoc{d}
	}
	var out []commandDoc
	for _, c := range d.Commands {
		out = append(out, leaves(c)...)
	}
	return out
}

// sharedFlags are the flags that "drogue tail" and "octave subscribe" have in
// common, which the manual describes once.
func sharedFlags(root commandDoc) []flagDoc {
	var one []flagDoc
	for _, c := range leaves(root) {
		if c.Path == "hark octave subscribe" {
			one = c.Flags
		}
	}
	var out []flagDoc
	for _, c := range leaves(root) {
		if c.Path != "hark drogue tail" {
			continue
		}
		for _, f := range c.Flags {
			for _, g := range one {
				if f.Name == g.Name && f.Variable == g.Variable {
					out = append(out, f)
				}
			}
		}
	}
	return out
}

// A page is a manual page in the making.
type page struct {
	b         bytes.Buffer
	described []flagDoc // for a command
}

func (m *page) line(s string) { m.b.WriteString(s + "\n") }

// prose writes text that is filled, in lines that are not too long for mandoc.
func (m *page) prose(s string) {
	line := ""
	for word := range strings.FieldsSeq(s) {
		if more := line + " " + word; line != "" && len(roff(more)) > 80 {
			m.line(roff(line))
			line = word
		} else {
			line = strings.TrimPrefix(more, " ")
		}
	}
	m.line(roff(line))
}

func (m *page) macro(name string, args ...string) {
	var line strings.Builder
	line.WriteString(name)
	for _, a := range args {
		line.WriteString(` "` + strings.ReplaceAll(roff(a), `"`, `\(dq`) + `"`)
	}
	m.line(line.String())
}

// paragraph begins one, unless a heading has just done so.
func (m *page) paragraph() {
	text := strings.TrimSuffix(m.b.String(), "\n")
	last := text[strings.LastIndex(text, "\n")+1:]
	if !strings.HasPrefix(last, ".SH") && !strings.HasPrefix(last, ".SS") && last != ".PP" {
		m.line(".PP")
	}
}

// text writes paragraphs; indented lines stay as they are.
func (m *page) text(s string) {
	s = strings.TrimSpace(s)
	literal := false
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, "\n")
		fixed := strings.HasPrefix(line, "  ") || listItem(line)
		switch {
		case line == "":
			if literal {
				m.line(".fi")
				literal = false
			}
			m.paragraph()
			continue
		case fixed && !literal:
			m.paragraph()
			m.line(".nf")
			literal = true
		case !fixed && literal:
			m.line(".fi")
			m.paragraph()
			literal = false
		}
		if literal {
			m.line(roff(line))
		} else {
			m.prose(line)
		}
	}
	if literal {
		m.line(".fi")
	}
}

// listItem tells lines of a table such as "7  a time limit passed".
func listItem(line string) bool {
	return strings.Contains(strings.TrimSpace(line), "  ")
}

func (m *page) examples(lines []string) {
	if len(lines) == 0 {
		return
	}
	m.paragraph()
	m.line(".nf")
	m.line(".RS 4")
	for _, l := range lines {
		for part := range strings.SplitSeq(l, "\n") {
			m.line(roff(part))
		}
	}
	m.line(".RE")
	m.line(".fi")
}

func (m *page) command(c commandDoc, shared []flagDoc) {
	m.macro(".SS", c.Synopsis)
	m.prose(strings.ToUpper(c.Summary[:1]) + c.Summary[1:] + ".")
	if c.Description != "" {
		m.paragraph()
		m.text(c.Description)
	}
	m.examples(c.Examples)
	for _, a := range c.Arguments {
		m.line(".TP")
		m.line("\\fI" + roff(a.Name) + "\\fR")
		m.prose(a.Usage)
	}
	var own []flagDoc
	var elsewhere []string
	streams := false
	for _, f := range c.Flags {
		same := func(g flagDoc) bool { return g.Name == f.Name && g.Variable == f.Variable }
		switch {
		case slices.ContainsFunc(shared, same):
			streams = streams || f.Name == "--jq"
			elsewhere = append(elsewhere, f.Name)
		case slices.ContainsFunc(m.described, same) && (f.Group == catLink || f.Group == catProxy || f.Group == catTLS || strings.HasPrefix(c.Path, "hark doctor ")):
			elsewhere = append(elsewhere, f.Name)
		default:
			own = append(own, f)
		}
	}
	m.flags(own)
	m.described = append(m.described, own...)
	switch {
	case streams:
		m.paragraph()
		m.line("Besides, it takes the flags of all commands that stream, below.")
	case len(elsewhere) > 0:
		m.paragraph()
		m.prose("Besides, it takes these flags of the commands that stream: " + strings.Join(elsewhere, ", ") + ".")
	}
}

func (m *page) flags(flags []flagDoc) {
	for _, f := range flags {
		m.line(".TP")
		names := "\\fB" + roff(f.Name) + "\\fR"
		if f.Short != "" {
			names = "\\fB" + roff(f.Short) + "\\fR, " + names
		}
		if f.Value != "" {
			names += " \\fI" + roff(f.Value) + "\\fR"
		}
		m.line(names)
		text := f.Usage
		if f.Repeat {
			text += "; may be repeated"
		}
		if f.Default != "" {
			text += fmt.Sprintf(" (default %s)", f.Default)
		}
		m.prose(strings.ToUpper(text[:1]) + text[1:] + ".")
		if f.Variable != "" {
			m.line("Environment: \\fB" + roff(f.Variable) + "\\fR.")
		}
	}
}

// roff escapes text: backslashes, dashes that are to be typed, and a dot or quote
// that would begin a macro.
func roff(s string) string {
	s = strings.ReplaceAll(s, `\fR`, "\x00")
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\[u2026]`, "→", `\(->`, "’", `\(cq`, "€", `\(Eu`).Replace(s)
	s = strings.ReplaceAll(s, "\x00", `\fR`)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

func TestHelpJSON(t *testing.T) {
	a := testApp()
	var stdout bytes.Buffer
	a.config.Stdout = &stdout
	if err := a.Run(t.Context(), []string{"help", "--json"}); err != nil {
		t.Fatal(err)
	}
	var root commandDoc
	d := json.NewDecoder(&stdout)
	d.DisallowUnknownFields()
	if err := d.Decode(&root); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(a.root.describe(), root); diff != "" {
		t.Errorf("what was printed is not the tree (-want +got)\n%s", diff)
	}
	known := make(map[string]flagDoc)
	for _, c := range leaves(root) {
		if c.Summary == "" || c.Synopsis == "" || len(c.Examples) == 0 {
			t.Errorf("%s: summary %q, synopsis %q, examples %q", c.Path, c.Summary, c.Synopsis, c.Examples)
		}
		for _, f := range c.Flags {
			if !strings.HasPrefix(f.Name, "--") || f.Usage == "" || !strings.HasPrefix(f.Variable, "HARK_") {
				t.Errorf("%s: %+v", c.Path, f)
			}
			known[c.Path+" "+f.Name] = f
		}
	}
	want := flagDoc{Name: "--max-time", Short: "-m", Value: "D", Group: catEnd, Variable: "HARK_MAX_TIME"}
	got := known["hark drogue tail --max-time"]
	got.Usage = ""
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("--max-time (-want +got)\n%s", diff)
	}
	if f := known["hark octave subscribe --token"]; f.Variable != "HARK_OCTAVE_TOKEN" || !f.Secret || f.Default != "" {
		t.Errorf("--token: %+v", f)
	}
	if f := known["hark drogue tail --retries"]; f.Default != "10" {
		t.Errorf("--retries: %+v", f)
	}
}

func TestComplete(t *testing.T) {
	tests := []struct {
		words string // separated by spaces, the last one is being typed
		want  string // candidates, separated by spaces
	}{
		{"dr", "drogue"},
		{"drogue ", "tail apps publish login logout whoami endpoints"},
		{"help exit", "exit-codes"},
		{"drogue tail --jq-er", "--jq-error"},
		{"drogue tail --jq-error ", "continue fail"},
		{"drogue tail --jq-error=f", "--jq-error=fail"},
		{"drogue tail x --jq-error c", "continue"},
		{"doshii listen --env ", "sandbox live"},
		{"completion ", "bash zsh fish powershell"},
		{"emulate octave d", "drogue doshii"},
		{"emulate octave -- x", ":files"},
		{"drogue tail --jq ", ""},
		{"--vers", "--version"},
		{"nothing ", ""},
	}
	for _, tt := range tests {
		var b bytes.Buffer
		if err := testApp().complete(t.Context(), &b, strings.Split(tt.words, " ")); err != nil {
			t.Error(err)
		}
		var got []string
		for line := range strings.Lines(b.String()) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			got = append(got, word)
		}
		if have := strings.Join(got, " "); have != tt.want {
			t.Errorf("%q: %q, want %q", tt.words, have, tt.want)
		}
	}
	// Nothing makes it fail: a shell would print it into the line being typed.
	for _, words := range [][]string{nil, {""}, {"-"}, {"--"}, {"--="}, {"drogue", "tail", "-", "--x="}} {
		if err := testApp().complete(t.Context(), new(bytes.Buffer), words); err != nil {
			t.Errorf("%q: %v", words, err)
		}
	}
}
