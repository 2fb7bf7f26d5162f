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
	parts := strings.Split(v.Reveal(), ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if json.Unmarshal(b, &claims) != nil || claims.Exp <= 0 || claims.Exp > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(claims.Exp), 0), true
}
