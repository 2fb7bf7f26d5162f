package cmdline

import (
	"errors"
	"fmt"
	"strings"
)

// Parse parses an argument list of the program with the root c, like GNU's getopt_long:
// flags may be before and after arguments, those of a command also after its
// subcommands.
//
//   - "--name value" and "--name=value"; "-n 5", "-n5" and "-n=5"; letters of
//     boolean flags may be run together, the last may take a value: "-rn5".
//   - A flag that takes a value takes the next word whatever it is: "--jq -1",
//     "--send -". Only "--" and a long flag of the same command are not taken:
//     there a value was forgotten, or was an empty shell variable. "--jq=--count"
//     says that it is meant.
//   - A long flag with one dash, "-max-time 5", is refused rather than taken apart.
//   - "--" ends the flags. Words like "-5" are arguments unless -5 is a flag, and
//     so is "-".
//   - A boolean flag takes a value only as "--flag=false".
//   - Flags of a command do not stand before its name, because what follows them
//     could not be distinguished from a command.
//
// Of several errors the first is returned. --help takes precedence over all errors but
// an unknown command. Errors are *UsageError.
func (c *Command) Parse(argv []string) (*Line, error) {
	p := &parser{line: &Line{Command: c}, words: argv}
	for len(p.words) > 0 {
		word := p.words[0]
		p.words = p.words[1:]
		switch {
		case word == "--":
			p.line.dashed = true
			p.line.after, p.words = p.words, nil
		case strings.HasPrefix(word, "--"):
			p.long(word)
		case len(word) > 1 && word[0] == '-' && !p.negative(word):
			p.cluster(word)
		default:
			p.plain(word)
		}
	}
	if n := p.line.Command; p.line.dashed && n.IsGroup() && len(p.line.after) > 0 {
		p.unknownCommand(p.line.after[0])
	}
	if p.err != nil && (p.lost || !p.line.asksHelp()) {
		return nil, p.err
	}
	return p.line, nil
}

// A parser is the state of Parse.
type parser struct {
	line  *Line
	words []string // not yet read
	err   error    // the first one
	lost  bool     // there was an unknown command
}

func (p *parser) fail(err *UsageError) {
	if p.err == nil {
		err.Command = p.line.Command.path
		p.err = err
	}
}

// plain handles a word that is not a flag: a command where one is expected, otherwise
// an argument.
func (p *parser) plain(word string) {
	n := p.line.Command
	if !n.IsGroup() || p.lost {
		p.line.before = append(p.line.before, word)
		return
	}
	c, err := n.find(word)
	if err != nil {
		p.fail(asUsageError(err))
		p.lost = true
		return
	}
	if c != nil {
		p.line.Command = c
		p.line.typed = append(p.line.typed, word)
		return
	}
	if c := n.takesURL(); c != nil && strings.Contains(word, "://") {
		// "hark wss://…", "hark doctor wss://…"
		p.line.Command = c
		p.line.before = append(p.line.before, word)
		return
	}
	if word == "help" { // "hark drogue help"
		opt, at := n.Lookup("help")
		p.line.Settings = append(p.line.Settings, Setting{Flag: opt, At: at, Value: "true", As: word, words: []string{word}})
		return
	}
	p.unknownCommand(word)
}

func (p *parser) unknownCommand(word string) {
	p.fail(UnknownCommand(p.line.Command, word))
	p.lost = true
	p.line.before = append(p.line.before, word)
}

// long handles a word that begins with two dashes.
func (p *parser) long(word string) {
	name, value, given := strings.Cut(word[2:], "=")
	opt, at := p.line.Command.Lookup(name)
	if opt == nil || len(name) == 1 {
		p.fail(unknownFlag(p.line.Command, "--"+name))
		return
	}
	s := Setting{Flag: opt, At: at, As: "--" + name, Value: value, words: []string{word}}
	switch {
	case given:
	case !opt.TakesValue():
		s.Value = "true"
	default:
		if !p.takeValue(&s) {
			return
		}
	}
	p.line.Settings = append(p.line.Settings, s)
}

// cluster handles a word of one dash and letters.
func (p *parser) cluster(word string) {
	used := []string{word}
	for i, letter := range word {
		if i == 0 {
			continue
		}
		opt, at := p.line.Command.Lookup(string(letter))
		if opt == nil {
			p.fail(unknownLetter(p.line.Command, word, i))
			return
		}
		s := Setting{Flag: opt, At: at, As: "-" + string(letter), Value: "true", words: used}
		used = nil
		rest := word[i+len(string(letter)):]
		attached, equals := strings.CutPrefix(rest, "=")
		switch {
		case opt.TakesValue() && rest == "":
			if !p.takeValue(&s) {
				return
			}
		case opt.TakesValue() || equals:
			if mistaken := p.longWithOneDash(word); mistaken != nil {
				p.fail(mistaken)
				return
			}
			s.Value = attached
			p.line.Settings = append(p.line.Settings, s)
			return
		}
		p.line.Settings = append(p.line.Settings, s)
	}
}

// longWithOneDash is the error for "-max-time 5", which would be -m with the value
// "ax-time" and an argument 5; nil if word is not the name of a long flag.
func (p *parser) longWithOneDash(word string) *UsageError {
	name, _, _ := strings.Cut(word[1:], "=")
	opt, _ := p.line.Command.Lookup(name)
	if opt == nil || len(name) == 1 {
		return nil
	}
	return &UsageError{Message: "unknown flag -" + name, Suggestion: Dashed(name)}
}

// takeValue sets the value of s to the next word. It records an error and returns false
// if there is none or if it is clearly not a value.
func (p *parser) takeValue(s *Setting) bool {
	if len(p.words) == 0 {
		p.fail(&UsageError{Message: s.As + " requires a value"})
		return false
	}
	next := p.words[0]
	if name, long := strings.CutPrefix(next, "--"); long {
		name, _, _ = strings.Cut(name, "=")
		if opt, _ := p.line.Command.Lookup(name); opt != nil || name == "" {
			p.fail(&UsageError{
				Message: fmt.Sprintf("%s requires a value, but --%s follows", s.As, name),
				Advice:  fmt.Sprintf("if --%s is the value, write --%s=--%[1]s", name, s.Flag.Name),
			})
			return false
		}
	}
	s.Value = next
	s.words = append(s.words[:len(s.words):len(s.words)], next)
	p.words = p.words[1:]
	return true
}

// negative reports whether a word is a negative number rather than a flag.
func (p *parser) negative(word string) bool {
	opt, _ := p.line.Command.Lookup(word[1:2])
	return opt == nil && negativeNumber().MatchString(word)
}

var negativeNumber = pattern(`^-(\d|\.\d)`)

// asUsageError returns an error of Command.Open as a *UsageError.
func asUsageError(err error) *UsageError {
	if usage, ok := errors.AsType[*UsageError](err); ok {
		return usage
	}
	return &UsageError{Message: err.Error(), Err: err}
}

// takesURL returns the subcommand of c that a URL means; nil if there is none.
func (c *Command) takesURL() *Command {
	for _, child := range c.Children() {
		if child.TakesURL {
			return child
		}
	}
	return nil
}
