package drogue

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	_ "embed" // for the key
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/drogue/wire"
)

// demoKey signs the tokens of every emulator. It is public and protects nothing; a
// fixed key saves the time to generate one and makes runs repeatable.
//
//go:embed demo-key.der
var demoKey []byte

// keyID is the id of the key in tokens and in the key set.
const keyID = "hark-emulator"

// An issuer signs and checks JSON Web Tokens (RFC 7519) with RS256.
type issuer struct{ key *rsa.PrivateKey }

func newIssuer() (*issuer, error) {
	key, err := x509.ParsePKCS1PrivateKey(demoKey)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	return &issuer{key}, nil
}

// claims are the relevant claims of an access token of Keycloak.
type claims struct {
	Issuer         string               `json:"iss"`
	Audience       audience             `json:"aud"`
	Subject        string               `json:"sub"`
	Type           string               `json:"typ,omitempty"`
	Party          string               `json:"azp"`
	Scope          string               `json:"scope,omitempty"`
	Username       string               `json:"preferred_username,omitempty"`
	Nonce          string               `json:"nonce,omitempty"`
	IssuedAt       int64                `json:"iat"`
	Expires        int64                `json:"exp"`
	ResourceAccess map[string]userRoles `json:"resource_access,omitempty"`
}

type userRoles struct {
	Roles []string `json:"roles"`
}

// audience is a string or a list of them (RFC 7519, section 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*a = make(audience, 1)
		return json.Unmarshal(b, &(*a)[0])
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// sign returns a token with the claims.
func (i *issuer) sign(c any) (string, error) {
	enc := base64.RawURLEncoding
	head := enc.EncodeToString(emulator.MustJSON(map[string]string{"alg": "RS256", "typ": "JWT", "kid": keyID}))
	text := head + "." + enc.EncodeToString(emulator.MustJSON(c))
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(nil, i.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("signing a token: %w", err)
	}
	return text + "." + enc.EncodeToString(sig), nil
}

// verify checks the format and signature of a token and returns its claims.
func (i *issuer) verify(token string, c any) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return errors.New("token has not three parts")
	}
	var raw [3][]byte
	for n, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			return fmt.Errorf("token: %w", err)
		}
		raw[n] = b
	}
	var head struct {
		Algorithm string `json:"alg"`
	}
	if err := json.Unmarshal(raw[0], &head); err != nil {
		return fmt.Errorf("token header: %w", err)
	}
	if head.Algorithm != "RS256" {
		return fmt.Errorf("token is signed with %q", head.Algorithm)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&i.key.PublicKey, crypto.SHA256, sum[:], raw[2]); err != nil {
		return fmt.Errorf("token: %w", err)
	}
	if err := json.Unmarshal(raw[1], c); err != nil {
		return fmt.Errorf("token claims: %w", err)
	}
	return nil
}

// clients are the OAuth clients whose tokens are accepted.
func clients() []string { return []string{wire.ClientID, ServiceClient} }

// validate applies the rules for access tokens (drogue-bazaar,
// src/auth/openid/validate.rs): the client that a token was issued for must be
// known and in its audience, the issuer ours, and the expiry in the future, with
// no leeway.
func (c *claims) validate(now time.Time) error {
	switch {
	case !slices.Contains(clients(), c.Party):
		return fmt.Errorf("unknown client %q", c.Party)
	case !strings.HasSuffix(c.Issuer, realmPath):
		return fmt.Errorf("unknown issuer %q", c.Issuer)
	case !slices.Contains(c.Audience, c.Party):
		return errors.New("the client is not in the audience")
	case now.Unix() >= c.Expires:
		return errors.New("token has expired")
	}
	return nil
}
