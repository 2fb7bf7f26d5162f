// Package terminal provides access to terminals and file descriptors below package os:
// whether stdin, stdout or stderr is a terminal, its size and modes, whether data waits
// to be read, and whether the reader has closed.
package terminal

import (
	"os"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"
)

// Is reports whether f is a terminal.
func Is(f *os.File) bool { return isatty.IsTerminal(f.Fd()) }

// Shows reports whether output to f is shown on a terminal: f is a terminal, or a pipe
// of Cygwin for one, which has no modes.
func Shows(f *os.File) bool { return Is(f) || isatty.IsCygwinTerminal(f.Fd()) }

// Size returns the size of a terminal in characters, 0 and 0 if unknown.
func Size(f *os.File) (columns, rows int) {
	columns, rows, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0, 0
	}
	return columns, rows
}

// A Mode is the input mode of a terminal.
type Mode struct{ state *term.State }

// ModeOf returns the current mode of a terminal.
func ModeOf(f *os.File) (*Mode, error) {
	state, err := term.GetState(int(f.Fd()))
	return &Mode{state}, err
}

// Set sets the mode of a terminal.
func (m *Mode) Set(f *os.File) error { return term.Restore(int(f.Fd()), m.state) }

// SetRaw sets a terminal to raw mode: each key is passed on as it is typed, without
// echo.
func SetRaw(f *os.File) error {
	_, err := term.MakeRaw(int(f.Fd()))
	return err
}
