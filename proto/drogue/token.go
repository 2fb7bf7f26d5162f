package drogue

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/secret"
)

// claims returns the exp claim of a JSON Web Token (RFC 7519, section 4.1.4), and its
// lifetime since iat (section 4.1.6), or 0, without checking anything else; false if v
// is not such a token or has no exp.
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

// lasts returns when a token that was valid at now expires by the local clock, which
// may differ from that of the issuer: no token is valid longer than its lifetime, and
// one that the server has accepted has not expired, whatever the local clock shows.
func lasts(now, exp time.Time, life time.Duration) time.Time {
	if life > 0 && (!exp.After(now) || exp.After(now.Add(life))) {
		return now.Add(life)
	}
	return exp
}
