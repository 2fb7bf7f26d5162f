package emulator

import (
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
