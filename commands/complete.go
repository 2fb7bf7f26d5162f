package commands

import (
	"fmt"
	"io"
	"slices"
	"strings"
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
func (a *app) complete(w io.Writer, words []string) error {
	cur := ""
	if n := len(words); n > 0 {
		words, cur = words[:n-1], words[n-1]
	}
	found, files := a.candidates(words, cur)
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
func (a *app) candidates(words []string, cur string) (found []candidate, files bool) {
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
		case len(n.children) > 0 && n.child(word) != nil:
			n = n.child(word)
		default:
			args++
		}
	}
	switch {
	case open != nil:
		return open.values(cur, "")
	case strings.HasPrefix(cur, "--") && strings.Contains(cur, "="):
		name, value, _ := strings.Cut(cur, "=")
		if o, _ := n.lookup(name[2:]); o != nil && o.takesValue {
			return o.values(value, name+"=")
		}
		return nil, false
	case strings.HasPrefix(cur, "-"):
		return n.flagCandidates(cur), false
	}
	return a.argumentCandidates(n, args, cur)
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

// values are what a flag takes: the words of a placeholder such as
// "continue|fail", or files.
func (o *option) values(cur, prefix string) (found []candidate, files bool) {
	if strings.Contains(o.placeholder, "|") {
		for word := range strings.SplitSeq(o.placeholder, "|") {
			if strings.HasPrefix(word, cur) && strings.ToLower(word) == word {
				found = append(found, candidate{prefix + word, ""})
			}
		}
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

// argumentCandidates are the commands below n, or what its arguments may be.
func (a *app) argumentCandidates(n *node, args int, cur string) (found []candidate, files bool) {
	offer := func(word, about string) {
		if strings.HasPrefix(word, cur) && !slices.ContainsFunc(found, func(c candidate) bool { return c.word == word }) {
			found = append(found, candidate{word, about})
		}
	}
	if len(n.children) > 0 && args > 0 {
		return nil, false // after a word that is no command
	}
	if len(n.children) > 0 {
		for _, c := range n.children {
			if !c.cmd.Hidden {
				offer(c.cmd.Name, c.cmd.Usage)
			}
		}
		return found, false
	}
	if n.cmd.Name == "help" && n.parent == a.root {
		for _, c := range a.root.children {
			offer(c.cmd.Name, c.cmd.Usage)
		}
		for _, t := range a.config.Topics {
			offer(t.Name, t.Summary)
		}
		return found, false
	}
	synopsis, _, _ := strings.Cut(n.cmd.ArgsUsage, "\n")
	for _, w := range a.config.Words[strings.TrimPrefix(n.path, a.root.path+" ")] {
		offer(w, "")
	}
	return found, strings.Contains(synopsis, "TAPE") || strings.Contains(synopsis, "FILE")
}
