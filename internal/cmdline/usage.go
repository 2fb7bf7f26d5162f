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
	// Err is the error that Message is of, if it can say more; nil otherwise.
	Err error
}

// Unwrap returns Err.
func (e *UsageError) Unwrap() error { return e.Err }

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

// ValueErrorf is FlagErrorf for a value that the flag does not accept: what it must be
// is in format.
func ValueErrorf(as, value, format string, args ...any) *UsageError {
	return &UsageError{As: as, Message: invalidValue(fmt.Sprintf(" %q", value), as) + ": " + fmt.Sprintf(format, args...)}
}

// invalidValue begins a message about a value, which shown quotes after a space. For a
// setting of a file, as is FILE:LINE: KEY.
func invalidValue(shown, as string) string {
	if place, key, ok := strings.Cut(as, ": "); ok {
		return place + ": invalid value" + shown + " for " + key
	}
	if strings.HasPrefix(as, "HARK_") {
		return "invalid value" + shown + " in " + as
	}
	return "invalid value" + shown + " for " + as
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
	case e.Command != "" && e.Err == nil:
		return "see '" + e.Command + " --help'"
	}
	return ""
}
