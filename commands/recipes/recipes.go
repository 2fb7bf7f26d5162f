// Package recipes is "hark recipe": recipes, and their transcripts, as files.
package recipes

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/proto/recipe"
)

// Command is "hark recipe".
func Command(p *program.Program) *cmdline.Command {
	return &cmdline.Command{
		Name:     "recipe",
		Usage:    "list, show, check and test recipes",
		Examples: "hark recipe list\nhark recipe show homeassistant",
		Description: "A recipe describes an event service in a file: what is sent when the socket is open, what is " +
			"answered to which message, and what is an event. 'hark run' runs one. docs/recipes.md describes how " +
			"to write one.",
		Commands: func() []*cmdline.Command {
			return []*cmdline.Command{listCommand(p), showCommand(p), checkCommand(p), testCommand(p)}
		},
	}
}

// args explains the argument of the commands.
const args = "NAME|FILE\nNAME\ta recipe that is built in, or in the folder hark/recipes of the configuration\n" +
	"FILE\tanything with a slash, or that ends in .toml"

// complete completes the name of a recipe.
func complete(p *program.Program) cmdline.Completion {
	return func(context.Context, *cmdline.Line) (list []cmdline.Candidate) {
		for _, f := range List(p) {
			list = append(list, cmdline.Candidate{Word: f.Name, About: about(f)})
		}
		return list
	}
}

// about is what a recipe that is built in says of itself; of others it is not read.
func about(f *File) string {
	if f.Origin == BuiltIn {
		if r, err := f.Parse(); err == nil {
			return r.About
		}
	}
	return f.Path
}

func listCommand(p *program.Program) *cmdline.Command {
	return &cmdline.Command{
		Name: "list", Usage: "list the recipes", Examples: "hark recipe list",
		Description: "Prints a line for each recipe that is built in, or in the folder hark/recipes of the " +
			"configuration, which is named.",
		Run: func(ctx context.Context, _ *cmdline.Line) error {
			w := bufio.NewWriter(p.Stdout)
			table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			for _, f := range List(p) {
				fmt.Fprintf(table, "%s\t%s\n", console.Line(f.Name), console.Line(summary(ctx, p, f)))
			}
			if err := table.Flush(); err != nil {
				return err
			}
			return program.Flushed(w)
		},
	}
}

// summary is what list says of a recipe.
func summary(ctx context.Context, p *program.Program, f *File) string {
	if f.Origin == BuiltIn {
		return about(f)
	}
	text := f.Path
	f, err := Find(ctx, p, f.Name)
	if err != nil {
		return text + ": cannot be read"
	}
	r, err := f.Parse()
	if err != nil {
		return text + ": has mistakes, see 'hark recipe check " + f.Name + "'"
	}
	return strings.TrimPrefix(r.About+" ("+text+")", " ")
}

func showCommand(p *program.Program) *cmdline.Command {
	return &cmdline.Command{
		Name: "show", Usage: "print a recipe, where it connects to and what it sends",
		Examples: "hark recipe show discord\nhark recipe show ./stranger.toml\nhark recipe show homeassistant >mine.toml",
		Args:     args,
		Description: "Prints the recipe as it is, after comments that say which hosts it can reach, what it sends, and " +
			"which parameters are credentials. What is printed is a recipe again.",
		Complete: complete(p),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			f, r, err := parsed(ctx, p, line)
			if err != nil {
				return err
			}
			var text bytes.Buffer
			show(&text, f, r)
			out := text.String()
			if p.StdoutTerminal {
				out = console.Lines(out)
			}
			w := bufio.NewWriter(p.Stdout)
			_, _ = io.WriteString(w, out) // Flushed has the error
			return program.Flushed(w)
		},
	}
}

// parsed returns the recipe that a line names, and the file that it is in.
func parsed(ctx context.Context, p *program.Program, line *cmdline.Line) (*File, *recipe.Recipe, error) {
	f, err := Find(ctx, p, line.Arg(0))
	if err != nil {
		return nil, nil, err
	}
	r, err := f.Parse()
	return f, r, err
}

// show writes what show prints.
func show(w io.Writer, f *File, r *recipe.Recipe) {
	origin := console.Line(f.Path)
	if f.Origin == BuiltIn {
		origin = "built in"
	}
	fmt.Fprintf(w, "# %s (%s)\n#\n# It connects to:\n", r.Name, origin)
	for _, at := range r.Reaches() {
		fmt.Fprintf(w, "#   %s: %s\n", at.Key, destinations(at))
		if at.Computed || strings.Contains(at.Text, "+") { // it may say something to the server
			fmt.Fprintf(w, "#     %s\n", oneLine(at.Text))
		}
	}
	list := func(title string, lines []string) {
		if len(lines) == 0 {
			lines = []string{"nothing"}
		}
		fmt.Fprintf(w, "# %s:\n", title)
		for _, line := range lines {
			fmt.Fprintf(w, "#   %s\n", oneLine(line))
		}
	}
	list("It sends", r.Sends())
	var secrets []string
	for _, q := range r.Params {
		if q.Secret {
			secrets = append(secrets, strings.TrimSuffix("--"+q.Name+": "+q.About, ": "))
		}
	}
	list("Credentials", secrets)
	fmt.Fprintf(w, "\n%s", f.Source)
	if !bytes.HasSuffix(f.Source, []byte("\n")) {
		fmt.Fprintln(w)
	}
}

// oneLine is an expression in a comment.
func oneLine(text string) string { return console.Line(strings.Join(strings.Fields(text), " ")) }

// destinations says where a part of a recipe connects to.
func destinations(at recipe.Reach) string {
	list := slices.Clone(at.Hosts)
	for _, name := range at.Params {
		list = append(list, "what --"+name+" says")
	}
	if at.Server {
		list = append(list, "what the server says")
	}
	if at.Computed {
		list = append(list, "what this makes:")
	}
	return console.Line(strings.Join(list, ", "))
}

func checkCommand(p *program.Program) *cmdline.Command {
	return &cmdline.Command{
		Name: "check", Usage: "check a recipe and its transcript for mistakes",
		Examples: "hark recipe check discord\nhark recipe check ./mine.toml",
		Args:     args,
		Description: "Prints nothing if there is no mistake. Nothing is run or dialed. The transcript of mine.toml is " +
			"mine.txt, if there is one.",
		Complete: complete(p),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			f, r, err := parsed(ctx, p, line)
			if err != nil {
				return err
			}
			if err := CheckNames(r, line.Command); err != nil {
				return err
			}
			_, err = f.Script(ctx)
			return err
		},
	}
}
