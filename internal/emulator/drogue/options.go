package drogue

import (
	"flag"
	"time"

	"github.com/hark-cli/hark/proto/drogue/wire"
)

// Options configure the timers of Drogue Cloud, which are constants in its source,
// and what depends on an installation.
type Options struct {
	Ping      time.Duration // default 5 s
	Timeout   time.Duration // default 10 s
	AuthCheck time.Duration // default 90 s
	// TokenLifetime is how long the token that Environ prints is valid. Default
	// 24 h; real installations issue tokens for 5 minutes.
	TokenLifetime time.Duration
	// Partitions of each application's topic. Default 3.
	Partitions int
	// Retention is how many events a partition keeps for groups that reconnect.
	// Default 10000.
	Retention int
	// AssignDelay is how long a consumer waits for its partitions after the
	// upgrade or a change in its group. Default 0.
	AssignDelay time.Duration
	// Commit is how often offsets are committed. Default 5 s.
	Commit time.Duration
	// NoAccessTokens: the installation does not accept access tokens.
	NoAccessTokens bool
	// Issuer replaces the emulator's own OpenID Connect issuer. Default nil. It has no
	// flag.
	Issuer *Issuer
	// NoDiscovery: the public discovery document omits the WebSocket integration, as
	// before 0.10.
	NoDiscovery bool
	// IssuedLifetime is how long the access tokens of the issuer are valid.
	// Default 5 min, as in Keycloak.
	IssuedLifetime time.Duration
	// KeepRefreshTokens: a refresh token can be used again. By default each use
	// returns a new one and invalidates the old one.
	KeepRefreshTokens bool
	// DeviceFlow: the issuer supports the device authorization grant. Default false, as
	// in the usual setup.
	DeviceFlow bool
}

// An Issuer is an OpenID Connect provider outside the emulator.
type Issuer struct {
	// URL is the address in the discovery document.
	URL string
	// Verify checks an access token. It returns its user, such as DrogueUser,
	// and when it expires.
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
	f.DurationVar(&o.Ping, "drogue-ping", o.Ping, "send a ping to clients every `DURATION`")
	f.DurationVar(&o.Timeout, "drogue-timeout", o.Timeout, "close connections that receive no ping or pong for `DURATION`")
	f.DurationVar(&o.AuthCheck, "drogue-auth-check", o.AuthCheck, "check every `DURATION` whether a token has expired")
	f.DurationVar(&o.TokenLifetime, "drogue-token-lifetime", o.TokenLifetime, "lifetime `DURATION` of the token in the printed environment")
	f.IntVar(&o.Partitions, "drogue-partitions", o.Partitions, "number `N` of partitions of an application's topic")
	f.IntVar(&o.Retention, "drogue-retention", o.Retention, "keep about `N` events per partition")
	f.DurationVar(&o.AssignDelay, "drogue-assign-delay", o.AssignDelay, "assign partitions to consumers after `DURATION`")
	f.DurationVar(&o.Commit, "drogue-commit", o.Commit, "commit offsets every `DURATION`")
	f.BoolVar(&o.NoAccessTokens, "drogue-no-access-tokens", o.NoAccessTokens, "do not accept access tokens")
	f.BoolVar(&o.NoDiscovery, "drogue-no-discovery", o.NoDiscovery, "publish the address of the socket at /info only, as before 0.10")
	f.DurationVar(&o.IssuedLifetime, "drogue-issued-lifetime", o.IssuedLifetime, "lifetime `DURATION` of the tokens that the issuer issues")
	f.BoolVar(&o.KeepRefreshTokens, "drogue-keep-refresh-tokens", o.KeepRefreshTokens, "accept refresh tokens more than once")
	f.BoolVar(&o.DeviceFlow, "drogue-device-flow", o.DeviceFlow, "enable the device authorization grant of the issuer")
}
