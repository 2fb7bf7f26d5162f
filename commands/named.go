package commands

import (
	"context"
	"errors"
	"time"

	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/proto"
)

// readNamed returns the content of a file that a flag names, of at most limit bytes. as
// is the flag, for messages. A signal and --max-time end the wait for it.
func (p *program) readNamed(ctx context.Context, as, path string, limit int) ([]byte, error) {
	ctx, stop := p.limited(ctx, "content of "+path)
	defer stop()
	b, err := bounded.File(ctx, path, limit)
	if err != nil {
		return nil, mistake(err, cmdline.FlagErrorf(as, ": %v", err))
	}
	return b, nil
}

// limited ends ctx after --max-time, if there is one; what names what is awaited.
func (p *program) limited(ctx context.Context, what string) (limited context.Context, stop func()) {
	if p.maxTime <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, p.maxTime, &proto.OverdueError{What: what, Limit: p.maxTime})
}

// mistake returns u, the usage error for err, which is about what the user
// has named; but when a signal or a time limit ended the command meanwhile, that is no
// mistake of the user, and keeps its own exit code.
func mistake(err error, u *cmdline.UsageError) error {
	if already, ok := errors.AsType[*cmdline.UsageError](err); ok {
		return already
	}
	if interrupts(err) {
		return credentialFailure(err)
	}
	return u
}

// interrupts reports whether err is that a signal or a time limit ended the command.
func interrupts(err error) bool {
	return is[*signalError](err) || is[*proto.OverdueError](err) || is[*proto.Failure](err) ||
		errors.Is(err, errMaxTime) || errors.Is(err, context.Canceled)
}

// maxTime is the value of --max-time, 0 for none. A mistake in it is reported where the
// flag is read.
func maxTime(line *cmdline.Line) time.Duration {
	d, _ := cmdline.ParseDuration(line.Value("max-time"))
	return d
}
