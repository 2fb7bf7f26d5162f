package commands

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// unknownFlag is the error for a flag, with its dashes, that means nothing at n.
func unknownFlag(n *node, flag string) *UsageError {
	err := &UsageError{Message: "unknown flag " + cut(flag, 24), Command: n.path}
	name := strings.TrimLeft(flag, "-")
	if len(name) == 1 {
		if opt, _ := n.lookup(name); opt != nil { // "--n 5"
			err.Suggestion = dashed(name)
			return err
		}
	}
	if err.Advice = foreignAdvice(n, name); err.Advice != "" {
		return err
	}
	if owner := ownerBelow(n, name); owner != nil {
		err.Advice = fmt.Sprintf("%s goes after the command: '%s %[1]s'", dashed(name), owner.path)
		return err
	}
	if near := nearest(name, flagNames(n)); near != "" {
		err.Suggestion = dashed(near)
		return err
	}
	if owner := ownerBelow(n.root(), name); owner != nil && len(name) > 1 {
		err.Advice = fmt.Sprintf("%s is a flag of '%s'", flag, owner.path)
	}
	return err
}

// unknownLetter is the error for the letter at word[at], in a word of one dash and
// letters.
func unknownLetter(n *node, word string, at int) *UsageError {
	name, _, _ := strings.Cut(word[1:], "=")
	if near := nearest(name, flagNames(n)); near != "" { // "-count 5", "-conut 5"
		return &UsageError{Message: "unknown flag -" + cut(name, 24), Suggestion: dashed(near)}
	}
	// Not the whole word, it may hold a credential: "-Htoken" where there is no -H.
	_, size := utf8.DecodeRuneInString(word[at:])
	err := unknownFlag(n, "-"+word[at:at+size])
	if at > 1 {
		err.Message += " behind " + word[:at]
	}
	return err
}

// ownerBelow finds a command below n that has a flag of that name.
func ownerBelow(n *node, name string) *node {
	var owner *node
	n.walk(func(c *node) {
		if c == n || owner != nil {
			return
		}
		if _, at := c.lookup(name); at == c {
			owner = c
		}
	})
	return owner
}

// flagNames lists the long names of the flags that may be given at n.
func flagNames(n *node) []string {
	var names []string
	for ; n != nil; n = n.parent {
		for _, o := range n.options {
			if !o.hidden && len(o.name()) > 1 {
				names = append(names, o.name())
			}
		}
	}
	return names
}

// unknownCommand is the error for a word where the name of a command should be.
func unknownCommand(n *node, word string) *UsageError {
	err := &UsageError{Message: "unknown command" + mention(word), Command: n.path}
	if strings.Contains(word, "://") {
		// A URL alone is what other clients take; it may carry a credential.
		err.Message = "a URL is not a command"
		if c := n.root().child("connect"); c != nil {
			err.Suggestion = c.path + " URL"
		}
		return err
	}
	var names []string
	for _, c := range n.children() {
		if !c.cmd.Hidden {
			names = append(names, c.cmd.Name)
		}
	}
	if near := nearest(word, names); near != "" {
		err.Suggestion = n.path + " " + near
		return err
	}
	if n.parent == nil && word == "version" {
		err.Suggestion = n.path + " --version"
		return err
	}
	// "hark subscribe" means "hark octave subscribe".
	n.root().walk(func(c *node) {
		if err.Suggestion == "" && c.parent != nil && !c.cmd.Hidden && c.cmd.Name == word {
			err.Suggestion = c.path
		}
	})
	if err.Suggestion != "" {
		return err
	}
	// "hark drogue demo-app" means "hark drogue tail demo-app", and "tale" is "tail".
	if near := beginsLike(word, names); near != "" {
		err.Suggestion = n.path + " " + near
	} else if c := n.streams(); c != nil {
		argument, _, _ := strings.Cut(c.cmd.ArgsUsage, "\n")
		if typed := mention(word); typed != "" && !strings.ContainsAny(word, " '") {
			argument = word
		}
		err.Suggestion = c.path + " " + argument
	}
	return err
}

// streams is the command below n that streams what its argument names; nil if there is
// none.
func (n *node) streams() *node {
	for _, c := range n.children() {
		if opt, at := c.lookup("until"); opt != nil && at == c && c.cmd.ArgsUsage != "" && n.parent != nil {
			return c
		}
	}
	return nil
}

// beginsLike is the only candidate with the first two letters of word, with no more
// than two typing mistakes; "" if there is none.
func beginsLike(word string, candidates []string) string {
	found := ""
	for _, c := range candidates {
		if len(word) > 2 && len(c) > 2 && word[:2] == c[:2] && distance([]rune(word), []rune(c)) <= 2 {
			if found != "" {
				return ""
			}
			found = c
		}
	}
	return found
}

// mention quotes a word out of place in a message, after a space. Long words and
// URLs may be credentials in the wrong place and are left out.
func mention(word string) string {
	if len(word) > 24 || strings.Contains(word, "://") {
		return ""
	}
	return fmt.Sprintf(" %q", word)
}

// cut shortens a text for a message to about limit bytes and leaves out what does
// not print.
func cut(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit] + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
}

// nearest returns the candidate that word was probably meant to be: the one with
// the fewest typing mistakes, at most one in three letters, or else the only one
// that word is the beginning of. It returns "" if nothing is near.
func nearest(word string, candidates []string) string {
	typed := []rune(strings.ToLower(word))
	best, least := "", max(1, len(typed)/3)+1
	var begins []string
	for _, c := range candidates {
		if word == c {
			return c
		}
		d := distance(typed, []rune(c))
		// In words of two letters a mistake leaves nothing in common.
		if d < least && d < len(typed)-1 {
			best, least = c, d
		}
		if len(typed) >= 2 && strings.HasPrefix(c, string(typed)) {
			begins = append(begins, c)
		}
	}
	if best == "" && len(begins) == 1 {
		return begins[0]
	}
	return best
}

// distance counts the typing mistakes between two words: letters that are
// missing, too many, wrong, or swapped with their neighbour (optimal string
// alignment).
func distance(a, b []rune) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i, x := range a {
		row[0] = i + 1
		for j, y := range b {
			d := min(last[j+1]+1, row[j]+1)
			if x == y {
				d = min(d, last[j])
			} else {
				d = min(d, last[j]+1)
			}
			if i > 0 && j > 0 && x == b[j-1] && a[i-1] == y {
				d = min(d, before[j-1]+1)
			}
			row[j+1] = d
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
