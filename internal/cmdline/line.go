package cmdline

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Line is a command line: which command it names, which flags are set, and what is
// left as arguments.
type Line struct {
	Command  *Command
	Settings []Setting // from the command line, then the environment, then others

	before []string // arguments
	after  []string // arguments after "--"
	dashed bool     // "--" was given
	typed  []string // the words of the command
}

// A Setting is one occurrence of a flag.
type Setting struct {
	Flag   *Flag
	At     *Command // that the flag belongs to
	Value  string   // "true" for a bare boolean flag
	As     string   // how it was given: "-n", "--count", "HARK_COUNT", a place in a file
	Source Source

	// words is the number of words of the argument list that were used; 0 for the
	// second and later flags of a cluster, and for settings from elsewhere.
	words []string
}

// A Source is where a setting comes from. If two sources set the same flag, or flags
// that cannot be used together, the one declared first here takes precedence.
type Source int

const (
	Argument    Source = iota // the command line
	Environment               // a variable
	Profile                   // the profile of the configuration file
	File                      // the rest of the configuration file
)

type lineKey struct{}

// LineOf returns the line that led to a command's Run, from its context; nil if there
// is none.
func LineOf(ctx context.Context) *Line {
	line, _ := ctx.Value(lineKey{}).(*Line)
	return line
}

// Args returns all arguments, those after "--" last.
func (l *Line) Args() []string { return slices.Concat(l.before, l.after) }

// Arg returns an argument by index; "" if there is none.
func (l *Line) Arg(i int) string {
	if args := l.Args(); i < len(args) {
		return args[i]
	}
	return ""
}

// Split splits the arguments at "--": "emulate octave -- make test" has octave before
// and make test after them. dashed reports whether "--" was given.
func (l *Line) Split() (before, after []string, dashed bool) { return l.before, l.after, l.dashed }

// Named returns the words of the command, as typed.
func (l *Line) Named() []string { return l.typed }

// Value returns the last value given for a flag, by its long name, or "".
func (l *Line) Value(name string) string {
	value := ""
	for _, s := range l.Settings {
		if s.Flag.Name == name {
			value = s.Value
		}
	}
	return value
}

// Duration returns the value or default of a Duration flag, by its long name; 0 if the
// command has no such flag.
func (l *Line) Duration(name string) time.Duration {
	if f, _ := l.Command.Lookup(name); f != nil {
		if d, ok := f.Value.(*durationValue); ok {
			return time.Duration(*d)
		}
	}
	return 0
}

// IsSet reports whether a boolean flag is set, by its long name.
func (l *Line) IsSet(name string) bool {
	for _, s := range l.Settings {
		if s.Flag.Name == name {
			return s.Value != "false" && s.Value != "0"
		}
	}
	return false
}

// GivenAs returns how the user last gave the flag of that (long) name: "-n", "--count"
// or "HARK_COUNT"; "" if not at all. Messages about its value should use it.
func (l *Line) GivenAs(name string) string {
	as := ""
	for _, s := range l.Settings {
		if s.Flag.Name == name {
			as = s.As
		}
	}
	return as
}

// TypedAs is GivenAs for a flag on the command line; "" for one that a variable or the
// configuration file sets. Those apply to many commands: if such a flag requires
// another one, or cannot be used with it, that is an error on the command line;
// otherwise the setting does not apply, and is ignored.
func (l *Line) TypedAs(name string) string {
	for _, s := range slices.Backward(l.Settings) {
		if s.Flag.Name == name && s.Source == Argument {
			return s.As
		}
	}
	return ""
}

// source returns where a flag was set, by its long name.
func (l *Line) source(name string) Source {
	source := File
	for _, s := range l.Settings {
		if s.Flag.Name == name {
			source = min(source, s.Source)
		}
	}
	return source
}

// Typed reports whether a flag is on the command line.
func (l *Line) Typed(name string) bool { return l.TypedAs(name) != "" }

// Rivals resolves two flags that are both set and cannot be used together: it calls
// drop with the name of the one whose source has lower precedence. If they have the
// same source it returns an error.
func (l *Line) Rivals(one, other string, drop func(name string)) error {
	switch a, b := l.source(one), l.source(other); {
	case a < b:
		drop(other)
	case b < a:
		drop(one)
	default:
		return FlagErrorf(l.GivenAs(one), " cannot be used with %s", l.GivenAs(other))
	}
	return nil
}

// asks reports whether the builtin flag of that name was given.
func (l *Line) asks(name string) bool {
	for _, s := range l.Settings {
		if s.Flag.builtin && s.Flag.Name == name {
			return true
		}
	}
	return false
}

// asksHelp reports whether help was requested.
func (l *Line) asksHelp() bool { return l.asks("help") || l.asks("help-all") }

// Given returns the flags that are set.
func (l *Line) Given() map[*Flag]bool {
	given := make(map[*Flag]bool)
	for _, s := range l.Settings {
		given[s.Flag] = true
	}
	return given
}

// AddEnvironment adds the flags that are set by their variables. A flag that is set
// already takes precedence over its variable; empty variables are ignored. The variable
// of a flag that may be repeated contains one value per line.
func (l *Line) AddEnvironment(lookup func(string) (string, bool)) {
	given := l.Given()
	for _, c := range l.Command.Chain() {
		for _, f := range c.Flags {
			variable := f.Variable()
			if variable == "" || given[f] {
				continue
			}
			text, _ := lookup(variable)
			if text == "" {
				continue
			}
			values := []string{text}
			if f.Repeats() {
				values = strings.Split(text, "\n")
			}
			for _, v := range values {
				if v = strings.TrimSuffix(v, "\r"); v != "" {
					l.Settings = append(l.Settings, Setting{Flag: f, At: c, Value: v, As: variable, Source: Environment})
				}
			}
		}
	}
}

// checkArguments compares the number of arguments with the command's synopsis.
func (l *Line) checkArguments() error {
	synopsis, _, split := strings.Cut(l.Command.synopsis(), "[--")
	least, most := arity(synopsis)
	args := l.before
	if !split {
		args = l.Args()
	}
	command := l.Command.path
	switch {
	case len(args) < least:
		missing := strings.TrimRight(strings.Fields(synopsis)[len(args)], "….")
		return &UsageError{Message: "missing argument: " + missing, Command: command,
			Advice: "usage: " + l.Command.usageLine() + l.Command.explains(missing)}
	case most >= 0 && len(args) > most && most == 0:
		return &UsageError{Message: fmt.Sprintf("%s takes no arguments%s", command, Mention(args[0])), Command: command}
	case most >= 0 && len(args) > most:
		return &UsageError{Message: fmt.Sprintf("too many arguments%s", Mention(args[most])), Command: command}
	}
	return nil
}

// synopsis returns the first line of Args.
func (c *Command) synopsis() string {
	synopsis, _, _ := strings.Cut(c.Args, "\n")
	return synopsis
}

// explained returns the other lines of Args, by name and text.
func (c *Command) explained() [][2]string {
	var rows [][2]string
	_, lines, _ := strings.Cut(c.Args, "\n")
	for line := range strings.Lines(lines) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), "\t")
		rows = append(rows, [2]string{name, text})
	}
	return rows
}

// explains returns the explanation of an argument, after a semicolon, if it is short.
func (c *Command) explains(argument string) string {
	for _, row := range c.explained() {
		if row[0] == argument && row[1] != "" && len(row[1]) < 60 {
			return "; " + argument + ": " + row[1]
		}
	}
	return ""
}

// arity parses the number of arguments in a synopsis such as "APP[/CHANNEL] [FILE…]";
// most is -1 if there is no limit.
func arity(synopsis string) (least, most int) {
	for word := range strings.FieldsSeq(synopsis) {
		optional := strings.HasPrefix(word, "[")
		if !optional {
			least++
		}
		if most >= 0 {
			most++
		}
		if strings.Contains(word, "…") || strings.Contains(word, "...") {
			most = -1
		}
	}
	return least, most
}

// Complain returns the error for a value that the flag does not accept because of err,
// in a line of the command at.
func (s Setting) Complain(err error, at *Command) *UsageError {
	cause := err.Error()
	shown := fmt.Sprintf(" %q", Cut(s.Value, 60))
	if s.Flag.Secret || strings.Contains(s.Value, "://") {
		// The cause may quote the value too, or a part of it.
		shown, cause = "", strings.ReplaceAll(cause, strconv.Quote(s.Value), "it")
		if strings.Contains(cause, `"`) || strings.Contains(cause, s.Value) {
			cause = ""
		}
	}
	if expects := s.Flag.expects(); expects != "" && err != errRange {
		cause = "expected " + expects
	}
	if cause != "" {
		cause = ": " + cause
	}
	return &UsageError{Message: invalidValue(shown, s.As) + cause, Command: at.path, Advice: s.Flag.Advice}
}
