package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
)

// manual returns the page hark(1) in the man macros.
func manual(a *cmdline.App) []byte {
	m := &page{}
	root := a.Root().Describe()
	m.line(`.TH HARK 1 2026-11-23 hark "hark manual"`)
	m.macro(".SH", "NAME")
	m.line("hark \\- " + roff(root.Summary))
	m.macro(".SH", "SYNOPSIS")
	for i, c := range root.Leaves() {
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
	for _, c := range root.Leaves() {
		m.command(c, shared)
	}
	m.macro(".SH", "FLAGS OF ALL STREAMING COMMANDS")
	m.flags(shared)
	m.macro(".SH", "FLAGS OF ALL COMMANDS")
	m.flags(root.Flags)
	for _, t := range a.Topics() {
		m.macro(".SH", strings.ToUpper(strings.ReplaceAll(t.Name, "-", " ")))
		m.text(t.Text)
	}
	m.macro(".SH", "SEE ALSO")
	m.line(".BR jq (1),")
	m.line(".BR curl (1)")
	return m.b.Bytes()
}

// networkGroups are headings of flags that many commands have, and that the manual
// explains for the first of them.
var networkGroups = []string{"Connection", "Proxy", "TLS"}

// sharedFlags are the flags that "drogue tail" and "octave subscribe" have in
// common, which the manual describes once.
func sharedFlags(root cmdline.CommandDoc) []cmdline.FlagDoc {
	var one []cmdline.FlagDoc
	for _, c := range root.Leaves() {
		if c.Path == "hark octave subscribe" {
			one = c.Flags
		}
	}
	var out []cmdline.FlagDoc
	for _, c := range root.Leaves() {
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

// A page is a manual page that is being written.
type page struct {
	b         bytes.Buffer
	described []cmdline.FlagDoc // for a command
}

func (m *page) line(s string) { m.b.WriteString(s + "\n") }

// prose writes filled text, in lines that are not too long for mandoc.
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

// paragraph begins a paragraph, unless one has just begun.
func (m *page) paragraph() {
	text := strings.TrimSuffix(m.b.String(), "\n")
	last := text[strings.LastIndex(text, "\n")+1:]
	if !strings.HasPrefix(last, ".SH") && !strings.HasPrefix(last, ".SS") && last != ".PP" {
		m.line(".PP")
	}
}

// text writes paragraphs; indented lines are not filled.
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

// listItem reports whether a line is a row of a table, such as "7  a time limit passed".
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

func (m *page) command(c cmdline.CommandDoc, shared []cmdline.FlagDoc) {
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
	var own []cmdline.FlagDoc
	var elsewhere []string
	streams := false
	for _, f := range c.Flags {
		same := func(g cmdline.FlagDoc) bool { return g.Name == f.Name && g.Variable == f.Variable }
		switch {
		case slices.ContainsFunc(shared, same):
			streams = streams || f.Name == "--jq"
			elsewhere = append(elsewhere, f.Name)
		case slices.ContainsFunc(m.described, same) && (slices.Contains(networkGroups, f.Group) || strings.HasPrefix(c.Path, "hark doctor ")):
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
		m.line("Also accepts the flags of all streaming commands, below.")
	case len(elsewhere) > 0:
		m.paragraph()
		m.prose("Also accepts these flags, described elsewhere on this page: " + strings.Join(elsewhere, ", ") + ".")
	}
}

func (m *page) flags(flags []cmdline.FlagDoc) {
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
