package commands

import (
	"github.com/hark-cli/hark/man"
	"github.com/hark-cli/hark/output"
	"github.com/urfave/cli/v2"
)

func (p *program) manCommand() *cli.Command {
	return &cli.Command{
		Name:  "man",
		Usage: "print the manual",
		UsageText: `hark man >hark.1 && man ./hark.1
hark man | man -l -
hark man >/usr/local/share/man/man1/hark.1`,
		Description: "Prints the manual page hark(1) in roff.",
		Action: func(*cli.Context) error {
			if _, err := p.Stdout.Write(man.Page); err != nil {
				return &output.WriteError{Err: err}
			}
			return nil
		},
	}
}
