// Package exec delivers records to a command, which is run once for each of them. The
// record is on its stdin. The command acknowledges it with exit code 0.
package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/output/destination"
)

// TemporaryFailure is the exit code of a failure that another attempt may not have
// (EX_TEMPFAIL of sysexits.h).
const TemporaryFailure = 75

// A Destination runs a command for each record.
type Destination struct {
	// Command is a line of the shell's language.
	Command string
	// Environ is the environment of the command.
	Environ []string
	// Output takes what the command prints.
	Output io.Writer
	// Rescue is that of process.Options.
	Rescue func(kill func()) (done func())
	// Attempted is told of each command that has ended; nil is told nothing. The next one
	// waits for it.
	Attempted func(destination.Attempt)
}

var _ destination.Destination = (*Destination)(nil)

// InFlight implements destination.Destination.
func (*Destination) InFlight() int { return 1 }

// Close implements destination.Destination.
func (*Destination) Close() error { return nil }

// Deliver implements destination.Destination. One command is run after another.
func (d *Destination) Deliver(ctx context.Context, records []destination.Record, results []error) {
	for i, r := range records {
		if results[i] = d.run(ctx, r); results[i] != nil {
			for j := i + 1; j < len(results); j++ {
				results[j] = destination.ErrNotTried
			}
			return
		}
	}
}

// grace is how long a command has to end when there is no more time for it.
const grace = time.Second

// variable returns text as the value of a variable, which cannot have NUL characters.
func variable(text string) string { return strings.ReplaceAll(text, "\x00", "\uFFFD") }

func (d *Destination) run(ctx context.Context, r destination.Record) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	cmd := process.Shell(ctx, d.Command)
	cmd.Stdin = bytes.NewReader(append(bytes.Clone(r.Data), '\n'))
	cmd.Stdout, cmd.Stderr = d.Output, d.Output
	cmd.Env = append(d.Environ[:len(d.Environ):len(d.Environ)], "HARK_EVENT_ID="+variable(r.ID), "HARK_EVENT_TYPE="+variable(r.Type))
	begun := time.Now()
	err := process.Run(ctx, cmd, process.Options{Grace: grace, Rescue: d.Rescue})
	if d.Attempted != nil {
		result := "exit code 0"
		if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() >= 0 {
			result = fmt.Sprintf("exit code %d", e.ExitCode())
		} else if err != nil {
			result = err.Error()
		}
		d.Attempted(destination.Attempt{Record: r, Result: result, Took: time.Since(begun)})
	}
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	e, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return nil
	case !ended:
		return &destination.RefusedError{Err: err}
	case e.ExitCode() == TemporaryFailure:
		return &destination.TransientError{Err: fmt.Errorf("the command exited with %d, a temporary failure", TemporaryFailure)}
	case e.ExitCode() < 0:
		return &destination.RefusedError{Err: fmt.Errorf("the command was ended by a signal: %v", e)}
	}
	return &destination.RefusedError{Err: fmt.Errorf("the command exited with %d", e.ExitCode())}
}
