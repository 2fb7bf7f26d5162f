package help

import (
	"context"
	"strings"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/completions"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/output"
)

// Completion is "hark completion".
func Completion(p *program.Program) *cmdline.Command {
	return &cmdline.Command{
		Name:  "completion",
		Usage: "print the completion script for a shell",
		Examples: `eval "$(hark completion bash)"
hark completion bash >~/.local/share/bash-completion/completions/hark
hark completion zsh >"${fpath[1]}/_hark"
hark completion fish >~/.config/fish/completions/hark.fish
hark completion powershell >>$PROFILE`,
		Description: `The script asks hark itself what may come next: commands, flags and their values, services, topics, profiles, the streams of Octave and the applications of Drogue Cloud.

Streams and applications come from the service, with the flags, the environment and the configuration file as they are, within 2 s, and are kept for 5 minutes in $XDG_CACHE_HOME/hark; when something fails nothing is offered and nothing is said. Credentials of env:NAME and file:PATH are used, and literal ones; cmd:COMMAND, keyring:SERVICE/NAME and a login in the keyring are not, because they could ask for a password while you type. Names that a shell would take for more than a word are left out.`,
		Complete: program.WordsOf(completions.Shells()),
		Args:     "SHELL\nSHELL\t" + strings.Join(completions.Shells(), ", "),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			shell := line.Arg(0)
			script, ok := completions.Script(shell)
			if !ok {
				e := cmdline.Usagef("no completion for%s: expected %s", cmdline.Mention(shell), strings.Join(completions.Shells(), ", "))
				e.Suggestion = cmdline.Nearest(shell, completions.Shells())
				return e
			}
			if _, err := p.Stdout.Write(script); err != nil {
				return &output.WriteError{Err: err}
			}
			return nil
		},
	}
}
