package cmdline

import (
	"slices"
	"strconv"
	"strings"
)

// A Flag is a flag of a command, as it is declared. Its value is stored in Value before
// the command runs; the Line has how it was given.
type Flag struct {
	// Name is the long name: "max-time".
	Name string
	// Aliases are further names: a letter, and names of other programs.
	Aliases []string
	// Usage describes the flag in a short text without a full stop, with its
	// placeholder in backquotes.
	Usage string
	// Detail is added to Usage in the full help and the manual: after a colon, unless
	// it begins with punctuation or a space.
	Detail string
	// Group is the heading in the help; empty for "Flags".
	Group string
	// Service is the service that the flag belongs to: the environment variable of its
	// --token is HARK_OCTAVE_TOKEN. The variable of other flags, which mean the same
	// for all commands, is HARK_TOKEN.
	Service string
	// Value stores the value; it must not be nil.
	Value Value
	// Default is the default in help texts; "" for that of Value.
	Default string
	// Secret: the value is a credential. No message and no help text shows it, its
	// default neither.
	Secret bool
	// Pair: it is a user name, a colon and a password. Such a flag is Secret.
	Pair bool
	// Advice is the hint for a value that the flag does not accept.
	Advice string
	// Hidden: no help text shows it.
	Hidden bool
	// Rare: few users need it, so the short help only lists its name. Essential: many
	// users need it, even if the others of its group are rare. Config.Rare decides.
	Rare, Essential bool
	// LineOnly: neither the environment nor a file sets it. This is for the flags of a
	// file by someone else, which must not choose which settings it gets.
	LineOnly bool
	// Complete lists candidates for the value; nil: those of the placeholder.
	Complete Completion

	builtin bool   // --help, --help-all, --version: answered before the library runs
	deflt   string // Default, or that of Value before it is set
}

// Own sets the service of flags.
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

// adopt prepares the flag for being set.
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

// Variable returns the environment variable of the flag; "" if it has none.
func (f *Flag) Variable() string {
	if f.builtin || f.LineOnly {
		return ""
	}
	return VariableName(f.Service, f.Name)
}

// VariableName returns the environment variable of a flag.
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

// expects describes valid values, if the Value has a description.
func (f *Flag) expects() string {
	if e, ok := f.Value.(expecter); ok {
		return e.Expects()
	}
	return ""
}

// DefaultText returns the default for help texts.
func (f *Flag) DefaultText() string { return f.deflt }

// Placeholder returns the placeholder of the value in help texts; "" for a flag without
// a value.
func (f *Flag) Placeholder() string {
	placeholder, _ := unquotePlaceholder(f.Usage)
	if placeholder == "" && f.TakesValue() {
		return "VALUE"
	}
	return placeholder
}

// brief returns Usage as it is printed.
func (f *Flag) brief() string {
	_, text := unquotePlaceholder(f.Usage)
	return text
}

// full returns Usage and Detail as they are printed.
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

// String returns the flag with its dashes.
func (f *Flag) String() string { return Dashed(f.Name) }

// Dashed returns a flag's name with its dashes.
func Dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// Rejects returns the error of setting the flag to a value, without setting it.
func (f *Flag) Rejects(value string) error { return try(f.Value, value) }

// unquotePlaceholder returns the placeholder in backquotes of a usage text, and the
// text without the quotes.
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

// shownDefault returns the default for help texts: "" for a zero value.
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
