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
	// Examples are printed unchanged; the first must run without an account.
	Examples string
	// Args: the first line is the synopsis of the arguments: "APP[/CHANNEL]",
	// "STREAM…", "[URL]". Their number is checked against it before Run; without a
	// synopsis a command has none, and "[-- COMMAND…]" stands for what follows "--".
	// Each further line explains one of them: a name, a tab, a text.
	Args string
	// Description: paragraphs are wrapped, indented lines are not.
	Description string
	// Group is the heading under which the help of the parent lists the command.
	Group  string
	Hidden bool
	// TakesURL: a URL instead of the name of a command means this command with the URL
	// as its argument.
	TakesURL bool
	// Usual: this command is probably meant if its argument is given instead of its
	// name.
	Usual bool
	Flags []*Flag
	// Run runs the command. The flags are set, the arguments are in line.
	Run func(ctx context.Context, line *Line) error
	// Commands returns the subcommands. It is called once, when they are needed:
	// building all commands takes longer than most runs of the program.
	Commands func() []*Command
	// Open, if not nil, returns the subcommand of a typed name, before Commands is
	// called: one whose flags depend on the name, such as that of a file. It returns
	// nil for an unknown name. Commands is then used for help and completion only.
	Open func(name string) (*Command, error)
	// Complete lists candidates for an argument; nil: files, if Args contains a file.
	Complete Completion

	parent   *Command
	path     string // as typed: "hark drogue tail"
	children []*Command
	made     bool
	opened   map[string]*Command
	config   *Config // of the root
}

// Grouped sets the group of commands.
func Grouped(heading string, commands ...*Command) []*Command {
	for _, c := range commands {
		c.Group = heading
	}
	return commands
}

// adopt makes c a subcommand of parent, nil for the root.
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

// Path returns the command as typed: "hark drogue tail".
func (c *Command) Path() string { return c.path }

// Parent returns the command above c; nil for the root.
func (c *Command) Parent() *Command { return c.parent }

// IsGroup reports whether c has subcommands, and no Run.
func (c *Command) IsGroup() bool { return c.Commands != nil || c.Open != nil }

// Children returns the subcommands of c.
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

// Child returns the subcommand of that name; nil if there is none.
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

// visible returns the Children that help texts show.
func (c *Command) visible() []*Command {
	var out []*Command
	for _, child := range c.Children() {
		if !child.Hidden {
			out = append(out, child)
		}
	}
	return out
}

// Lookup returns the flag of that name at c, one of its own or of a command above it,
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

// Chain returns the commands from the root down to c.
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

// Root returns the root of the tree.
func (c *Command) Root() *Command {
	for c.parent != nil {
		c = c.parent
	}
	return c
}
