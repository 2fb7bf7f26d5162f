package help

import (
	"context"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/man"
	"github.com/hark-cli/hark/output"
)

// Man is "hark man".
func Man(p *program.Program) *cmdline.Command {
	return &cmdline.Command{
		Name:  "man",
		Usage: "print the manual",
		Examples: `hark man >hark.1 && man ./hark.1
hark man | man -l -
hark man >/usr/local/share/man/man1/hark.1`,
		Description: "Prints the manual page hark(1) in roff.",
		Run: func(context.Context, *cmdline.Line) error {
			if _, err := p.Stdout.Write(man.Page); err != nil {
				return &output.WriteError{Err: err}
			}
			return nil
		},
	}
}
