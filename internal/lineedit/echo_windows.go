package lineedit

import "golang.org/x/sys/windows"

// HideInput makes the console fd give lines and not show what is typed, until it is
// restored with term.Restore. It must be called before a question is printed: whoever
// answers at once would see the answer otherwise.
func HideInput(fd int) error {
	var mode uint32
	if err := windows.GetConsoleMode(windows.Handle(fd), &mode); err != nil {
		return err
	}
	mode &^= windows.ENABLE_ECHO_INPUT
	return windows.SetConsoleMode(windows.Handle(fd), mode|windows.ENABLE_LINE_INPUT|windows.ENABLE_PROCESSED_INPUT)
}
