package emulator

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/wire"
)

// Options say how the emulated services behave. Every field counts as it is, so
// start from DefaultOptions. A duration of 0 switches its matter off.
type Options struct {
	// Rate is how many events per second each service makes up; 0 is none. The
	// stream DemoStream, the application DemoApplication and the client
	// DoshiiClientID each get all of them.
	Rate float64
	// Seed chooses what is made up. The same seed makes the same events, except
	// for their times.
	Seed uint64
	// Faults happen to every connection, as FaultHeader has them; each entry
	// counts its connections by itself.
	Faults []string

	Octave OctaveOptions
	Drogue DrogueOptions
	Doshii DoshiiOptions
}

// OctaveOptions are what is not known of Octave.
type OctaveOptions struct {
	// RefusedStatus is the HTTP status for bad credentials; the ancestor of
	// Octave answers 400 to a session request. Default 403.
	RefusedStatus int
	// IgnoreUser: a restricted token is taken although X-Auth-User is there.
	IgnoreUser bool
	// NoRestrictedREST: the restricted token has no right to the REST interface.
	NoRestrictedREST bool
	// UnusedSession is how long a session id waits for its socket. Default 30 s;
	// 0 is for ever.
	UnusedSession time.Duration
	// Grace is how long a session outlives its socket, with what was published
	// meanwhile. Default 0: it does not.
	Grace time.Duration
	// UnknownSession is the HTTP status of an upgrade with an unknown session
	// id. Default 404.
	UnknownSession int
	// Idle is how long the client may be silent. Default 60 s; 0 is for ever.
	Idle time.Duration
	// IdleClose is the code of the close frame for that. Default 1001; 1006
	// drops the connection without one.
	IdleClose int
	// HeartbeatReply is sent for a heartbeat. Default nothing.
	HeartbeatReply string
	// NeedMsgID: requests without msgId get no acknowledgement.
	NeedMsgID bool
	// Strict refuses what no document promises: a second socket on a session and
	// other requests than subscribe, unsubscribe and heartbeat (close 1008).
	Strict bool
}

// DrogueOptions are the timers of Drogue Cloud, which its source fixes, and what
// depends on an installation.
type DrogueOptions struct {
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
	Issuer *DrogueIssuer
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

// A DrogueIssuer is an OpenID Connect provider outside the emulator.
type DrogueIssuer struct {
	// URL is what the discovery document names.
	URL string
	// Verify checks an access token. It returns whose it is (a user name such as
	// DrogueUser) and when it expires.
	Verify func(token string) (user string, expires time.Time, err error)
}

// DoshiiOptions are what is not known of Doshii.
type DoshiiOptions struct {
	// Idle is how long the client may be silent. Default 35 s; 0 is for ever.
	Idle time.Duration
	// IdleClose is the code of the close frame for that. Default 1005, an empty
	// close frame; 1006 drops the connection without one.
	IdleClose int
	// FirstPing is how soon the first heartbeat must come. Default 0: it need
	// not.
	FirstPing time.Duration
	// RefuseBy is how bad credentials are refused: "status" (the default: 401)
	// or "close" (the upgrade succeeds and a close frame with 1008 follows).
	RefuseBy string
	// UnknownDevice is the HTTP status for an unknown deviceId. Default 400.
	UnknownDevice int
	// LenientAuth takes auth also in URL-safe or unpadded base64.
	LenientAuth bool
	// Pong is what a pong carries: "echo" (the default: the number of the ping),
	// "clock" (the emulator's time) or "bare" (the number, without a version).
	Pong string
	// Envelope of events: "emit" (the default), "type", "event".
	Envelope string
	// ServerPing is how often the server pings an app. Default 0: never.
	ServerPing time.Duration
	// HealthCheck is how often the server checks a point of sale. Default 0:
	// never.
	HealthCheck time.Duration
	// ReplayPOS is how long events are kept for a point of sale that is gone, to
	// be sent when it comes back. Default 10 min, as documented for venues.
	ReplayPOS time.Duration
	// ReplayApp is the same for apps. Default 0: nothing is kept.
	ReplayApp time.Duration
	// Malformed is the code of the close frame for a message that is not JSON.
	// Default 0: such messages are ignored.
	Malformed int
}

// DefaultOptions returns the behaviour that the documents suggest.
func DefaultOptions() Options {
	return Options{
		Rate: 2,
		Octave: OctaveOptions{
			RefusedStatus:  403,
			UnusedSession:  30 * time.Second,
			UnknownSession: 404,
			Idle:           wire.OctaveIdle,
			IdleClose:      frame.StatusGoingAway,
		},
		Drogue: DrogueOptions{
			Ping:           wire.DroguePing,
			Timeout:        wire.DrogueTimeout,
			AuthCheck:      wire.DrogueAuthCheck,
			TokenLifetime:  24 * time.Hour,
			Partitions:     3,
			Retention:      10_000,
			IssuedLifetime: 5 * time.Minute,
			Commit:         5 * time.Second,
		},
		Doshii: DoshiiOptions{
			Idle:          wire.DoshiiIdle,
			IdleClose:     frame.StatusNone,
			RefuseBy:      "status",
			UnknownDevice: 400,
			Pong:          "echo",
			Envelope:      "emit",
			ReplayPOS:     10 * time.Minute,
		},
	}
}

// Flags returns the options of the services as flags, each with its usage and,
// as default, the value that it has in o; setting a flag sets the option. Names
// begin with the service. Rate, Seed and Faults are not among them.
func (o *Options) Flags() *flag.FlagSet {
	f := flag.NewFlagSet("", flag.ContinueOnError)
	for _, k := range kinds() {
		k.flags(o, f)
	}
	return f
}

func (o *OctaveOptions) flags(f *flag.FlagSet) {
	f.IntVar(&o.RefusedStatus, "octave-refused-status", o.RefusedStatus, "refuse bad credentials of a session with HTTP status `N`")
	f.BoolVar(&o.IgnoreUser, "octave-ignore-user", o.IgnoreUser, "take a restricted token although there is a user")
	f.BoolVar(&o.NoRestrictedREST, "octave-no-restricted-rest", o.NoRestrictedREST, "let the restricted token not use the REST interface")
	f.DurationVar(&o.UnusedSession, "octave-unused-session", o.UnusedSession, "a session without a socket ends after `DURATION`; 0 is never")
	f.DurationVar(&o.Grace, "octave-grace", o.Grace, "a session outlives its socket by `DURATION`")
	f.IntVar(&o.UnknownSession, "octave-unknown-session", o.UnknownSession, "refuse an unknown session with HTTP status `N`")
	f.DurationVar(&o.Idle, "octave-idle", o.Idle, "end a connection whose client is silent for `DURATION`; 0 is never")
	f.IntVar(&o.IdleClose, "octave-idle-close", o.IdleClose, "close it with status code `N`; 1006 sends no close frame")
	f.StringVar(&o.HeartbeatReply, "octave-heartbeat-reply", o.HeartbeatReply, "answer heartbeats with `TEXT`; empty is no answer")
	f.BoolVar(&o.NeedMsgID, "octave-need-msgid", o.NeedMsgID, "acknowledge no request without a msgId")
	f.BoolVar(&o.Strict, "octave-strict", o.Strict, "refuse what no document promises")
}

func (o *DrogueOptions) flags(f *flag.FlagSet) {
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

func (o *DoshiiOptions) flags(f *flag.FlagSet) {
	f.DurationVar(&o.Idle, "doshii-idle", o.Idle, "end a connection whose client is silent for `DURATION`; 0 is never. The real limit is not published")
	f.IntVar(&o.IdleClose, "doshii-idle-close", o.IdleClose, "close it with status code `N`; 1005 is an empty close frame, 1006 none")
	f.DurationVar(&o.FirstPing, "doshii-first-ping", o.FirstPing, "the first heartbeat must come within `DURATION`; 0 is never")
	f.StringVar(&o.RefuseBy, "doshii-refuse-by", o.RefuseBy, "refuse bad credentials by HTTP `status` or by close")
	f.IntVar(&o.UnknownDevice, "doshii-unknown-device", o.UnknownDevice, "refuse an unknown device with HTTP status `N`")
	f.BoolVar(&o.LenientAuth, "doshii-lenient-auth", o.LenientAuth, "take auth in URL-safe or unpadded base64 too")
	f.StringVar(&o.Pong, "doshii-pong", o.Pong, "`STYLE` of pongs: echo, clock or bare")
	f.StringVar(&o.Envelope, "doshii-envelope", o.Envelope, "`STYLE` of events: emit, type or event")
	f.DurationVar(&o.ServerPing, "doshii-server-ping", o.ServerPing, "ping apps every `DURATION`; 0 is never")
	f.DurationVar(&o.HealthCheck, "doshii-health-check", o.HealthCheck, "check points of sale every `DURATION`; 0 is never")
	f.DurationVar(&o.ReplayPOS, "doshii-replay-pos", o.ReplayPOS, "keep events for a point of sale that is gone for `DURATION`")
	f.DurationVar(&o.ReplayApp, "doshii-replay-app", o.ReplayApp, "keep events for an app that is gone for `DURATION`")
	f.IntVar(&o.Malformed, "doshii-malformed", o.Malformed, "close with status code `N` for a message that is not JSON; 0 ignores it")
}

// check looks for options that cannot be meant.
func (o *Options) check() error {
	if !(o.Rate >= 0 && o.Rate <= 1e9) {
		return fmt.Errorf("rate %v is no number of events per second", o.Rate)
	}
	for _, s := range []struct {
		name   string
		status int
	}{
		{"octave-refused-status", o.Octave.RefusedStatus}, {"octave-unknown-session", o.Octave.UnknownSession},
		{"doshii-unknown-device", o.Doshii.UnknownDevice},
	} {
		if s.status < 400 || s.status > 599 {
			return fmt.Errorf("%s: %d is no HTTP status from 400 to 599", s.name, s.status)
		}
	}
	for _, c := range []struct {
		name string
		code int
	}{
		{"octave-idle-close", o.Octave.IdleClose}, {"doshii-idle-close", o.Doshii.IdleClose},
		{"doshii-malformed", o.Doshii.Malformed},
	} {
		if c.code < 0 || c.code > 65535 {
			return fmt.Errorf("%s: %d is no status code of a close frame", c.name, c.code)
		}
	}
	for _, s := range []struct {
		name, value string
		styles      []string
	}{
		{"doshii-refuse-by", o.Doshii.RefuseBy, []string{"status", "close"}},
		{"doshii-pong", o.Doshii.Pong, []string{"echo", "clock", "bare"}},
		{"doshii-envelope", o.Doshii.Envelope, []string{"emit", "type", "event"}},
	} {
		if !slices.Contains(s.styles, s.value) {
			return fmt.Errorf("%s: %q is none of %s", s.name, s.value, strings.Join(s.styles, ", "))
		}
	}
	return nil
}
