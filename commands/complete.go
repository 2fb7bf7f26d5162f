package commands

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/emulator"
)

// completeCommand is what the scripts of the shells call, with the words before
// the cursor and the one that it stands in: the knowledge is here, once, and the
// scripts are a few lines each. It is not part of the tree.
const completeCommand = "__complete"

// filesDirective, alone on the last line, tells the script to offer files too.
const filesDirective = ":files"

// A candidate is one way to go on.
type candidate struct{ word, about string }

// complete prints what may stand in the place of the last word, a candidate a
// line, with a tab and an explanation.
func (a *app) complete(ctx context.Context, w io.Writer, words []string) error {
	cur := ""
	if n := len(words); n > 0 {
		words, cur = words[:n-1], words[n-1]
	}
	found, files := a.candidates(ctx, words, cur)
	var b strings.Builder
	for _, c := range found {
		about, _, _ := strings.Cut(c.about, "\n")
		fmt.Fprintf(&b, "%s\t%s\n", c.word, about)
	}
	if files {
		b.WriteString(filesDirective + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// candidates finds what may stand in the place of cur after words.
func (a *app) candidates(ctx context.Context, words []string, cur string) (found []candidate, files bool) {
	names := func(kind string) []string { return a.names(ctx, kind, words) }
	n, args := a.root, 0
	var open *option // waits for its value
	for _, word := range words {
		switch {
		case open != nil:
			open = nil
		case word == "--":
			return nil, true // arguments of a command of the user's
		case strings.HasPrefix(word, "-") && len(word) > 1:
			open = n.opens(word)
		case n.isGroup() && n.child(word) != nil:
			n = n.child(word)
		default:
			args++
		}
	}
	switch {
	case open != nil:
		words = words[:len(words)-1]
		return open.values(cur, "", names)
	case strings.HasPrefix(cur, "--") && strings.Contains(cur, "="):
		name, value, _ := strings.Cut(cur, "=")
		if o, _ := n.lookup(name[2:]); o != nil && o.takesValue {
			return o.values(value, name+"=", names)
		}
		return nil, false
	case strings.HasPrefix(cur, "-"):
		return n.flagCandidates(cur), false
	}
	return a.argumentCandidates(n, words, args, cur, names)
}

// opens returns the flag of a word that waits for its value in the next word.
func (n *node) opens(word string) *option {
	name, long := strings.CutPrefix(word, "--")
	if !long {
		name = word[len(word)-1:]
	}
	if strings.Contains(name, "=") {
		return nil
	}
	if o, _ := n.lookup(name); o != nil && o.takesValue {
		return o
	}
	return nil
}

// names lists what there is of a kind, for a line that goes on after words.
func (a *app) names(ctx context.Context, kind string, words []string) []string {
	if a.config.Names == nil || kind == "" {
		return nil
	}
	line, err := permute(a.root, words)
	if err != nil {
		return nil
	}
	return a.config.Names(ctx, kind, line)
}

// values are what a flag takes: the words of a placeholder such as
// "continue|fail", "junit=" of "junit=FILE|…", names, faults, or files.
func (o *option) values(cur, prefix string, names func(kind string) []string) (found []candidate, files bool) {
	offer := func(words ...string) {
		for _, word := range words {
			if strings.HasPrefix(word, cur) {
				found = append(found, candidate{prefix + word, ""})
			}
		}
	}
	if strings.Contains(o.placeholder, "|") && strings.Contains(cur, "=") {
		return nil, true // the FILE of junit=FILE
	}
	if strings.Contains(o.placeholder, "|") {
		for word := range strings.SplitSeq(o.placeholder, "|") {
			if key, _, ok := strings.Cut(word, "="); ok {
				word = key + "="
			}
			if strings.ToLower(word) == word {
				offer(word)
			}
		}
		return found, false
	}
	if o.name() == "fault" {
		for _, f := range emulator.Faults() {
			word := f.Name
			if f.Argument != "" && f.Argument[0] != '[' {
				word += "="
			}
			offer(word)
		}
		return found, false
	}
	if kind := nameKinds[dashed(o.name())]; kind != "" {
		offer(names(kind)...)
		return found, false
	}
	return nil, strings.Contains(o.placeholder, "FILE") || strings.Contains(o.placeholder, "PATH") || o.placeholder == "TAPE"
}

func (n *node) flagCandidates(cur string) []candidate {
	var found []candidate
	for ; n != nil; n = n.parent {
		for _, o := range n.options {
			word := dashed(o.name())
			if !o.hidden && strings.HasPrefix(word, cur) {
				found = append(found, candidate{word, o.usage})
			}
		}
	}
	return found
}

// below follows the names of commands as far as they lead; nothing is below a word
// that is none.
func (n *node) below(words []string) *node {
	for _, word := range words {
		if n = n.child(word); n == nil {
			return new(node)
		}
	}
	return n
}

// argumentCandidates are the commands below n, or what its arguments may be.
func (a *app) argumentCandidates(n *node, words []string, args int, cur string, names func(kind string) []string) (found []candidate, files bool) {
	offer := func(word, about string) {
		if strings.HasPrefix(word, cur) && !slices.ContainsFunc(found, func(c candidate) bool { return c.word == word }) {
			found = append(found, candidate{word, about})
		}
	}
	if n.isGroup() && args > 0 {
		return nil, false // after a word that is no command
	}
	if n.isGroup() {
		for _, c := range n.children() {
			if !c.cmd.Hidden {
				offer(c.cmd.Name, c.cmd.Usage)
			}
		}
		return found, false
	}
	path := strings.TrimPrefix(n.path, a.root.path+" ")
	if path == "help" || path == "config explain" {
		top := a.root.below(words[len(words)-args:])
		for _, c := range top.children() {
			if !c.cmd.Hidden {
				offer(c.cmd.Name, c.cmd.Usage)
			}
		}
		for _, t := range a.config.Topics {
			if args == 0 && path == "help" {
				offer(t.Name, t.Summary)
			}
		}
		return found, false
	}
	synopsis, _, _ := strings.Cut(n.cmd.ArgsUsage, "\n")
	for _, w := range a.config.Words[path] {
		offer(w, "")
	}
	if kind := nameKinds[path]; args == 0 || strings.Contains(synopsis, "…") {
		for _, name := range names(kind) {
			offer(name, "")
		}
	}
	return found, strings.Contains(synopsis, "TAPE") || strings.Contains(synopsis, "FILE")
}
