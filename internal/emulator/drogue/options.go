package drogue

import (
	"flag"
	"time"

	"github.com/hark-cli/hark/proto/drogue/wire"
)

// Options are the timers of Drogue Cloud, which its source fixes, and what
// depends on an installation.
type Options struct {
	Ping      time.Duration // default 5 s
	Timeout   time.Duration // default 10 s
	AuthCheck time.Duration // default 90 s
	// TokenLifetime is how long the token that Environ prints is valid. Default
	// 24 h; real installations issue tokens for 5 minutes.
	TokenLifetime time.Duration
	// Partitions of each application's topic. Default 3.
	Partitions int
	// Retention is how many events a partition keeps for groups that come back.
	// Default 10000.
	Retention int
	// AssignDelay is how long a consumer waits for its partitions after the
	// upgrade or a change in its group. Default 0.
	AssignDelay time.Duration
	// Commit is how often offsets are committed. Default 5 s.
	Commit time.Duration
	// NoAccessTokens: the installation takes no access tokens.
	NoAccessTokens bool
	// Issuer takes the place of the emulator's own OpenID Connect issuer. Default
	// nil. It has no flag.
	Issuer *Issuer
	// NoDiscovery: the public discovery document leaves the WebSocket
	// integration out, as before 0.10.
	NoDiscovery bool
	// IssuedLifetime is how long the access tokens of the issuer are valid.
	// Default 5 min, as Keycloak has it.
	IssuedLifetime time.Duration
	// KeepRefreshTokens: a refresh token can be used again. By default each use
	// gives a new one and ends the old one.
	KeepRefreshTokens bool
	// DeviceFlow: the issuer has the device authorization grant. Default off, as
	// in the usual set-up.
	DeviceFlow bool
}

// A Issuer is an OpenID Connect provider outside the emulator.
type Issuer struct {
	// URL is what the discovery document names.
	URL string
	// Verify checks an access token. It returns whose it is (a user name such as
	// DrogueUser) and when it expires.
	Verify func(token string) (user string, expires time.Time, err error)
}

// DefaultOptions returns the behavior that the documents suggest.
func DefaultOptions() Options {
	return Options{
		Ping:           wire.Ping,
		Timeout:        wire.Timeout,
		AuthCheck:      wire.AuthCheck,
		TokenLifetime:  24 * time.Hour,
		Partitions:     3,
		Retention:      10_000,
		IssuedLifetime: 5 * time.Minute,
		Commit:         5 * time.Second,
	}
}

func (o *Options) flags(f *flag.FlagSet) {
	f.DurationVar(&o.Ping, "drogue-ping", o.Ping, "ping clients every `DURATION`")
	f.DurationVar(&o.Timeout, "drogue-timeout", o.Timeout, "end a connection without ping or pong for more than `DURATION`")
	f.DurationVar(&o.AuthCheck, "drogue-auth-check", o.AuthCheck, "look every `DURATION` whether a token has expired")
	f.DurationVar(&o.TokenLifetime, "drogue-token-lifetime", o.TokenLifetime, "the token in the printed environment is valid for `DURATION`")
	f.IntVar(&o.Partitions, "drogue-partitions", o.Partitions, "an application's topic has `N` partitions")
	f.IntVar(&o.Retention, "drogue-retention", o.Retention, "a partition keeps about `N` events")
	f.DurationVar(&o.AssignDelay, "drogue-assign-delay", o.AssignDelay, "consumers get their partitions after `DURATION`")
	f.DurationVar(&o.Commit, "drogue-commit", o.Commit, "offsets are committed every `DURATION`")
	f.BoolVar(&o.NoAccessTokens, "drogue-no-access-tokens", o.NoAccessTokens, "take no access tokens")
	f.BoolVar(&o.NoDiscovery, "drogue-no-discovery", o.NoDiscovery, "tell the socket's address only to /info, as before 0.10")
	f.DurationVar(&o.IssuedLifetime, "drogue-issued-lifetime", o.IssuedLifetime, "tokens of the issuer are valid for `DURATION`")
	f.BoolVar(&o.KeepRefreshTokens, "drogue-keep-refresh-tokens", o.KeepRefreshTokens, "let refresh tokens be used again")
	f.BoolVar(&o.DeviceFlow, "drogue-device-flow", o.DeviceFlow, "let the issuer have the device authorization grant")
}
