package cmdline

import (
	"context"
	"slices"
	"strings"
	"testing"
)

func TestMadeUpTreeIsSound(t *testing.T) {
	if problems := newSea(new(seaRun), nil).Problems(); len(problems) > 0 {
		t.Error(strings.Join(problems, "\n"))
	}
}

func TestProblems(t *testing.T) {
	act := func(context.Context, *Line) error { return nil }
	command := func(flags ...*Flag) *Command {
		return &Command{Name: "x", Usage: "x", Examples: "hark x", Run: act, Flags: flags}
	}
	text := String(new(string))
	tests := []struct {
		command *Command
		want    string
	}{
		{&Command{Name: "x", Usage: "x", Examples: "hark x"}, "either commands below it or a Run"},
		{&Command{Name: "x", Examples: "hark x", Run: act}, "Usage"},
		{&Command{Name: "x", Usage: "x", Run: act}, "example"},
		{&Command{Name: "help", Usage: "x", Examples: "hark x", Run: act}, "help is taken"},
		{command(&Flag{Name: "a", Usage: "x", Value: text}), "long one"},
		{command(&Flag{Name: "abc", Usage: "x"}), "no Value"},
		{command(&Flag{Name: "help", Usage: "x", Value: text}), "the name help is taken by a flag of 'hark'"},
		{command(&Flag{Name: "abc", Aliases: []string{"h"}, Usage: "x", Value: text}), "the name h is taken by a flag of 'hark'"},
		{command(&Flag{Name: "abc", Usage: "x", Value: text}, &Flag{Name: "abd", Aliases: []string{"abc"}, Usage: "x", Value: text}), "abc is taken by --abc"},
		{command(&Flag{Name: "a_b", Usage: "x", Value: text}), "odd name"},
		{command(&Flag{Name: "abc", Value: text}), "short text"},
		{command(&Flag{Name: "mark", Usage: "x", Value: text}), "HARK_MARK"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			first := command(&Flag{Name: "mark", Usage: "x", Value: Int(new(int))})
			first.Name = "first"
			a := New(Config{Root: &Command{Name: "hark", Usage: "x", Examples: "hark x", Commands: func() []*Command { return []*Command{first, tt.command} }}})
			a.root.children = append(a.root.Children()[2:], a.root.children[:2]...) // help comes first
			problems := a.Problems()
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, tt.want) }) {
				t.Errorf("got %q", problems)
			}
		})
	}
}
