package cmdline

import (
	"fmt"
	"strings"
)

// Problems returns the problems of a tree of commands: ambiguities, and what would
// confuse users. It is for tests.
func (a *App) Problems() []string {
	var problems []string
	variables := make(map[string]*Flag)
	a.root.Walk(func(c *Command) {
		complain := func(format string, args ...any) {
			problems = append(problems, c.path+": "+fmt.Sprintf(format, args...))
		}
		c.check(complain)
		for _, f := range c.Flags {
			f.check(c, complain)
			v := f.Variable()
			if v == "" {
				continue
			}
			// The same variable must mean the same for all commands.
			if other := variables[v]; other != nil && !f.like(other) {
				complain("%s and another flag of that name share %s but are not alike", f, v)
			}
			variables[v] = f
		}
	})
	return problems
}

// like reports whether two flags parse a value in the same way.
func (f *Flag) like(other *Flag) bool {
	return f.expects() == other.expects() && f.TakesValue() == other.TakesValue() && f.Repeats() == other.Repeats() && f.Secret == other.Secret
}

func (c *Command) check(complain func(string, ...any)) {
	if c.IsGroup() == (c.Run != nil) {
		complain("needs either commands below it or a Run")
	}
	if c.parent != nil && (c.parent.Child(c.Name) != c || c.Name == "help" && c.parent.parent != nil) {
		complain("the name %s is taken", c.Name)
	}
	if c.Hidden {
		return
	}
	if c.Usage == "" || strings.HasSuffix(c.Usage, ".") {
		complain("Usage %q should be one line without a full stop", c.Usage)
	}
	if !strings.Contains(c.Examples, c.Root().Name+" ") {
		complain("Examples needs an example")
	}
}

func (f *Flag) check(c *Command, complain func(string, ...any)) {
	if f.Value == nil {
		complain("%s: it has no Value", f)
		return
	}
	if len(f.Name) < 2 {
		complain("the first name of %s must be the long one", f)
	}
	for _, name := range append([]string{f.Name}, f.Aliases...) {
		if first, _ := c.Lookup(name); first != f {
			complain("%s: the name %s is taken by %s", f, name, first)
		}
		if _, at := c.parent.Lookup(name); at != nil {
			complain("%s: the name %s is taken by a flag of '%s'", f, name, at.path)
		}
		if strings.ContainsAny(name, " ,=_") || name != strings.ToLower(name) && len(name) > 1 {
			complain("%s: odd name %q", f, name)
		}
	}
	if f.Hidden {
		return
	}
	if f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
		complain("%s: Usage %q should be a short text without a full stop", f, f.Usage)
	}
}
