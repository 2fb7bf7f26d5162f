// Package ending maps errors to exit codes, messages and hints. No other package does;
// an Ending is made once per run, for stderr, the report, the recording and the
// journal.
package ending

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/internal/prompt"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

var (
	// ErrLinger ends a stream at --linger, ErrHold at --hold.
	ErrLinger = errors.New("nothing came for the time of --linger")
	ErrHold   = errors.New("the time of --hold is over")
)

// A codedError has its own exit code.
type codedError interface {
	error
	Exit() int
}

// A linesError has further lines below its message.
type linesError interface {
	error
	Lines() (text string, below []string)
}

// A closedError may be the end of a stream that the server closed.
type closedError interface {
	error
	Closed() bool
}

// Condition returns the condition that ended a stream, "" for a failure.
func Condition(err error) string {
	if e, ok := errors.AsType[output.Ended](err); ok {
		return e.Condition
	}
	switch {
	case Is[*output.Failed](err):
		return "fail-if"
	case Is[*proto.Failure](err):
		return ""
	case errors.Is(err, proto.ErrIdle):
		return "idle"
	case errors.Is(err, ErrMaxTime):
		return "max-time"
	case errors.Is(err, ErrLinger):
		return "linger"
	case errors.Is(err, ErrHold):
		return "hold"
	case errors.Is(err, prompt.ErrQuit):
		return "quit"
	case errors.Is(err, proto.ErrRecordingEnd):
		return "recording-end"
	case errors.Is(err, output.ErrStdoutClosed):
		return "stdout-closed"
	case Is[*process.SignalError](err):
		return "signal"
	case err == nil, closed(err):
		return "closed"
	}
	return ""
}

func closed(err error) bool {
	e, ok := errors.AsType[closedError](err)
	return ok && e.Closed()
}

// A CrashError reports a bug of hark.
type CrashError struct {
	Value any
	Stack []byte
}

func (e *CrashError) Error() string { return fmt.Sprintf("internal error: %v", e.Value) }

// Lines returns the message and the stack.
func (e *CrashError) Lines() (text string, below []string) {
	return e.Error(), strings.Split(strings.TrimSpace(string(e.Stack)), "\n")
}

// A CommandExit is the end of a command of the user, with its exit code. Nothing else
// is printed.
type CommandExit struct{ Code int }

func (e *CommandExit) Error() string { return fmt.Sprintf("exit status %d", e.Code) }
