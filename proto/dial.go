package proto

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// dial makes the opening handshake of hs. The returned link has no goroutines
// yet. ctx bounds the handshake only.
func dial(ctx context.Context, hs *Handshake, o *Options) (*link, error) {
	t := &tapper{base: o.transport()}
	if o.Trace.Frame != nil {
		begun := time.Now()
		defer func() { o.Trace.frame(handshakeRecord(begun, hs, t)) }()
	}
	ws, _, err := websocket.Dial(ctx, hs.URL, &websocket.DialOptions{
		HTTPClient: &http.Client{
			Transport: t,
			// Redirects are not followed: a secret header would go along.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		HTTPHeader:   hs.Header,
		Subprotocols: hs.Subprotocols,
		OnPingReceived: func(ctx context.Context, p []byte) bool {
			t.tap.onPing(p)
			return true
		},
		OnPongReceived: func(ctx context.Context, p []byte) { t.tap.onPong(p) },
	})
	if err == nil {
		ws.SetReadLimit(o.MaxMessageSize)
		return newLink(ws, t.tap, o), nil
	}
	if t.tap != nil {
		t.tap.Close()
		return nil, &HandshakeError{Stage: StageUpgrade, Address: hs.Address, Err: &ProtocolError{reason(err)}}
	}
	if t.answer != nil {
		return nil, &HandshakeError{
			Stage:      StageUpgrade,
			Address:    hs.Address,
			Status:     t.answer.StatusCode,
			Body:       excerpt(t.body),
			RetryAfter: retryAfter(t.answer.Header, time.Now()),
		}
	}
	return nil, &HandshakeError{Stage: stageOf(err), Address: hs.Address, Err: bare(ctx, err)}
}

// reason is the innermost error: what the library wraps around it repeats the
// address of the request.
func reason(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// httpError turns a failed request of a service's own handshake into a
// HandshakeError.
func httpError(ctx context.Context, stage Stage, address string, err error) error {
	if s := stageOf(err); s != StageUpgrade {
		stage = s
	}
	return &HandshakeError{Stage: stage, Address: address, Err: bare(ctx, err)}
}
