package cmdline

import (
	"slices"
	"strconv"
	"strings"
)

// A Flag is a flag of a command, as it is declared. Its value goes to Value when the
// command runs; how it was given is known to the Line.
type Flag struct {
	// Name is the long one: "max-time".
	Name string
	// Aliases are further names: a letter, and what other programs call it.
	Aliases []string
	// Usage says what the flag does, in a short text without a full stop, with its
	// placeholder in backquotes.
	Usage string
	// Detail is what only the full help and the manual add to Usage: after a colon,
	// unless it begins with punctuation or a space of its own.
	Detail string
	// Group is the heading in the help; empty for "Flags".
	Group string
	// Service is that whose own flag it is: the environment variable of --token is
	// HARK_OCTAVE_TOKEN then. That of other flags, which mean the same wherever they
	// stand, is HARK_TOKEN.
	Service string
	// Value is where the value goes; it must not be nil.
	Value Value
	// Default is the default as the help shows it; empty: as Value has it.
	Default string
	// Secret: the value is a credential. No message and no help text shows it, its
	// default neither.
	Secret bool
	// Pair: it is a user name, a colon and a password. Such a flag is Secret.
	Pair bool
	// Advice is what to say about a value that the flag does not accept.
	Advice string
	// Hidden: no help text shows it.
	Hidden bool
	// Rare: few need it, so that the short help only names it. Essential: many need it,
	// also where the others of its group are rare. What that means for the help is up to
	// Config.Rare.
	Rare, Essential bool
	// LineOnly: neither the environment nor a file sets it. So it is with the flags of a
	// file that someone else has written, which must not choose what it gets.
	LineOnly bool
	// Complete lists what the value may be; nil: what the placeholder says.
	Complete Completion

	builtin bool   // --help, --help-all, --version: answered before the library runs
	deflt   string // Default, or that of Value before it is set
}

// Own makes flags the service's own.
func Own(service string, flags ...*Flag) []*Flag {
	for _, f := range flags {
		f.Service = service
	}
	return flags
}

// Find returns the flag with that long name; nil if there is none.
func Find(flags []*Flag, name string) *Flag {
	for _, f := range flags {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// adopt is called before the flag can be set.
func (f *Flag) adopt() {
	f.Secret = f.Secret || f.Pair
	switch {
	case f.Secret || f.Value == nil:
	case f.Default != "":
		f.deflt = shownDefault(f.Default)
	default:
		f.deflt = shownDefault(f.Value.String())
	}
}

// Variable is the environment variable that stands in for the flag; "" if none does.
func (f *Flag) Variable() string {
	if f.builtin || f.LineOnly {
		return ""
	}
	return VariableName(f.Service, f.Name)
}

// VariableName is the environment variable of a flag.
func VariableName(service, name string) string {
	b := make([]byte, 0, 40)
	b = append(b, "HARK_"...)
	if service != "" {
		b = append(append(b, service...), '_')
	}
	b = append(b, name...)
	for i, c := range b {
		switch {
		case c == '-':
			b[i] = '_'
		case 'a' <= c && c <= 'z':
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// TakesValue reports whether the flag needs a value.
func (f *Flag) TakesValue() bool {
	b, ok := f.Value.(boolean)
	return f.Value != nil && !(ok && b.IsBoolFlag())
}

// Repeats reports whether each occurrence adds a value.
func (f *Flag) Repeats() bool {
	c, ok := f.Value.(cumulative)
	return ok && c.IsCumulative()
}

// expects is what a value must be, if there is a word for it.
func (f *Flag) expects() string {
	if e, ok := f.Value.(expecter); ok {
		return e.Expects()
	}
	return ""
}

// DefaultText is the default as help texts show it.
func (f *Flag) DefaultText() string { return f.deflt }

// Placeholder is what stands for the value in help texts; empty for a flag without one.
func (f *Flag) Placeholder() string {
	placeholder, _ := unquotePlaceholder(f.Usage)
	if placeholder == "" && f.TakesValue() {
		return "VALUE"
	}
	return placeholder
}

// brief is Usage as it is printed.
func (f *Flag) brief() string {
	_, text := unquotePlaceholder(f.Usage)
	return text
}

// full is Usage and Detail as they are printed.
func (f *Flag) full() string {
	return f.withDetail(f.brief())
}

// withDetail adds the detail to a usage text.
func (f *Flag) withDetail(usage string) string {
	switch {
	case f.Detail == "":
		return usage
	case strings.ContainsRune(" ,;:", rune(f.Detail[0])):
		return usage + f.Detail
	}
	return usage + ": " + f.Detail
}

// has reports whether the flag has that name.
func (f *Flag) has(name string) bool {
	return f.Name == name || slices.Contains(f.Aliases, name)
}

// short returns the letter of the flag, or "".
func (f *Flag) short() string {
	if len(f.Name) == 1 {
		return f.Name
	}
	for _, n := range f.Aliases {
		if len(n) == 1 {
			return n
		}
	}
	return ""
}

// String is the flag with its dashes.
func (f *Flag) String() string { return Dashed(f.Name) }

// Dashed writes a flag's name as it is typed.
func Dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// Rejects tries a value on the flag, without setting it, and returns what is wrong with
// it.
func (f *Flag) Rejects(value string) error { return try(f.Value, value) }

// unquotePlaceholder takes the placeholder, the part in backquotes, from a usage
// text and returns the text without the quotes.
func unquotePlaceholder(usage string) (placeholder, text string) {
	before, rest, ok := strings.Cut(usage, "`")
	if !ok {
		return "", usage
	}
	name, after, ok := strings.Cut(rest, "`")
	if !ok {
		return "", usage
	}
	return name, before + name + after
}

// shownDefault is the default as help texts show it: nothing for a zero value.
func shownDefault(text string) string {
	if s, err := strconv.Unquote(text); err == nil {
		text = s
	}
	switch text {
	case "0", "0s", "false", "[]":
		return ""
	}
	for _, zero := range []string{"m0s", "h0m"} { // "1h0m0s"
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}
