package proto

import (
	"context"
	"time"
)

// A patience is the time of --connect-timeout at work.
type patience struct {
	limit time.Duration
	timer *time.Timer
}

type patienceKey struct{}

// WithConnectTimeout returns a context that ends when limit is over, with a
// *ConnectTimeoutError as its cause; its Err is context.Canceled. While
// HoldConnectTimeout holds it, no time passes. With 0, there is no limit.
func WithConnectTimeout(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if limit == 0 {
		return ctx, func() { cancel(nil) }
	}
	p := &patience{limit, time.AfterFunc(limit, func() { cancel(&ConnectTimeoutError{limit}) })}
	return context.WithValue(ctx, patienceKey{}, p), func() {
		p.timer.Stop()
		cancel(nil)
	}
}

// HoldConnectTimeout is for what takes time but is no part of connecting: a command
// that asks the user's vault for a credential. The whole time begins anew when resume
// is called.
func HoldConnectTimeout(ctx context.Context) (resume func()) {
	p, ok := ctx.Value(patienceKey{}).(*patience)
	if !ok || !p.timer.Stop() {
		return func() {}
	}
	return func() { p.timer.Reset(p.limit) }
}
