package terminal

import (
	"os"

	"golang.org/x/sys/windows"
)

// HideInput sets a console to line mode without echo, until it is set to another mode.
// It must be called before a question is printed, because an immediate answer would be
// echoed otherwise.
func HideInput(f *os.File) error {
	fd := f.Fd()
	var mode uint32
	if err := windows.GetConsoleMode(windows.Handle(fd), &mode); err != nil {
		return err
	}
	mode &^= windows.ENABLE_ECHO_INPUT
	return windows.SetConsoleMode(windows.Handle(fd), mode|windows.ENABLE_LINE_INPUT|windows.ENABLE_PROCESSED_INPUT)
}
