package program

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"

	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/output"
)

// Page prints a help text. On a terminal that it does not fit, it goes through
// $HARK_PAGER, or $PAGER, if one is set. How the pager ends is the user's affair,
// unless there is none.
func (p *Program) Page(text string, rows int) error {
	pager := ""
	for _, name := range []string{"PAGER", "HARK_PAGER"} {
		if v, ok := p.LookupEnv(name); ok {
			pager = strings.TrimSpace(v)
		}
	}
	if pager != "" && rows > 0 && strings.Count(text, "\n") >= rows {
		cmd := process.Shell(context.Background(), pager)
		cmd.Env = append(p.Environ(), "LESS=FRX")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), Inherited(p.Stdout), p.Stderr
		exit, ended := errors.AsType[*exec.ExitError](cmd.Run())
		if !ended || exit.ExitCode() != 126 && exit.ExitCode() != 127 { // as the shell has it
			return nil
		}
	}
	if _, err := io.WriteString(p.Stdout, text); err != nil {
		return &output.WriteError{Err: err}
	}
	return nil
}
