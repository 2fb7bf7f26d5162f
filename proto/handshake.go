package proto

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/internal/wsconn"
)

// credentialHeaders carry credentials whatever the service.
var credentialHeaders = []string{"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"}

// handshakeRecord returns the record of the opening handshake x, without the
// credentials of hs.
func handshakeRecord(begun time.Time, hs *Handshake, x *wsconn.Exchange) FrameRecord {
	var r secret.Redactor
	r.Add(hs.Secrets...)
	h := &HandshakeRecord{URL: hs.Address, Header: withheld(x.Asked, hs.Withheld, &r)}
	if x.Answer != nil {
		h.Status = x.Answer.StatusCode
		h.ResponseHeader = withheld(x.Answer.Header, nil, &r)
		h.Body = r.String(Excerpt(x.Body))
	}
	return FrameRecord{Time: begun, Direction: Out, Handshake: h}
}

// withheld returns a copy of h without credentials, and without the values of the
// headers of those names.
func withheld(h http.Header, names []string, r *secret.Redactor) http.Header {
	h = h.Clone()
	for name, values := range h {
		for i, v := range values {
			if slices.Contains(credentialHeaders, http.CanonicalHeaderKey(name)) || slices.Contains(names, http.CanonicalHeaderKey(name)) {
				v = secret.Mask
			}
			values[i] = r.String(v)
		}
	}
	return h
}

// A TokenSource returns a credential each time one is needed. It may block, on a
// command or the network, until ctx is done.
type TokenSource func(ctx context.Context) (secret.Value, error)

// Ask returns the credential; its error has the stage and the address. A nil source
// returns "".
func (s TokenSource) Ask(ctx context.Context, address string) (secret.Value, error) {
	if s == nil {
		return "", nil
	}
	v, err := s(ctx)
	if err != nil {
		return "", &HandshakeError{Stage: StageToken, Address: address, Err: err}
	}
	return v, nil
}

// A patience is a running --connect-timeout.
type patience struct {
	limit time.Duration
	timer *time.Timer
}

type patienceKey struct{}

// WithConnectTimeout returns a context that is canceled after limit, with a
// *ConnectTimeoutError as its cause. HoldConnectTimeout suspends the time limit. If
// limit is 0, there is none.
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

// HoldConnectTimeout suspends the time limit for work that is not part of connecting,
// such as a command that asks the user to unlock a credential. The full limit starts
// again when resume is called.
func HoldConnectTimeout(ctx context.Context) (resume func()) {
	p, ok := ctx.Value(patienceKey{}).(*patience)
	if !ok || !p.timer.Stop() {
		return func() {}
	}
	return func() { p.timer.Reset(p.limit) }
}
