package cmdline

import (
	"fmt"
	"strings"
)

// A UsageError says that the command line, or an environment variable that stands
// in for a flag, cannot be run. It ends the program with exit code 2, and is shown as:
//
//	hark: error: MESSAGE
//	hark: hint: HINT
type UsageError struct {
	// Message says what is wrong. It shows no credential: neither the value of a
	// secret flag, nor a URL, nor a long word out of place.
	Message string
	// As is how the user gave the flag that the mistake is about, as Line.GivenAs has it,
	// or the flag with its dashes; "" when the mistake is about no single flag.
	As string
	// Suggestion is what the user may have meant: "--count", "hark octave
	// subscribe"; empty if nothing is near.
	Suggestion string
	// Advice is the hint in full, where "did you mean" would not fit.
	Advice string
	// Command is the command whose help tells more: "hark drogue tail". App.Run fills
	// it in for errors of a command's Run that leave it empty.
	Command string
	// Shown: the help is on stderr already, nothing is left to print.
	Shown bool
}

// Usagef makes a *UsageError from a command's Run: bad arguments, flags that exclude
// each other. App.Run adds the command.
func Usagef(format string, args ...any) *UsageError {
	return &UsageError{Message: fmt.Sprintf(format, args...)}
}

// FlagErrorf is Usagef for a mistake in the value of a flag. The message begins with as,
// how the user gave the flag, and goes on with format.
func FlagErrorf(as, format string, args ...any) *UsageError {
	return &UsageError{As: as, Message: as + fmt.Sprintf(format, args...)}
}

func (e *UsageError) Error() string { return e.Message }

// Hint returns the text for the hint line, or "".
func (e *UsageError) Hint() string {
	switch {
	case e.Shown:
		return ""
	case e.Advice != "":
		return e.Advice
	case strings.Contains(e.Suggestion, " "):
		return "did you mean '" + e.Suggestion + "'?"
	case e.Suggestion != "":
		return "did you mean " + e.Suggestion + "?"
	case e.Command != "":
		return "see '" + e.Command + " --help'"
	}
	return ""
}
