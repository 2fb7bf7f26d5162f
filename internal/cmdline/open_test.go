package cmdline

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// A kitchen is a test program with a command whose flags depend on the name that
// follows it.
type kitchen struct {
	stdout, stderr bytes.Buffer
	opened         []string
	ran            string
	salt           int
	fish           string
	args           []string
	as             string
}

// app has a command run for two recipes and files.
func (k *kitchen) app(variables ...string) *App {
	dish := func(name string, flags ...*Flag) *Command {
		return &Command{
			Name: name, Usage: "cook " + name, Examples: "hark run " + name, Args: "[GUEST…]", Flags: flags,
			Complete: func(context.Context, *Line) []Candidate { return Words("alice", "bob") },
			Run: func(_ context.Context, line *Line) error {
				k.ran, k.args, k.as = line.Command.Path(), line.Args(), line.GivenAs("salt")
				return nil
			},
		}
	}
	salt := func() *Flag {
		return &Flag{Name: "salt", Aliases: []string{"s"}, Usage: "`GRAMS` of salt", Value: Int(&k.salt)}
	}
	soup := func() *Command {
		return dish("soup", append(Own("recipe_soup", salt()), &Flag{Name: "fish", Usage: "the `KIND`", Value: String(&k.fish), Complete: func(context.Context, *Line) []Candidate { return Words("cod", "carp") }})...)
	}
	return New(Config{
		Root: &Command{Name: "hark", Usage: "cook", Examples: "hark run soup", Commands: func() []*Command {
			return []*Command{{
				Name: "run", Usage: "cook what a recipe says", Examples: "hark run soup", Args: "RECIPE [GUEST…]",
				Commands: func() []*Command { return []*Command{soup(), dish("bread")} },
				Open: func(name string) (*Command, error) {
					k.opened = append(k.opened, name)
					switch {
					case name == "soup":
						return soup(), nil
					case name == "./bad.toml":
						return nil, errors.New("./bad.toml:3: there is no such key")
					case strings.Contains(name, "/"):
						f := salt()
						f.LineOnly = true
						return dish(name, f), nil
					}
					return nil, nil
				},
			}}
		}},
		Stdout: &k.stdout, Stderr: &k.stderr,
		LookupEnv: func(name string) (string, bool) {
			for _, v := range variables {
				if value, ok := strings.CutPrefix(v, name+"="); ok {
					return value, true
				}
			}
			return "", false
		},
	})
}

func (k *kitchen) run(t *testing.T, line string, variables ...string) error {
	return k.app(variables...).Run(t.Context(), strings.Fields(line))
}

func TestKitchenIsSound(t *testing.T) {
	if problems := new(kitchen).app().Problems(); len(problems) > 0 {
		t.Error(strings.Join(problems, "\n"))
	}
}

func TestNameDecidesFlags(t *testing.T) {
	for _, tt := range []struct {
		line, env string
		ran       string
		salt      int
		as        string
		args      []string
	}{
		{line: "run soup -s5 alice", ran: "hark run soup", salt: 5, as: "-s", args: []string{"alice"}},
		{line: "run soup alice --salt 5 -- bob", ran: "hark run soup", salt: 5, as: "--salt", args: []string{"alice", "bob"}},
		{line: "run soup", env: "HARK_RECIPE_SOUP_SALT=7", ran: "hark run soup", salt: 7, as: "HARK_RECIPE_SOUP_SALT"},
		{line: "run bread alice", ran: "hark run bread", args: []string{"alice"}},
		{line: "run ./pie.toml --salt=3", ran: "hark run ./pie.toml", salt: 3, as: "--salt"},
		{line: "run ./pie.toml", env: "HARK_SALT=3", ran: "hark run ./pie.toml"},
	} {
		k := new(kitchen)
		if err := k.run(t, tt.line, tt.env); err != nil {
			t.Errorf("%s: %v", tt.line, err)
		}
		if k.ran != tt.ran || k.salt != tt.salt || k.as != tt.as || !slices.Equal(k.args, tt.args) {
			t.Errorf("%s: %s ran with salt %d from %q and %q", tt.line, k.ran, k.salt, k.as, k.args)
		}
		if name := strings.Fields(tt.line)[1]; !slices.Equal(k.opened, []string{name}) {
			t.Errorf("%s: opened %q", tt.line, k.opened)
		}
	}
}

func TestNameDecidesErrors(t *testing.T) {
	for line, want := range map[string]string{
		"run bread --salt 5":    "unknown flag --salt: --salt is a flag of 'hark run soup'",
		"run soup --slat 5":     "unknown flag --slat: did you mean --salt?",
		"run soup --salt x":     "invalid value \"x\" for --salt: expected a whole number: see 'hark run soup --help'",
		"run ./pie.toml -s x":   "invalid value \"x\" for -s: expected a whole number: see 'hark run ./pie.toml --help'",
		"run suop":              "unknown command \"suop\": did you mean 'hark run soup'?",
		"run ./bad.toml":        "./bad.toml:3: there is no such key: ",
		"run ./bad.toml --help": "./bad.toml:3: there is no such key: ",
		"run --salt 5 soup":     "unknown flag --salt: --salt goes after the command: 'hark run soup --salt'",
	} {
		err := new(kitchen).run(t, line)
		usage, ok := errors.AsType[*UsageError](err)
		if !ok {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got := usage.Message + ": " + usage.Hint(); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", line, got, want)
		}
	}
}

func TestNameDecidesHelpAndCompletion(t *testing.T) {
	for line, want := range map[string]string{
		"run --help":                       "  hark run RECIPE [GUEST…]\n",
		"help run":                         "  soup   cook soup\n  bread  cook bread\n",
		"run soup --help":                  "  hark run soup [FLAGS] [GUEST…]\n",
		"help run soup":                    "  -s, --salt GRAMS  GRAMS of salt\n",
		"run ./pie.toml -h":                "  hark run ./pie.toml [FLAGS] [GUEST…]\n",
		"run ./pie.toml --help-all":        "  -s, --salt GRAMS  GRAMS of salt\n",
		"help --json":                      `"variable": "HARK_RECIPE_SOUP_SALT"`,
		"__complete run s":                 "soup\tcook soup\n",
		"__complete run soup --f":          "--fish\tthe KIND\n",
		"__complete run soup --fish c":     "cod\t\ncarp\t\n",
		"__complete run ./pie.toml a":      "alice\t\n",
		"__complete run ./pie.toml --salt": "--salt\tGRAMS of salt\n",
	} {
		k := new(kitchen)
		if err := k.run(t, line); err != nil || !strings.Contains(k.stdout.String(), want) {
			t.Errorf("%s: error %v, printed\n%s", line, err, &k.stdout)
		}
	}
	k := new(kitchen)
	if err := k.run(t, "__complete run ./bad.toml --s"); err != nil || k.stdout.Len() > 0 {
		t.Errorf("a recipe with a mistake: error %v, printed %q", err, &k.stdout)
	}
}
