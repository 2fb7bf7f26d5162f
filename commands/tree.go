package commands

import (
	"io"
	"strings"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
)

// Tree returns the command line of a program without an environment, for generating the
// manual and the documentation.
func Tree(stdout io.Writer) *cmdline.App {
	p := &program.Program{Env: program.Env{
		Stdin: strings.NewReader(""), Stdout: stdout, Stderr: io.Discard,
		LookupEnv: func(string) (string, bool) { return "", false },
		Environ:   func() []string { return nil },
		Screen:    func() (int, int) { return 0, 0 },
	}}
	p.Say = console.NewPrinter(p.Stderr)
	return app(p)
}

// A Guide is a service with a page in the documentation, docs/NAME.md, and the synopsis
// of its stream.
type Guide struct{ Name, Title, Usage string }

// Guides lists the services that have a page.
func Guides() (list []Guide) {
	for _, s := range services().Emulated() {
		v := s.Stream(&program.Program{})
		args, _, _ := strings.Cut(v.Command.Args, "\n")
		words := append([]string{"hark"}, s.Words(v)...)
		list = append(list, Guide{s.Name, s.Title, strings.TrimSpace(strings.Join(words, " ") + " " + args)})
	}
	return list
}
