package commands

import (
	"io"
	"strings"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
)

// Tree is the command line of a program without an environment, which prints to stdout:
// for what is made of the tree of commands.
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
