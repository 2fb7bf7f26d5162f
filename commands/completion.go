package commands

import (
	"strings"

	"github.com/hark-cli/hark/completions"
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/output"
	"github.com/urfave/cli/v2"
)

func (p *program) completionCommand() *cli.Command {
	return &cli.Command{
		Name:  "completion",
		Usage: "print the completion script for a shell",
		UsageText: `eval "$(hark completion bash)"
hark completion bash >~/.local/share/bash-completion/completions/hark
hark completion zsh >"${fpath[1]}/_hark"
hark completion fish >~/.config/fish/completions/hark.fish
hark completion powershell >>$PROFILE`,
		ArgsUsage: "SHELL\nSHELL\t" + strings.Join(completions.Shells(), ", "),
		Action: func(c *cli.Context) error {
			shell := c.Args().First()
			script, ok := completions.Script(shell)
			if !ok {
				e := usagef("no completion for%s: expected %s", mention(shell), strings.Join(completions.Shells(), ", "))
				e.Suggestion = nearest(shell, completions.Shells())
				return e
			}
			if _, err := p.Stdout.Write(script); err != nil {
				return &output.WriteError{Err: err}
			}
			return nil
		},
	}
}

// argumentWords are what the arguments of commands may be, for completion.
func argumentWords() map[string][]string {
	return map[string][]string{
		"completion":  completions.Shells(),
		"emulate":     emulator.Services(),
		"config init": emulator.Services(),
	}
}
