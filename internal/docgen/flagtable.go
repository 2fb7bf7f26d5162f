package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
)

// allFlags lists each flag of the tree once, with the commands that have it. Flags
// of one name that mean different things have different usage texts.
func allFlags(root cmdline.CommandDoc) []knownFlag {
	var all []knownFlag
	var collect func(cmdline.CommandDoc)
	collect = func(c cmdline.CommandDoc) {
		for _, f := range c.Flags {
			i := slices.IndexFunc(all, func(k knownFlag) bool { return k.Name == f.Name && k.Variable == f.Variable && k.Usage == f.Usage })
			if i < 0 {
				i = len(all)
				all = append(all, knownFlag{FlagDoc: f})
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
	cmdline.FlagDoc
	commands []string
}

// Marks around the table of flags in the README.
const (
	tableBegin = "<!-- flags: go generate ./... -->\n"
	tableEnd   = "<!-- end of flags -->\n"
)

// flagTable is the table of flags in Markdown: a row for each flag, those of the
// same name in one.
func flagTable(root cmdline.CommandDoc) string {
	all := allFlags(root)
	slices.SortStableFunc(all, func(a, b knownFlag) int { return cmp.Compare(a.Name, b.Name) })
	var b strings.Builder
	b.WriteString("| flag | commands | what it does |\n|---|---|---|\n")
	for _, f := range all {
		name := "`" + f.Name + "`"
		if f.Short != "" {
			name = "`" + f.Short + "`, " + name
		}
		usage := strings.TrimSuffix(f.Usage, ": "+f.Detail)
		usage = strings.NewReplacer("|", "\\|", "<", "&lt;", "*", "\\*").Replace(usage)
		b.WriteString("| " + name + " | " + commandNames(root, f.commands) + " | " + usage + " |\n")
	}
	return b.String()
}

// commandNames says in few words which commands have a flag.
func commandNames(root cmdline.CommandDoc, names []string) string {
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

// withTable is the text of the README with a new table of flags.
func withTable(readme string, root cmdline.CommandDoc) (string, error) {
	before, rest, ok := strings.Cut(readme, tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !ok || !ended {
		return "", fmt.Errorf("no table of flags between %q and %q", tableBegin, tableEnd)
	}
	return before + tableBegin + "\n" + flagTable(root) + "\n" + tableEnd + after, nil
}
