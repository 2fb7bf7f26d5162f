// Package terminal asks the system about what is at the other ends of stdin, stdout and
// stderr: whether it is a terminal, its size and modes, whether something waits to be
// read, whether someone still reads. It is the only home of what deals with terminals
// and with the system below package os.
package terminal

import (
	"os"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"
)

// Is reports whether f is a terminal.
func Is(f *os.File) bool { return isatty.IsTerminal(f.Fd()) }

// Shows reports whether a person sees what is written to f: a terminal, or a pipe of
// Cygwin that stands for one, which has no modes.
func Shows(f *os.File) bool { return Is(f) || isatty.IsCygwinTerminal(f.Fd()) }

// Size returns the size of a terminal in characters, 0 and 0 when it is not known.
func Size(f *os.File) (columns, rows int) {
	columns, rows, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0, 0
	}
	return columns, rows
}

// A Mode is how a terminal treats what is typed.
type Mode struct{ state *term.State }

// ModeOf returns the mode of a terminal as it is now.
func ModeOf(f *os.File) (*Mode, error) {
	state, err := term.GetState(int(f.Fd()))
	return &Mode{state}, err
}

// Set sets the mode of a terminal.
func (m *Mode) Set(f *os.File) error { return term.Restore(int(f.Fd()), m.state) }

// SetRaw has a terminal pass on each key as it is typed, and show none.
func SetRaw(f *os.File) error {
	_, err := term.MakeRaw(int(f.Fd()))
	return err
}
