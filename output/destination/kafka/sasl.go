package kafka

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Mechanisms are the names of SASL mechanisms, as a SASL takes them.
var Mechanisms = []string{"plain", "scram-sha-256", "scram-sha-512", "oauthbearer"}

// A SASL authenticates connections to brokers.
type SASL struct {
	// Mechanism is one of Mechanisms, in any case.
	Mechanism string
	// User returns user and password, for each connection.
	User func(ctx context.Context) (user, password string, err error)
	// Token returns the token, for each connection with oauthbearer.
	Token func(ctx context.Context) (string, error)
}

func (s *SASL) mechanism() (sasl.Mechanism, error) {
	name := strings.ToLower(s.Mechanism)
	switch {
	case name == "oauthbearer" && s.Token == nil:
		return nil, fmt.Errorf("%s requires a token", name)
	case name != "oauthbearer" && s.User == nil:
		return nil, fmt.Errorf("%s requires a user and a password", name)
	}
	pair := func(ctx context.Context) (scram.Auth, error) {
		user, password, err := s.User(ctx)
		return scram.Auth{User: user, Pass: password}, err
	}
	switch name {
	case "plain":
		return plain.Plain(func(ctx context.Context) (plain.Auth, error) {
			user, password, err := s.User(ctx)
			return plain.Auth{User: user, Pass: password}, err
		}), nil
	case "scram-sha-256":
		return scram.Sha256(pair), nil
	case "scram-sha-512":
		return scram.Sha512(pair), nil
	case "oauthbearer":
		return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			token, err := s.Token(ctx)
			return oauth.Auth{Token: token}, err
		}), nil
	}
	return nil, fmt.Errorf("unknown mechanism %q: expected one of %s", s.Mechanism, strings.Join(Mechanisms, ", "))
}
