package cmdline

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// completeCommand is the hidden command that the completion scripts of the shells run,
// with the words up to the cursor, so that the scripts are a few lines each. It is not
// part of the tree.
const completeCommand = "__complete"

// filesDirective, alone on the last line, makes the script offer files too.
const filesDirective = ":files"

// A Completion lists candidates for a word, regardless of what has been typed of it;
// line is the line before it, nil if that has an error.
type Completion func(ctx context.Context, line *Line) []Candidate

// A Candidate is one completion.
type Candidate struct {
	Word  string
	About string // its first line is shown
}

// Words returns candidates without explanations.
func Words(words ...string) []Candidate {
	candidates := make([]Candidate, len(words))
	for i, w := range words {
		candidates[i].Word = w
	}
	return candidates
}

// complete prints the candidates for the last word, one per line, with a tab and an
// explanation.
func (a *App) complete(ctx context.Context, w io.Writer, words []string) error {
	cur := ""
	if n := len(words); n > 0 {
		words, cur = words[:n-1], words[n-1]
	}
	found, files := a.candidates(ctx, words, cur)
	var b strings.Builder
	for _, c := range found {
		about, _, _ := strings.Cut(c.About, "\n")
		fmt.Fprintf(&b, "%s\t%s\n", c.Word, about)
	}
	if files {
		b.WriteString(filesDirective + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// candidates returns the candidates for cur after words.
func (a *App) candidates(ctx context.Context, words []string, cur string) (found []Candidate, files bool) {
	n, args := a.root, 0
	var open *Flag // whose value comes next
	for _, word := range words {
		if open != nil {
			open = nil
			continue
		}
		if word == "--" {
			return nil, true // arguments of a command after "--"
		}
		if strings.HasPrefix(word, "-") && len(word) > 1 {
			open = n.opens(word)
			continue
		}
		if n.IsGroup() {
			if c := n.Child(word); c != nil {
				n = c
				continue
			}
		}
		args++
	}
	ask := func(c Completion, words []string) []Candidate {
		if c == nil {
			return nil
		}
		line, err := a.root.Parse(words)
		if err != nil {
			line = nil
		}
		return c(ctx, line)
	}
	switch {
	case open != nil:
		return open.values(cur, "", func() []Candidate { return ask(open.Complete, words[:len(words)-1]) })
	case strings.HasPrefix(cur, "--") && strings.Contains(cur, "="):
		name, value, _ := strings.Cut(cur, "=")
		if f, _ := n.Lookup(name[2:]); f != nil && f.TakesValue() {
			return f.values(value, name+"=", func() []Candidate { return ask(f.Complete, words) })
		}
		return nil, false
	case strings.HasPrefix(cur, "-"):
		return n.flagCandidates(cur), false
	case n.IsGroup() && args > 0:
		return nil, false // after a word that is not a command
	case n.IsGroup():
		return matching(n.Candidates(), cur), false
	}
	if args == 0 || strings.Contains(n.synopsis(), "…") {
		found = matching(ask(n.Complete, words), cur)
	}
	return found, namesFile(n.synopsis(), "FILE", "RECORDING")
}

// matching returns the candidates that begin with cur, without duplicates.
func matching(candidates []Candidate, cur string) []Candidate {
	var found []Candidate
	for _, c := range candidates {
		if strings.HasPrefix(c.Word, cur) && !slices.ContainsFunc(found, func(f Candidate) bool { return f.Word == c.Word }) {
			found = append(found, c)
		}
	}
	return found
}

// Candidates returns the subcommands of n.
func (n *Command) Candidates() []Candidate {
	var found []Candidate
	for _, c := range n.visible() {
		found = append(found, Candidate{c.Name, c.Usage})
	}
	return found
}

// Below returns the command with these names below the root; nil if there is none.
func (n *Command) Below(names []string) *Command {
	for _, name := range names {
		if n = n.Child(name); n == nil {
			return nil
		}
	}
	return n
}

// completeHelp completes the arguments of help.
func (a *App) completeHelp(_ context.Context, line *Line) []Candidate {
	if line == nil {
		return nil
	}
	var found []Candidate
	if top := a.root.Below(line.Args()); top != nil {
		found = top.Candidates()
	}
	if len(line.Args()) == 0 {
		for _, t := range a.config.Topics {
			found = append(found, Candidate{t.Name, t.Summary})
		}
	}
	return found
}

// opens returns the flag of a word whose value is the next word.
func (n *Command) opens(word string) *Flag {
	name, long := strings.CutPrefix(word, "--")
	if !long {
		name = word[len(word)-1:]
	}
	if strings.Contains(name, "=") {
		return nil
	}
	if f, _ := n.Lookup(name); f != nil && f.TakesValue() {
		return f
	}
	return nil
}

// values returns candidates for the value of a flag: the words of a placeholder such as
// "continue|fail", "junit=" of "junit=FILE|…", those of its Completion, or files.
func (f *Flag) values(cur, prefix string, complete func() []Candidate) (found []Candidate, files bool) {
	placeholder := f.Placeholder()
	offer := func(word string) {
		if strings.HasPrefix(word, cur) {
			found = append(found, Candidate{prefix + word, ""})
		}
	}
	if strings.Contains(placeholder, "|") && strings.Contains(cur, "=") {
		return nil, true // the FILE of junit=FILE
	}
	if strings.Contains(placeholder, "|") {
		for word := range strings.SplitSeq(placeholder, "|") {
			if key, _, ok := strings.Cut(word, "="); ok {
				word = key + "="
			}
			if strings.ToLower(word) == word {
				offer(word)
			}
		}
		return found, false
	}
	if f.Complete != nil {
		for _, c := range complete() {
			offer(c.Word)
		}
		return found, false
	}
	return nil, namesFile(placeholder, "FILE", "PATH") || placeholder == "RECORDING"
}

// namesFile reports whether a placeholder contains a word for a file.
func namesFile(placeholder string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(placeholder, w) })
}

func (n *Command) flagCandidates(cur string) []Candidate {
	var found []Candidate
	for ; n != nil; n = n.parent {
		for _, f := range n.Flags {
			if word := f.String(); !f.Hidden && strings.HasPrefix(word, cur) {
				found = append(found, Candidate{word, f.full()})
			}
		}
	}
	return found
}
