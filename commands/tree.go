package commands

import (
	"io"
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
)

// Tree is the command line of a program without an environment, which prints to stdout:
// for what is made of the tree of commands.
func Tree(stdout io.Writer) *cmdline.App {
	p := &program{Env: Env{
		Stdin: strings.NewReader(""), Stdout: stdout, Stderr: io.Discard,
		LookupEnv: func(string) (string, bool) { return "", false },
		Environ:   func() []string { return nil },
		Screen:    func() (int, int) { return 0, 0 },
	}}
	p.say = newPrinter(p.Stderr)
	return p.app()
}
