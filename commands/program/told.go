package program

import (
	"errors"
	"syscall"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/output"
)

// Report prints how the program ended, if there is anything to say, and returns its
// exit code.
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

// Conclude is conclude for an end that may be that of the terminal.
func (p *Program) Conclude(err error) ending.Ending {
	e := ending.Of(err)
	if (e.Code == ending.OK || ending.Is[*output.WriteError](err)) && p.HungUp != nil && p.HungUp() {
		// The signal that says so may come later than the end of stdin, and the failure
		// of a write, that come of it.
		return ending.Of(&process.SignalError{Signal: syscall.SIGHUP})
	}
	return e
}

// journalFailed reports that a file that was asked for could not be written, which is
// a failure where there is no other.
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

// A ToldError is the end of a command of which a journal has told.
type ToldError struct {
	ending.Ending
	Told   bool  // there is nothing more to print
	Failed error // what went wrong with the journal
}

func (e *ToldError) Error() string { return e.Err.Error() }

func (e *ToldError) Unwrap() error { return e.Err }
