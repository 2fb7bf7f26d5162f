package cmdline

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// unknownFlag returns the error for a flag, with its dashes, that is unknown at n.
func unknownFlag(n *Command, flag string) *UsageError {
	err := &UsageError{Message: "unknown flag " + Cut(flag, 24), Command: n.path}
	name := strings.TrimLeft(flag, "-")
	if len(name) == 1 {
		if opt, _ := n.Lookup(name); opt != nil { // "--n 5"
			err.Suggestion = Dashed(name)
			return err
		}
	}
	if foreign := n.Root().config.Foreign; foreign != nil {
		if err.Advice = foreign(n, name); err.Advice != "" {
			return err
		}
	}
	if owner := ownerBelow(n, name); owner != nil {
		err.Advice = fmt.Sprintf("%s goes after the command: '%s %[1]s'", Dashed(name), owner.path)
		return err
	}
	if near := Nearest(name, flagNames(n)); near != "" {
		err.Suggestion = Dashed(near)
		return err
	}
	if owner := ownerBelow(n.Root(), name); owner != nil && len(name) > 1 {
		err.Advice = fmt.Sprintf("%s is a flag of '%s'", flag, owner.path)
	}
	return err
}

// unknownLetter returns the error for the letter at word[at], in a word of one dash and
// letters.
func unknownLetter(n *Command, word string, at int) *UsageError {
	name, _, _ := strings.Cut(word[1:], "=")
	if near := Nearest(name, flagNames(n)); near != "" { // "-count 5", "-conut 5"
		return &UsageError{Message: "unknown flag -" + Cut(name, 24), Suggestion: Dashed(near)}
	}
	// Not the whole word, which may contain a credential: "-Htoken" for a command
	// without -H.
	_, size := utf8.DecodeRuneInString(word[at:])
	err := unknownFlag(n, "-"+word[at:at+size])
	if at > 1 {
		err.Message += " behind " + word[:at]
	}
	return err
}

// ownerBelow returns a command below n that has a flag of that name.
func ownerBelow(n *Command, name string) *Command {
	var owner *Command
	n.Walk(func(c *Command) {
		if c == n || owner != nil {
			return
		}
		if _, at := c.Lookup(name); at == c {
			owner = c
		}
	})
	return owner
}

// flagNames lists the long names of the flags that may be given at n.
func flagNames(n *Command) []string {
	var names []string
	for ; n != nil; n = n.parent {
		for _, o := range n.Flags {
			if !o.Hidden && len(o.Name) > 1 {
				names = append(names, o.Name)
			}
		}
	}
	return names
}

// UnknownCommand returns the error for a word instead of the name of a command.
func UnknownCommand(n *Command, word string) *UsageError {
	err := &UsageError{Message: "unknown command" + Mention(word), Command: n.path}
	if strings.Contains(word, "://") {
		// A URL alone is the argument of other clients; it may contain a credential.
		err.Message = "a URL is not a command"
		if c := n.Root().takesURL(); c != nil {
			err.Suggestion = c.path + " URL"
		}
		return err
	}
	var names []string
	for _, c := range n.visible() {
		names = append(names, c.Name)
	}
	if near := Nearest(word, names); near != "" {
		err.Suggestion = n.path + " " + near
		return err
	}
	if n.parent == nil && word == "version" {
		err.Suggestion = n.path + " --version"
		return err
	}
	// "hark subscribe" means "hark octave subscribe".
	n.Root().Walk(func(c *Command) {
		if err.Suggestion == "" && c.parent != nil && !c.Hidden && c.Name == word {
			err.Suggestion = c.path
		}
	})
	if err.Suggestion != "" {
		return err
	}
	// "hark drogue demo-app" means "hark drogue tail demo-app", and "tale" is "tail".
	if near := beginsLike(word, names); near != "" {
		err.Suggestion = n.path + " " + near
	} else if c := n.usual(); c != nil {
		argument := c.synopsis()
		if typed := Mention(word); typed != "" && !strings.ContainsAny(word, " '") {
			argument = word
		}
		err.Suggestion = c.path + " " + argument
	}
	return err
}

// usual returns the subcommand of n that is meant if its argument is given instead of
// its name; nil if there is none.
func (n *Command) usual() *Command {
	for _, c := range n.Children() {
		if c.Usual {
			return c
		}
	}
	return nil
}

// beginsLike returns the only candidate with the first two letters of word and at most
// two typing errors; "" if there is none.
func beginsLike(word string, candidates []string) string {
	found := ""
	for _, c := range candidates {
		if len(word) > 2 && len(c) > 2 && word[:2] == c[:2] && Distance([]rune(word), []rune(c)) <= 2 {
			if found != "" {
				return ""
			}
			found = c
		}
	}
	return found
}

// Mention returns a misplaced word in quotes, after a space, for a message. It omits
// long words and URLs, which may be misplaced credentials.
func Mention(word string) string {
	if len(word) > 24 || strings.Contains(word, "://") {
		return ""
	}
	return fmt.Sprintf(" %q", word)
}

// Cut truncates a text for a message to about limit bytes and removes characters that
// cannot be printed.
func Cut(s string, limit int) string {
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

// Nearest returns the candidate that is probably meant by word: the one with the fewest
// typing errors, at most one in three letters, or else the only one that begins with
// word. It returns "" if there is none.
func Nearest(word string, candidates []string) string {
	typed := []rune(strings.ToLower(word))
	best, least := "", max(1, len(typed)/3)+1
	var begins []string
	for _, c := range candidates {
		if word == c {
			return c
		}
		d := Distance(typed, []rune(c))
		// Words of two letters with one error have too little in common.
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

// Distance returns the number of typing errors between two words: letters that are
// missing, superfluous, wrong, or swapped with their neighbor (optimal string
// alignment).
func Distance(a, b []rune) int {
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
