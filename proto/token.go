package proto

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/secret"
)

// A TokenSource gives a credential each time that one is needed. It may block,
// on a command or a network, until ctx ends.
type TokenSource func(ctx context.Context) (secret.Value, error)

// StaticToken is the source of a credential that does not change.
func StaticToken(v secret.Value) TokenSource {
	return func(context.Context) (secret.Value, error) { return v, nil }
}

// token asks src, which may be nil, and names the stage in its error.
func token(ctx context.Context, src TokenSource, address string) (secret.Value, error) {
	if src == nil {
		return "", nil
	}
	v, err := src(ctx)
	if err != nil {
		return "", &HandshakeError{Stage: StageToken, Address: address, Err: err}
	}
	return v, nil
}

// expiry reads the exp claim of a JSON Web Token (RFC 7519, section 4.1.4)
// without checking anything else; false when v is no such token or has no exp.
func expiry(v secret.Value) (time.Time, bool) {
	exp, _, ok := claims(v)
	return exp, ok
}

// claims is expiry with the life that the token had when it was issued (iat, section
// 4.1.6), or 0.
func claims(v secret.Value) (exp time.Time, life time.Duration, ok bool) {
	parts := strings.Split(v.Reveal(), ".")
	if len(parts) != 3 {
		return time.Time{}, 0, false
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, 0, false
	}
	var c struct {
		Exp float64         `json:"exp"`
		Iat json.RawMessage `json:"iat"`
	}
	if json.Unmarshal(b, &c) != nil || c.Exp <= 0 || c.Exp > 1<<40 {
		return time.Time{}, 0, false
	}
	exp = time.Unix(int64(c.Exp), 0)
	var iat float64
	if json.Unmarshal(c.Iat, &iat) == nil && iat > 0 && iat < c.Exp {
		life = exp.Sub(time.Unix(int64(iat), 0))
	}
	return exp, life, true
}

// lasts returns when a token that was good at now expires by the clock of this machine,
// which may differ from that of the issuer: no token lasts longer than when it was
// issued, and one that is taken has not expired, whatever our clock says.
func lasts(now, exp time.Time, life time.Duration) time.Time {
	if life > 0 && (!exp.After(now) || exp.After(now.Add(life))) {
		return now.Add(life)
	}
	return exp
}
