package commands

import (
	"strings"

	"github.com/hark-cli/hark/output"
	"github.com/urfave/cli/v2"
)

// outputFlags say what a stream prints.
type outputFlags struct {
	format  string
	jq      string
	args    []string
	jsons   []string
	raw     bool
	jqError string
	verbose bool
	quiet   bool
}

func newOutputFlags() outputFlags {
	return outputFlags{format: string(output.FormatMessage), jqError: "continue"}
}

func (f *outputFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "jq", Category: catOutput, Destination: &f.jq,
			Usage: "print what the jq expression `EXPR` makes of each event"},
		&cli.StringSliceFlag{Name: "arg", Category: catOutput,
			Usage: "set the jq variable $NAME to a string: `NAME=VALUE`"},
		&cli.StringSliceFlag{Name: "argjson", Category: catOutput,
			Usage: "set the jq variable $NAME to a JSON value: `NAME=JSON`"},
		&cli.BoolFlag{Name: "raw-output", Aliases: []string{"r"}, Category: catOutput, Destination: &f.raw,
			Usage: "print strings that --jq makes without quotes"},
		&cli.StringFlag{Name: "jq-error", Category: catOutput, Destination: &f.jqError, Value: f.jqError,
			Usage: "what an error inside an expression does: `continue|fail`"},
		&cli.StringFlag{Name: "format", Category: catOutput, Destination: &f.format, Value: f.format,
			Usage: "what is printed for an event: `message` prints what the service sent, on one line"},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Category: catOutput, Destination: &f.verbose,
			Usage: "tell on stderr what happens, heartbeats and acknowledgements included"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Category: catOutput, Destination: &f.quiet,
			Usage: "no warnings on stderr, only errors"},
	}
}

func (f *outputFlags) check(c *cli.Context) error {
	f.args, f.jsons = c.StringSlice("arg"), c.StringSlice("argjson")
	if f.jqError != "continue" && f.jqError != "fail" {
		return usagef("%s %q: expected continue or fail", givenAs(c, "jq-error"), f.jqError)
	}
	if _, err := output.ParseFormat(f.format); err != nil {
		return usagef("%s %q: %v", givenAs(c, "format"), f.format, err)
	}
	if f.raw && f.jq == "" {
		return usagef("%s prints the strings that --jq makes; it needs --jq", givenAs(c, "raw-output"))
	}
	return nil
}

// variables are what --arg and --argjson define.
func (f *outputFlags) variables() ([]output.Var, error) {
	var out []output.Var
	for _, list := range []struct {
		flag  string
		items []string
		make  func(name, text string) (output.Var, error)
	}{{"--arg", f.args, output.Arg}, {"--argjson", f.jsons, output.ArgJSON}} {
		for _, item := range list.items {
			name, text, ok := strings.Cut(item, "=")
			if !ok {
				return nil, usagef("%s %q: expected NAME=VALUE", list.flag, cut(item, 24))
			}
			v, err := list.make(name, text)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
	}
	return out, nil
}
