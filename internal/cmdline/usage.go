package cmdline

import (
	"fmt"
	"strings"
)

// A UsageError reports an invalid command line, or an invalid environment variable of a
// flag. It ends the program with exit code 2, and is shown as:
//
//	hark: error: MESSAGE
//	hark: hint: HINT
type UsageError struct {
	// Message is the error message. It contains no credential: neither the value of a
	// secret flag, nor a URL, nor a long misplaced word.
	Message string
	// As is how the user gave the flag of the error, as returned by Line.GivenAs, or
	// the flag with its dashes; "" if the error is not about a single flag.
	As string
	// Suggestion is what the user may have meant: "--count", "hark octave subscribe";
	// "" if there is nothing similar.
	Suggestion string
	// Advice is the full hint, where "did you mean" does not apply.
	Advice string
	// Command is the command whose help is mentioned: "hark drogue tail". App.Run fills
	// it in for errors of a command's Run that leave it empty.
	Command string
	// Shown: the help has been printed to stderr instead.
	Shown bool
	// Err is the error that Message is of, if it can say more; nil otherwise.
	Err error
}

// Unwrap returns Err.
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef returns a *UsageError for a command's Run, such as for invalid arguments.
// App.Run adds the command.
func Usagef(format string, args ...any) *UsageError {
	return &UsageError{Message: fmt.Sprintf(format, args...)}
}

// FlagErrorf is Usagef for an error in the value of a flag. The message begins with as,
// how the user gave the flag, and continues with format.
func FlagErrorf(as, format string, args ...any) *UsageError {
	return &UsageError{As: as, Message: as + fmt.Sprintf(format, args...)}
}

// ValueErrorf is FlagErrorf for a value that the flag does not accept: what it must be
// is in format.
func ValueErrorf(as, value, format string, args ...any) *UsageError {
	return &UsageError{As: as, Message: invalidValue(fmt.Sprintf(" %q", value), as) + ": " + fmt.Sprintf(format, args...)}
}

// invalidValue returns the start of a message about a value, which is in shown, in
// quotes after a space. For a setting of a file, as is FILE:LINE: KEY.
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
