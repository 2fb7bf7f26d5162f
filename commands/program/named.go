package program

import (
	"context"
	"errors"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/proto"
)

// ReadNamed returns the content of a file given by a flag, of at most limit bytes. as
// is the flag, for messages. A signal and --max-time end a blocked read.
func (p *Program) ReadNamed(ctx context.Context, as, path string, limit int) ([]byte, error) {
	ctx, stop := p.Limited(ctx, "content of "+path)
	defer stop()
	b, err := bounded.File(ctx, path, limit)
	if err != nil {
		return nil, Mistake(err, cmdline.FlagErrorf(as, ": %v", err))
	}
	return b, nil
}

// Limited returns a context that is canceled after --max-time, if set; what describes
// the operation for the error.
func (p *Program) Limited(ctx context.Context, what string) (limited context.Context, stop func()) {
	if p.MaxTime <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, p.MaxTime, &proto.TimeoutError{What: what, Limit: p.MaxTime})
}

// Mistake returns u, the usage error for err; but if a signal or a time limit has ended
// the command, it returns err, which has its own exit code.
func Mistake(err error, u *cmdline.UsageError) error {
	if already, ok := errors.AsType[*cmdline.UsageError](err); ok {
		return already
	}
	if Interrupts(err) {
		return CredentialFailure(err)
	}
	return u
}

// Interrupts reports whether err means that a signal or a time limit ended the command.
func Interrupts(err error) bool {
	return ending.Is[*process.SignalError](err) || ending.Is[*proto.TimeoutError](err) || ending.Is[*proto.Failure](err) ||
		errors.Is(err, ending.ErrMaxTime) || errors.Is(err, context.Canceled)
}

// MaxTimeOf returns the value of --max-time, 0 for none. An error in it is reported
// when the flag is checked.
func MaxTimeOf(line *cmdline.Line) time.Duration {
	d, _ := cmdline.ParseDuration(line.Value("max-time"))
	return d
}
