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

// Page prints a help text. If it does not fit the terminal, it is shown with
// $HARK_PAGER, or $PAGER, if set. The exit code of the pager is ignored, unless it
// cannot be run.
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
		if !ended || exit.ExitCode() != 126 && exit.ExitCode() != 127 { // as in the shell
			return nil
		}
	}
	if _, err := io.WriteString(p.Stdout, text); err != nil {
		return &output.WriteError{Err: err}
	}
	return nil
}
