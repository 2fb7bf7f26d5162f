package cmdline

import (
	"context"
	"slices"
)

// A Command is a command as it is declared. It has either commands below it or a Run.
type Command struct {
	Name string
	// Usage says what it does, in one line, lower case, without a full stop.
	Usage string
	// Examples are printed as they are; the first must run without an account.
	Examples string
	// Args: the first line is the synopsis of the arguments: "APP[/CHANNEL]",
	// "STREAM…", "[URL]". Their number is checked against it before Run; without a
	// synopsis a command takes none, and "[-- COMMAND…]" is about what follows the two
	// dashes. Each further line explains one of them: a name, a tab, a text.
	Args string
	// Description: paragraphs are wrapped; indented lines stay as they are.
	Description string
	// Group is the heading under which the help of the parent lists the command.
	Group  string
	Hidden bool
	// TakesURL: a URL where the name of a command should be stands for this one and
	// its argument.
	TakesURL bool
	// Usual: this is probably meant when its argument stands where its name should.
	Usual bool
	Flags []*Flag
	// Run does what the command is for. The flags are set, the arguments are in line.
	Run func(ctx context.Context, line *Line) error
	// Commands makes the commands below. It is called once, when they are needed: to
	// make those of all commands takes longer than most runs of the program.
	Commands func() []*Command
	// Open makes the command below for a name that is typed, before Commands is asked:
	// one whose flags depend on the name, such as that of a file. It returns nil for a
	// name that means nothing to it; nil if all commands are in Commands. What Commands
	// lists is then for help and completion.
	Open func(name string) (*Command, error)
	// Complete lists what an argument may be; nil: files, if Args says so.
	Complete Completion

	parent   *Command
	path     string // as typed: "hark drogue tail"
	children []*Command
	made     bool
	opened   map[string]*Command
	config   *Config // of the root
}

// Grouped puts commands under a heading of the help.
func Grouped(heading string, commands ...*Command) []*Command {
	for _, c := range commands {
		c.Group = heading
	}
	return commands
}

// adopt makes c a command below parent, nil for the root.
func (c *Command) adopt(parent *Command) *Command {
	c.parent, c.path = parent, c.Name
	if parent != nil {
		c.path = parent.path + " " + c.Name
	}
	for _, f := range c.Flags {
		f.adopt()
	}
	return c
}

// Path is the command as typed: "hark drogue tail".
func (c *Command) Path() string { return c.path }

// Parent is the command above c; nil for the root.
func (c *Command) Parent() *Command { return c.parent }

// IsGroup reports whether there are commands below c; c itself does nothing then.
func (c *Command) IsGroup() bool { return c.Commands != nil || c.Open != nil }

// Children are the commands below c.
func (c *Command) Children() []*Command {
	if !c.made && c.Commands != nil {
		c.children = c.Commands()
		for i, child := range c.children {
			if opened := c.opened[child.Name]; opened != nil {
				c.children[i] = opened
			} else {
				child.adopt(c)
			}
		}
	}
	c.made = true
	return c.children
}

// Child finds a command below c by its name; nil if there is none.
func (c *Command) Child(name string) *Command {
	child, err := c.find(name)
	if err != nil {
		return nil
	}
	return child
}

// find is Child, and the error of Open.
func (c *Command) find(name string) (*Command, error) {
	if child := c.opened[name]; child != nil {
		return child, nil
	}
	if c.Open != nil && !(c.made && c.listed(name) != nil) {
		child, err := c.Open(name)
		if err != nil {
			return nil, err
		}
		if child != nil {
			if c.opened == nil {
				c.opened = make(map[string]*Command)
			}
			c.opened[name] = child.adopt(c)
			return child, nil
		}
	}
	return c.listed(name), nil
}

// listed is a command among the Children.
func (c *Command) listed(name string) *Command {
	for _, child := range c.Children() {
		if child.Name == name {
			return child
		}
	}
	return nil
}

// visible are the Children that help texts show.
func (c *Command) visible() []*Command {
	var out []*Command
	for _, child := range c.Children() {
		if !child.Hidden {
			out = append(out, child)
		}
	}
	return out
}

// Lookup finds the flag that name means at c, one of its own or of a command above it,
// and the command that it belongs to.
func (c *Command) Lookup(name string) (*Flag, *Command) {
	for ; c != nil; c = c.parent {
		for _, f := range c.Flags {
			if f.has(name) {
				return f, c
			}
		}
	}
	return nil, nil
}

// Chain lists the commands from the root down to c.
func (c *Command) Chain() []*Command {
	var chain []*Command
	for ; c != nil; c = c.parent {
		chain = append(chain, c)
	}
	slices.Reverse(chain)
	return chain
}

// Walk calls visit for c and all commands below it, parents first.
func (c *Command) Walk(visit func(*Command)) {
	visit(c)
	for _, child := range c.Children() {
		child.Walk(visit)
	}
}

// Root is the top of the tree.
func (c *Command) Root() *Command {
	for c.parent != nil {
		c = c.parent
	}
	return c
}
