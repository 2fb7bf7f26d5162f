package commands

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// treeProblems lists what in a tree of commands would make the shims or the
// library misbehave, and what users would stumble over. Run it on the real tree.
func treeProblems(root *node) []string {
	var problems []string
	variables := make(map[string]*option)
	root.walk(func(n *node) {
		complain := func(format string, args ...any) {
			problems = append(problems, n.path+": "+fmt.Sprintf(format, args...))
		}
		checkCommand(n, complain)
		for i, o := range n.options {
			if o.builtin {
				continue
			}
			checkOption(n, i, complain)
			// The same variable must mean the same wherever it is read.
			if other := variables[o.variable]; other != nil && (other.expects != o.expects || other.takesValue != o.takesValue || other.repeats != o.repeats || other.secret != o.secret) {
				complain("%s and another flag of that name share %s but are not alike", o, o.variable)
			}
			variables[o.variable] = o
		}
	})
	return problems
}

func checkCommand(n *node, complain func(string, ...any)) {
	c := n.cmd
	if n.isGroup() == (c.Action != nil) {
		complain("needs either branches or an Action")
	}
	if len(c.Subcommands) > 0 || len(c.Aliases) > 0 {
		complain("Subcommands and Aliases are not for us")
	}
	if c.Before != nil || c.After != nil || c.SkipFlagParsing || c.UseShortOptionHandling {
		complain("Before, After, SkipFlagParsing and UseShortOptionHandling are not for us")
	}
	if n.parent != nil {
		if n.parent.child(c.Name) != n || c.Name == "help" && n.parent.parent != nil {
			complain("the name %s is taken, or not that of its branch", c.Name)
		}
	}
	if c.Hidden {
		return
	}
	if c.Usage == "" || strings.HasSuffix(c.Usage, ".") {
		complain("Usage %q should be one line without a full stop", c.Usage)
	}
	if !strings.Contains(c.UsageText, n.root().cmd.Name+" ") {
		complain("UsageText needs an example")
	}
}

func checkOption(n *node, index int, complain func(string, ...any)) {
	o := n.options[index]
	if len(o.name()) < 2 {
		complain("the first name of %s must be the long one", o)
	}
	for _, name := range o.names {
		if first, _ := n.lookup(name); first != o {
			complain("%s: the name %s is taken by %s", o, name, first)
		}
		if _, at := n.parent.lookup(name); at != nil {
			complain("%s: the name %s is taken by a flag of '%s'", o, name, at.path)
		}
		if strings.ContainsAny(name, " ,=_") || name != strings.ToLower(name) && len(name) > 1 {
			complain("%s: odd name %q", o, name)
		}
	}
	if d, ok := o.flag.(cli.DocGenerationFlag); !ok || len(d.GetEnvVars()) > 0 {
		complain("%s: EnvVars must be empty, the library would read them too", o)
	}
	if r, ok := o.flag.(cli.RequiredFlag); ok && r.IsRequired() {
		complain("%s: Required shows help on stdout and skips OnUsageError; check it in the Action", o)
	}
	if v := reflect.ValueOf(o.flag).Elem().FieldByName("Action"); v.IsValid() && !v.IsNil() {
		complain("%s: Action of a flag is never run", o)
	}
	if _, ok := o.flag.(*cli.StringSliceFlag); o.repeats && !ok {
		if _, ok := o.flag.(*cli.GenericFlag); !ok {
			complain("%s: of the slice flags only StringSliceFlag is safe from commas; use a GenericFlag", o)
		}
	}
	if s, ok := o.flag.(*cli.StringSliceFlag); ok && s.Destination != nil {
		complain("%s: read a slice with Context.StringSlice, not through Destination", o)
	}
	if o.hidden {
		return
	}
	if o.usage == "" || strings.HasSuffix(o.usage, ".") {
		complain("%s: Usage %q should be a short text without a full stop", o, o.usage)
	}
}

// The tree that ships.
func TestTree(t *testing.T) {
	p := &program{say: newPrinter(io.Discard)}
	p.Screen = func() (int, int) { return 0, 0 }
	if problems := treeProblems(p.app().root); len(problems) > 0 {
		t.Error(strings.Join(problems, "\n"))
	}
}

func TestMadeUpTreeIsSound(t *testing.T) {
	if problems := treeProblems(newSea(new(seaRun), nil).root); len(problems) > 0 {
		t.Error(strings.Join(problems, "\n"))
	}
}

func TestTreeProblems(t *testing.T) {
	act := func(*cli.Context) error { return nil }
	command := func(flags ...cli.Flag) *cli.Command {
		return &cli.Command{Name: "x", Usage: "x", UsageText: "hark x", Action: act, Flags: flags}
	}
	tests := []struct {
		cmd  *cli.Command
		want string
	}{
		{&cli.Command{Name: "x", Usage: "x", UsageText: "hark x"}, "either branches or an Action"},
		{&cli.Command{Name: "x", UsageText: "hark x", Action: act}, "Usage"},
		{&cli.Command{Name: "x", Usage: "x", Action: act}, "example"},
		{&cli.Command{Name: "help", Usage: "x", UsageText: "hark x", Action: act}, "help is taken"},
		{&cli.Command{Name: "x", Usage: "x", UsageText: "hark x", Action: act, Before: act}, "Before"},
		{command(&cli.StringFlag{Name: "a", Usage: "x"}), "long one"},
		{command(&cli.StringFlag{Name: "help", Usage: "x"}), "the name help is taken by a flag of 'hark'"},
		{command(&cli.StringFlag{Name: "abc", Aliases: []string{"h"}, Usage: "x"}), "the name h is taken by a flag of 'hark'"},
		{command(&cli.StringFlag{Name: "abc", Usage: "x"}, &cli.StringFlag{Name: "abd", Aliases: []string{"abc"}, Usage: "x"}), "abc is taken by --abc"},
		{command(&cli.StringFlag{Name: "a_b", Usage: "x"}), "odd name"},
		{command(&cli.StringFlag{Name: "abc", Usage: "x", EnvVars: []string{"ABC"}}), "EnvVars"},
		{command(&cli.StringFlag{Name: "abc", Usage: "x", Required: true}), "Required"},
		{command(&cli.StringFlag{Name: "abc", Usage: "x", Action: func(*cli.Context, string) error { return nil }}), "never run"},
		{command(&cli.IntSliceFlag{Name: "abc", Usage: "x"}), "commas"},
		{command(&cli.StringSliceFlag{Name: "abc", Usage: "x", Destination: cli.NewStringSlice()}), "Destination"},
		{command(&cli.StringFlag{Name: "abc"}), "short text"},
		{command(&cli.StringFlag{Name: "mark", Usage: "x"}), "HARK_MARK"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			a := newApp(appConfig{Root: &cli.Command{Name: "hark", Usage: "x", UsageText: "hark x"}, Commands: leavesOf(command(&cli.IntFlag{Name: "mark", Usage: "x"}), tt.cmd)})
			a.root.branches[0].name, a.root.children()[0].cmd.Name = "first", "first"
			problems := treeProblems(a.root)
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, tt.want) }) {
				t.Errorf("got %q", problems)
			}
		})
	}
}
