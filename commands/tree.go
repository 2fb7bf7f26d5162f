package commands

import (
	"flag"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// A node is a command in the tree, seen by the shims.
type node struct {
	cmd      *cli.Command
	path     string // as typed: "hark drogue tail"
	parent   *node
	options  []*option
	branches []branch
	grown    []*node // of branches; nil where one is not made yet
}

// A branch is a command that is made when somebody needs it. A run of hark needs
// one command, and to make the flags of all takes longer than to connect.
type branch struct {
	name    string // that of the command
	heading string // under which the help of its parent lists it
	make    func() (*cli.Command, []branch)
}

// leaf is a branch that ends in one command.
func leaf(name string, command func() *cli.Command) branch {
	return branch{name: name, make: func() (*cli.Command, []branch) { return command(), nil }}
}

// grouped puts commands under a heading of the help.
func grouped(heading string, branches ...branch) []branch {
	for i := range branches {
		branches[i].heading = heading
	}
	return branches
}

// newNode takes over cmd: its flags become options, and the library is kept from
// answering for it.
func newNode(parent *node, cmd *cli.Command, below []branch) *node {
	n := &node{cmd: cmd, path: cmd.Name, parent: parent, branches: below, grown: make([]*node, len(below))}
	if parent != nil {
		n.path = parent.path + " " + cmd.Name
	}
	cmd.HideHelp, cmd.HideHelpCommand = true, true
	cmd.OnUsageError = keepParseError // the one of the app is not inherited
	for i, f := range cmd.Flags {
		o := newOption(f)
		n.options = append(n.options, o)
		cmd.Flags[i] = o
		if s, ok := o.flag.(*cli.StringSliceFlag); ok {
			cmd.Flags[i] = sliceOption{o, s}
		}
	}
	return n
}

// isGroup tells whether there are commands below n; n itself does nothing then.
func (n *node) isGroup() bool { return len(n.branches) > 0 }

// children makes all commands below n.
func (n *node) children() []*node {
	for i := range n.branches {
		n.grow(i)
	}
	return n.grown
}

// grow makes one command below n, once.
func (n *node) grow(i int) *node {
	if n.grown[i] == nil {
		cmd, below := n.branches[i].make()
		if h := n.branches[i].heading; h != "" {
			cmd.Category = h
		}
		n.grown[i] = newNode(n, cmd, below)
	}
	return n.grown[i]
}

// child finds a command below n by its name. No other is made.
func (n *node) child(name string) *node {
	for i, b := range n.branches {
		if b.name == name {
			return n.grow(i)
		}
	}
	return nil
}

// lookup finds the flag that name means at n: one of its own or of a command
// above it.
func (n *node) lookup(name string) (*option, *node) {
	for ; n != nil; n = n.parent {
		for _, o := range n.options {
			if slices.Contains(o.names, name) {
				return o, n
			}
		}
	}
	return nil, nil
}

// chain lists the commands from the root down to n.
func (n *node) chain() []*node {
	if n == nil {
		return nil
	}
	return append(n.parent.chain(), n)
}

// walk calls visit for n and all commands below it, parents first.
func (n *node) walk(visit func(*node)) {
	visit(n)
	for _, c := range n.children() {
		c.walk(visit)
	}
}

// root is the top of the tree.
func (n *node) root() *node {
	for n.parent != nil {
		n = n.parent
	}
	return n
}

// An option is a flag of a command; it takes the place of the declared one in the
// library's tree. The library sees only its first name, and no environment: aliases, variables
// and repetition are dealt with before, by permute and addEnvironment. So the
// value of a flag is set exactly as often as it was given, which the library
// does not grant (it sets aliases once more from the value's String). An Action
// reads flags through Destination, or from the Context by their first name.
type option struct {
	flag        cli.Flag // as declared, without marks; nil for a builtin
	names       []string // the long name first
	usage       string
	placeholder string
	category    string
	deflt       string // for help; empty when it is the zero value
	expects     string // what a value must be
	advice      string // about a value that it does not accept
	variable    string // environment variable
	takesValue  bool
	seconds     bool // a bare number is one of seconds, as for curl
	repeats     bool // each occurrence adds a value
	secret      bool
	pair        bool // of a user name and a secret
	hidden      bool
	builtin     bool // --help, --help-all, --version: answered before the library runs
}

// Apply defines the flag under its first name, with the Value that the library
// would have used, so that Context.String and the like find it.
func (o *option) Apply(set *flag.FlagSet) error {
	own := flag.NewFlagSet(o.name(), flag.ContinueOnError)
	if err := o.flag.Apply(own); err != nil {
		return err
	}
	set.Var(own.Lookup(o.name()).Value, o.name(), o.usage)
	return nil
}

// Names returns the first name alone: see the type.
func (o *option) Names() []string { return o.names[:1] }

// IsSet tells whether something other than the command line has set the flag,
// which is never so.
func (o *option) IsSet() bool { return false }

// A sliceOption lets the library tell a slice flag that commas do not separate,
// which it does through a method whose argument has an unexported type.
type sliceOption struct {
	*option
	*cli.StringSliceFlag
}

func (o sliceOption) Apply(set *flag.FlagSet) error { return o.option.Apply(set) }
func (o sliceOption) Names() []string               { return o.option.Names() }
func (o sliceOption) IsSet() bool                   { return o.option.IsSet() }
func (o sliceOption) String() string                { return o.option.String() }

// String is the flag with its dashes.
func (o *option) String() string { return dashed(o.name()) }

func (o *option) name() string { return o.names[0] }

// short returns the letter of the flag, or "".
func (o *option) short() string {
	for _, n := range o.names {
		if len(n) == 1 {
			return n
		}
	}
	return ""
}

// dashed writes a flag's name as it is typed.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// A cumulative value is that of a GenericFlag which may be repeated, each
// occurrence adding to it. The library's slice flags need no such mark.
type cumulative interface {
	flag.Value
	IsCumulative() bool
}

// marked is a flag with what the library has no field for.
type marked struct {
	cli.Flag
	service string
	secret  bool
	pair    bool
	advice  string
	more    []string // further names
}

func markOf(f cli.Flag) marked {
	if m, ok := f.(marked); ok {
		return m
	}
	return marked{Flag: f}
}

// ownFlags marks flags as the service's own: the environment variable of --token
// is HARK_OCTAVE_TOKEN then. The variable of other flags, which mean the same
// wherever they stand, is HARK_TOKEN.
func ownFlags(service string, flags ...cli.Flag) []cli.Flag {
	own := make([]cli.Flag, len(flags))
	for i, f := range flags {
		m := markOf(f)
		m.service = service
		own[i] = m
	}
	return own
}

// secretFlag marks a flag whose value is a credential. No message and no help
// text shows it, its default neither. An error of a GenericFlag's Set must not
// quote it.
func secretFlag(f cli.Flag) cli.Flag {
	m := markOf(f)
	m.secret = true
	return m
}

// pairFlag is a secretFlag whose value is a user name, a colon and a password.
func pairFlag(f cli.Flag) cli.Flag {
	m := markOf(secretFlag(f))
	m.pair = true
	return m
}

// advised adds what to say about a value that the flag does not accept.
func advised(f cli.Flag, advice string) cli.Flag {
	m := markOf(f)
	m.advice = advice
	return m
}

// alsoNamed gives flags further names: those that other programs have for them.
func alsoNamed(flags []cli.Flag, names map[string][]string) []cli.Flag {
	for i, f := range flags {
		more := names[f.Names()[0]]
		if len(more) == 0 {
			continue
		}
		m := markOf(f)
		m.more = append(m.more, more...)
		flags[i] = m
	}
	return flags
}

// variableName is the environment variable that stands in for a flag.
func variableName(service, name string) string {
	words := []string{"hark"}
	if service != "" {
		words = append(words, service)
	}
	return strings.ToUpper(strings.ReplaceAll(strings.Join(append(words, name), "_"), "-", "_"))
}

// newOption reads what there is to know from a flag as it was declared.
func newOption(f cli.Flag) *option {
	m := markOf(f)
	o := &option{flag: m.Flag, names: append(namesOf(m.Flag), m.more...), secret: m.secret, pair: m.pair, advice: m.advice}
	o.variable = variableName(m.service, o.name())
	if d, ok := m.Flag.(cli.DocGenerationFlag); ok {
		o.takesValue = d.TakesValue()
		o.placeholder, o.usage = unquotePlaceholder(d.GetUsage())
		o.deflt = shownDefault(d.GetDefaultText())
	}
	if c, ok := m.Flag.(cli.CategorizableFlag); ok {
		o.category, o.hidden = c.GetCategory(), !c.IsVisible()
	}
	if s, ok := m.Flag.(cli.DocGenerationSliceFlag); ok {
		o.repeats = s.IsSliceFlag()
	}
	switch f := m.Flag.(type) {
	case *cli.BoolFlag:
		o.expects = "true or false"
		f.Aliases = nil // Count would start below zero
	case *cli.StringSliceFlag:
		f.KeepSpace = true // "--send '  x'"
	case *cli.IntFlag, *cli.Int64Flag, *cli.IntSliceFlag, *cli.Int64SliceFlag:
		o.expects = "a whole number"
	case *cli.UintFlag, *cli.Uint64Flag, *cli.UintSliceFlag, *cli.Uint64SliceFlag:
		o.expects = "a whole number that is not negative"
	case *cli.Float64Flag, *cli.Float64SliceFlag:
		o.expects = "a number"
	case *cli.DurationFlag:
		o.expects = "a duration such as 500ms, 30s or 5m"
		o.seconds = true
	case *cli.GenericFlag:
		if b, ok := f.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
			o.takesValue = false
		}
		if c, ok := f.Value.(cumulative); ok {
			o.repeats = c.IsCumulative()
		}
	}
	if o.takesValue && o.placeholder == "" {
		o.placeholder = "VALUE"
	}
	if o.secret {
		o.deflt = ""
	}
	return o
}

// namesOf is f.Names, which runs a regular expression over each name: for all flags
// of all commands, that is a part of the start that can be felt.
func namesOf(f cli.Flag) []string {
	switch f := f.(type) {
	case *cli.StringFlag:
		return append([]string{f.Name}, f.Aliases...)
	case *cli.BoolFlag:
		return append([]string{f.Name}, f.Aliases...)
	case *cli.DurationFlag:
		return append([]string{f.Name}, f.Aliases...)
	case *cli.GenericFlag:
		return append([]string{f.Name}, f.Aliases...)
	}
	return f.Names()
}

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

// spelled is a value as the library understands it: "-m 30" is half a minute to
// those who know curl.
func (o *option) spelled(value string) string {
	if o.seconds {
		return goDuration(value)
	}
	return value
}

// rejects tries a value on the flag, without setting it, and says what is wrong
// with it, or "".
func (o *option) rejects(value string) string {
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	f := o.flag
	if g, ok := f.(*cli.GenericFlag); ok {
		// Its Value is the flag's own: work on it, and put the old value back.
		old := g.Value.String()
		defer g.Value.Set(old)
	}
	if err := f.Apply(set); err != nil {
		return err.Error()
	}
	if err := set.Set(o.name(), o.spelled(value)); err != nil {
		return err.Error()
	}
	return ""
}
