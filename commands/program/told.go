package program

import (
	"errors"
	"syscall"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/output"
)

// Report prints the error of the program, if any, and returns its exit code.
func (p *Program) Report(err error) int {
	p.Say.Release()
	told, ok := errors.AsType[*ToldError](err)
	if !ok {
		told = &ToldError{Ending: p.Conclude(err)}
	}
	e := told.Ending
	if u, ok := errors.AsType[*cmdline.UsageError](e.Err); ok && u.Shown {
		return e.Code
	}
	if !e.Silent && !told.Told {
		p.Say.Error("%s", e.Text)
		p.Say.Plain(e.Below)
		if e.Hint != "" {
			p.Say.Hint("%s", e.Hint)
		}
	}
	return p.journalFailed(told.Failed, e.Code)
}

// Conclude returns the Ending of an error, which may be a hangup of the terminal.
func (p *Program) Conclude(err error) ending.Ending {
	e := ending.Of(err)
	if (e.Code == ending.OK || ending.Is[*output.WriteError](err)) && p.HungUp != nil && p.HungUp() {
		// The signal for it may arrive after the end of stdin and the failure of a
		// write.
		return ending.Of(&process.SignalError{Signal: syscall.SIGHUP})
	}
	return e
}

// journalFailed prints that a requested file could not be written, which is an error if
// there is no other.
func (p *Program) journalFailed(failed error, code int) int {
	if failed == nil {
		return code
	}
	p.Say.Error("%v", failed)
	if code == ending.OK {
		return ending.Internal
	}
	return code
}

// A ToldError is the end of a command that a journal has reported.
type ToldError struct {
	ending.Ending
	Told   bool  // it has been printed
	Failed error // the error of the journal
}

func (e *ToldError) Error() string { return e.Err.Error() }

func (e *ToldError) Unwrap() error { return e.Err }
