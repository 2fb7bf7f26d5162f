package commands

import (
	"fmt"
	"strconv"
	"strings"
)

// A commandLine is an argument list put in order by permute: which command it
// names, which flags are set, and what is left as arguments.
type commandLine struct {
	node     *node
	settings []setting // as given, those from the environment last
	args     []string
	rest     []string // what stands after the two dashes
	dashed   bool     // the two dashes were there
	typed    []string // the words that named commands
}

// A setting is one occurrence of a flag.
type setting struct {
	opt   *option
	at    *node  // the command that the flag belongs to
	value string // "true" for a bare boolean flag
	as    string // how it was given: "-n", "--count", "HARK_COUNT"
	// words of the argument list that were used up; none for the second and later
	// flags of a cluster, nor for variables.
	words []string
}

// permute reads an argument list as GNU's getopt_long does: flags may stand
// before and after arguments, those of a command also after its subcommands.
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
//     could not be told from a command.
//
// Of several errors the first is returned. --help mends all errors but an unknown
// command. Errors are *UsageError.
func permute(root *node, argv []string) (*commandLine, error) {
	p := &permuter{line: &commandLine{node: root}, words: argv}
	for len(p.words) > 0 {
		word := p.words[0]
		p.words = p.words[1:]
		switch {
		case word == "--":
			p.line.dashed = true
			p.line.rest, p.words = p.words, nil
		case strings.HasPrefix(word, "--"):
			p.long(word)
		case len(word) > 1 && word[0] == '-' && !p.negative(word):
			p.cluster(word)
		default:
			p.plain(word)
		}
	}
	if n := p.line.node; p.line.dashed && n.isGroup() && len(p.line.rest) > 0 {
		p.unknownCommand(p.line.rest[0])
	}
	if p.err != nil && (p.lost || !p.line.asksHelp()) {
		return nil, p.err
	}
	return p.line, nil
}

// A permuter is the state of permute.
type permuter struct {
	line  *commandLine
	words []string // not yet read
	err   error    // the first one
	lost  bool     // there was an unknown command
}

func (p *permuter) fail(err *UsageError) {
	if p.err == nil {
		err.Command = p.line.node.path
		p.err = err
	}
}

// plain takes a word that is no flag: a command where one is due, otherwise an
// argument.
func (p *permuter) plain(word string) {
	n := p.line.node
	if !n.isGroup() || p.lost {
		p.line.args = append(p.line.args, word)
		return
	}
	if c := n.child(word); c != nil {
		p.line.node = c
		p.line.typed = append(p.line.typed, word)
		return
	}
	if c := n.child("connect"); c != nil && strings.Contains(word, "://") {
		// "hark wss://…", "hark doctor wss://…"
		p.line.node = c
		p.line.args = append(p.line.args, word)
		return
	}
	if word == "help" { // "hark drogue help"
		opt, at := n.lookup("help")
		p.line.settings = append(p.line.settings, setting{opt, at, "true", word, []string{word}})
		return
	}
	p.unknownCommand(word)
}

func (p *permuter) unknownCommand(word string) {
	p.fail(unknownCommand(p.line.node, word))
	p.lost = true
	p.line.args = append(p.line.args, word)
}

// long takes a word that begins with two dashes.
func (p *permuter) long(word string) {
	name, value, given := strings.Cut(word[2:], "=")
	opt, at := p.line.node.lookup(name)
	if opt == nil || len(name) == 1 {
		p.fail(unknownFlag(p.line.node, "--"+name))
		return
	}
	s := setting{opt: opt, at: at, as: "--" + name, value: value, words: []string{word}}
	switch {
	case given:
	case !opt.takesValue:
		s.value = "true"
	default:
		if !p.takeValue(&s) {
			return
		}
	}
	p.line.settings = append(p.line.settings, s)
}

// cluster takes a word of one dash and letters.
func (p *permuter) cluster(word string) {
	used := []string{word}
	for i, letter := range word {
		if i == 0 {
			continue
		}
		opt, at := p.line.node.lookup(string(letter))
		if opt == nil {
			p.fail(unknownLetter(p.line.node, word, i))
			return
		}
		s := setting{opt: opt, at: at, as: "-" + string(letter), value: "true", words: used}
		used = nil
		rest := word[i+len(string(letter)):]
		attached, equals := strings.CutPrefix(rest, "=")
		switch {
		case opt.takesValue && rest == "":
			if !p.takeValue(&s) {
				return
			}
		case opt.takesValue || equals:
			if mistaken := p.longWithOneDash(word); mistaken != nil {
				p.fail(mistaken)
				return
			}
			s.value = attached
			p.line.settings = append(p.line.settings, s)
			return
		}
		p.line.settings = append(p.line.settings, s)
	}
}

// longWithOneDash is the error for "-max-time 5", which would be -m with the value
// "ax-time" and an argument 5; nil if word is not the name of a long flag.
func (p *permuter) longWithOneDash(word string) *UsageError {
	name, _, _ := strings.Cut(word[1:], "=")
	opt, _ := p.line.node.lookup(name)
	if opt == nil || len(name) == 1 {
		return nil
	}
	return &UsageError{Message: "unknown flag -" + name, Suggestion: dashed(name)}
}

// takeValue gives s the next word. It reports an error and false if there is none
// or if it is plainly not meant.
func (p *permuter) takeValue(s *setting) bool {
	if len(p.words) == 0 {
		p.fail(&UsageError{Message: s.as + " needs a value"})
		return false
	}
	next := p.words[0]
	if name, long := strings.CutPrefix(next, "--"); long {
		name, _, _ = strings.Cut(name, "=")
		if opt, _ := p.line.node.lookup(name); opt != nil || name == "" {
			p.fail(&UsageError{
				Message: fmt.Sprintf("%s needs a value, but --%s follows", s.as, name),
				Advice:  fmt.Sprintf("if --%s is the value, write --%s=--%[1]s", name, s.opt.name()),
			})
			return false
		}
	}
	s.value = next
	s.words = append(s.words[:len(s.words):len(s.words)], next)
	p.words = p.words[1:]
	return true
}

// negative tells whether a word is a negative number rather than a flag.
func (p *permuter) negative(word string) bool {
	opt, _ := p.line.node.lookup(word[1:2])
	return opt == nil && negativeNumber().MatchString(word)
}

var negativeNumber = pattern(`^-(\d|\.\d)`)

// asks tells whether the builtin flag of that name was given.
func (l *commandLine) asks(name string) bool {
	for _, s := range l.settings {
		if s.opt.builtin && s.opt.name() == name {
			return true
		}
	}
	return false
}

// asksHelp tells whether help is wanted instead.
func (l *commandLine) asksHelp() bool { return l.asks("help") || l.asks("help-all") }

// addEnvironment adds the flags that are set by their variables. A flag on the
// command line wins over its variable, and an empty variable is none. The
// variable of a flag that may be repeated holds one value a line.
func (l *commandLine) addEnvironment(lookup func(string) (string, bool)) {
	given := make(map[*option]bool)
	for _, s := range l.settings {
		given[s.opt] = true
	}
	for _, n := range l.node.chain() {
		for _, o := range n.options {
			if o.builtin || given[o] {
				continue
			}
			text, _ := lookup(o.variable)
			values := []string{text}
			if o.repeats {
				values = strings.Split(text, "\n")
			}
			for _, v := range values {
				if v = strings.TrimSuffix(v, "\r"); v != "" {
					l.settings = append(l.settings, setting{opt: o, at: n, value: v, as: o.variable})
				}
			}
		}
	}
}

// argv is the command line in the one form that the library cannot mistake: each
// flag under its long name, with "=", behind the command that it belongs to, and
// the arguments behind "--".
func (l *commandLine) argv() []string {
	var argv []string
	for _, n := range l.node.chain() {
		argv = append(argv, n.cmd.Name)
		for _, s := range l.settings {
			if s.at == n && !s.opt.builtin {
				argv = append(argv, "--"+s.opt.name()+"="+s.opt.spelled(s.value))
			}
		}
	}
	argv = append(argv, "--")
	argv = append(argv, l.args...)
	return append(argv, l.rest...)
}

// checkArguments compares the number of arguments with the command's synopsis.
func (l *commandLine) checkArguments() error {
	synopsis, _, _ := strings.Cut(l.node.cmd.ArgsUsage, "\n")
	synopsis, _, split := strings.Cut(synopsis, "[--")
	least, most := arity(synopsis)
	args := l.args
	if !split {
		args = append(args[:len(args):len(args)], l.rest...)
	}
	command := l.node.path
	switch {
	case len(args) < least:
		missing := strings.TrimRight(strings.Fields(synopsis)[len(args)], "….")
		return &UsageError{Message: missing + " is missing", Command: command,
			Advice: "it is: " + l.node.usageLine() + l.node.explains(missing)}
	case most >= 0 && len(args) > most && most == 0:
		return &UsageError{Message: fmt.Sprintf("%s takes no arguments%s", command, mention(args[0])), Command: command}
	case most >= 0 && len(args) > most:
		return &UsageError{Message: fmt.Sprintf("too many arguments%s", mention(args[most])), Command: command}
	}
	return nil
}

// explains is what the command says of an argument, after a semicolon, when that is
// short: what it may be.
func (n *node) explains(argument string) string {
	for line := range strings.Lines(n.cmd.ArgsUsage) {
		if name, text, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok && name == argument && len(text) < 60 {
			return "; " + argument + ": " + text
		}
	}
	return ""
}

// arity reads the number of arguments from a synopsis such as "APP[/CHANNEL]
// [FILE…]"; most is -1 if there is no limit.
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

// explain turns what the library says about the value of a flag into a message
// that names the flag, or the variable, as the user knows it.
func (l *commandLine) explain(err error) error {
	text := err.Error()
	for _, s := range l.settings {
		cause, ok := strings.CutPrefix(text, fmt.Sprintf("invalid value %q for flag -%s: ", s.opt.spelled(s.value), s.opt.name()))
		if !ok {
			cause, ok = strings.CutPrefix(text, fmt.Sprintf("invalid boolean value %q for -%s: ", s.value, s.opt.name()))
		}
		if ok {
			return s.complain(cause, l.node)
		}
	}
	return &UsageError{Message: text, Command: l.node.path}
}

// complain is the error for a value that the flag does not accept.
func (s setting) complain(cause string, at *node) *UsageError {
	shown, where := fmt.Sprintf(" %q", cut(s.value, 60)), " for "+s.as
	if s.as == s.opt.variable {
		where = " in " + s.as
	}
	if s.opt.secret || strings.Contains(s.value, "://") {
		// The cause may quote the value too, or a part of it.
		shown, cause = "", strings.ReplaceAll(cause, strconv.Quote(s.value), "it")
		if strings.Contains(cause, `"`) || strings.Contains(cause, s.value) {
			cause = ""
		}
	}
	if s.opt.expects != "" && cause != "value out of range" {
		cause = "expected " + s.opt.expects
	}
	if cause != "" {
		cause = ": " + cause
	}
	return &UsageError{Message: "invalid value" + shown + where + cause, Command: at.path, Advice: s.opt.advice}
}
