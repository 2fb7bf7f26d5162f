//go:build !unix

package lineedit

import "errors"

// New returns an error: line editing is not supported; use the input of the terminal.
func New(Config) (Editor, error) {
	return nil, errors.New("no line editor for this system")
}
