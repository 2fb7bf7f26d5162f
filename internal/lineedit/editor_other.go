//go:build !unix

package lineedit

import "errors"

// New says that there is no editing here; the system's own line input does it.
func New(Config) (Editor, error) {
	return nil, errors.New("no line editor for this system")
}
