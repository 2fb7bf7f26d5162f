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

// ReadNamed returns the content of a file that a flag names, of at most limit bytes. as
// is the flag, for messages. A signal and --max-time end the wait for it.
func (p *Program) ReadNamed(ctx context.Context, as, path string, limit int) ([]byte, error) {
	ctx, stop := p.Limited(ctx, "content of "+path)
	defer stop()
	b, err := bounded.File(ctx, path, limit)
	if err != nil {
		return nil, Mistake(err, cmdline.FlagErrorf(as, ": %v", err))
	}
	return b, nil
}

// Limited ends ctx after --max-time, if there is one; what names what is awaited.
func (p *Program) Limited(ctx context.Context, what string) (limited context.Context, stop func()) {
	if p.MaxTime <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, p.MaxTime, &proto.TimeoutError{What: what, Limit: p.MaxTime})
}

// Mistake returns u, the usage error for err, which is about what the user
// has named; but when a signal or a time limit ended the command meanwhile, that is no
// mistake of the user, and keeps its own exit code.
func Mistake(err error, u *cmdline.UsageError) error {
	if already, ok := errors.AsType[*cmdline.UsageError](err); ok {
		return already
	}
	if Interrupts(err) {
		return CredentialFailure(err)
	}
	return u
}

// Interrupts reports whether err is that a signal or a time limit ended the command.
func Interrupts(err error) bool {
	return ending.Is[*process.SignalError](err) || ending.Is[*proto.TimeoutError](err) || ending.Is[*proto.Failure](err) ||
		errors.Is(err, ending.ErrMaxTime) || errors.Is(err, context.Canceled)
}

// MaxTimeOf is the value of --max-time, 0 for none. A mistake in it is reported where the
// flag is read.
func MaxTimeOf(line *cmdline.Line) time.Duration {
	d, _ := cmdline.ParseDuration(line.Value("max-time"))
	return d
}
