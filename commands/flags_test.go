//go:build unix

package commands

import (
	"bytes"
	"cmp"
	"os"
	"slices"
	"strings"
	"testing"
)

// allFlags lists each flag of the tree once, with the commands that have it. Flags
// of one name that mean different things have different usage texts.
func allFlags(root commandDoc) []knownFlag {
	var all []knownFlag
	var collect func(commandDoc)
	collect = func(c commandDoc) {
		for _, f := range c.Flags {
			i := slices.IndexFunc(all, func(k knownFlag) bool { return k.Name == f.Name && k.Variable == f.Variable && k.Usage == f.Usage })
			if i < 0 {
				i = len(all)
				all = append(all, knownFlag{flagDoc: f})
			}
			all[i].commands = append(all[i].commands, strings.TrimPrefix(c.Path, "hark "))
		}
		for _, sub := range c.Commands {
			collect(sub)
		}
	}
	collect(root)
	return all
}

type knownFlag struct {
	flagDoc
	commands []string
}

// Marks around the table of flags in the README.
const (
	tableBegin = "<!-- flags: go test ./commands -run FlagTable -update -->\n"
	tableEnd   = "<!-- end of flags -->\n"
)

// flagTable is the table of flags in Markdown: a row for each flag, those of the
// same name in one.
func flagTable(root commandDoc) string {
	all := allFlags(root)
	slices.SortStableFunc(all, func(a, b knownFlag) int { return cmp.Compare(a.Name, b.Name) })
	var b strings.Builder
	b.WriteString("| flag | commands | what it does |\n|---|---|---|\n")
	for _, f := range all {
		name := "`" + f.Name + "`"
		if f.Short != "" {
			name = "`" + f.Short + "`, " + name
		}
		usage := strings.TrimSuffix(f.Usage, ": "+secretForms)
		usage = strings.NewReplacer("|", "\\|", "<", "&lt;", "*", "\\*").Replace(usage)
		b.WriteString("| " + name + " | " + commandNames(root, f.commands) + " | " + usage + " |\n")
	}
	return b.String()
}

// commandNames says in few words which commands have a flag.
func commandNames(root commandDoc, names []string) string {
	if slices.Contains(names, root.Path) {
		return "all"
	}
	streams := []string{"octave subscribe", "drogue tail", "doshii listen", "connect"}
	doctors := []string{"doctor octave", "doctor drogue", "doctor doshii", "doctor connect"}
	has := func(list []string) bool {
		return !slices.ContainsFunc(list, func(s string) bool { return !slices.Contains(names, s) })
	}
	var out []string
	if has(streams) {
		out = append(out, "streams")
	}
	if has(doctors) {
		out = append(out, "doctor")
	}
	others := 0
	for _, n := range names {
		if has(streams) && slices.Contains(streams, n) || has(doctors) && slices.Contains(doctors, n) {
			continue
		}
		if len(out) == 5 {
			others++
			continue
		}
		out = append(out, n)
	}
	if others > 0 {
		out = append(out, "…")
	}
	return strings.Join(out, ", ")
}

func TestFlagTable(t *testing.T) {
	const path = "../README.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !ok || !ended {
		t.Fatalf("the README has no table of flags between %q and %q", tableBegin, tableEnd)
	}
	want := before + tableBegin + "\n" + flagTable(testApp().root.describe()) + "\n" + tableEnd + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want {
		t.Errorf("the table of flags in the README is not up to date: go test ./commands -run FlagTable -update")
	}
}

// Every flag is where users look for it: in the manual, in the README, and in what
// the shells offer.
func TestFlagsAreEverywhere(t *testing.T) {
	manual, err := os.ReadFile("../man/hark.1")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	a := testApp()
	for _, f := range allFlags(a.root.describe()) {
		if !bytes.Contains(manual, []byte("\\fB"+roff(f.Name)+"\\fR")) {
			t.Errorf("the manual does not explain %s", f.Name)
		}
		if f.Variable != "" && !bytes.Contains(manual, []byte("\\fB"+roff(f.Variable)+"\\fR")) {
			t.Errorf("the manual does not know %s", f.Variable)
		}
		if !bytes.Contains(readme, []byte("`"+f.Name+"`")) {
			t.Errorf("the README does not list %s", f.Name)
		}
		for _, command := range f.commands {
			var out bytes.Buffer
			words := strings.Fields(strings.TrimPrefix(command, "hark"))
			if err := a.complete(t.Context(), &out, append(words, f.Name)); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains("\n"+out.String(), "\n"+f.Name+"\t") {
				t.Errorf("hark %s %s is not completed: %q", command, f.Name, &out)
			}
		}
	}
}
