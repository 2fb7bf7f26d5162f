package octave

import (
	"cmp"
	"flag"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/octave/wire"
)

// Options are what is not known of Octave.
type Options struct {
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
	// NeedMsgID: requests without msgId get no acknowledgment.
	NeedMsgID bool
	// Strict refuses what no document promises: a second socket on a session and
	// other requests than subscribe, unsubscribe and heartbeat (close 1008).
	Strict bool
}

// DefaultOptions returns the behavior that the documents suggest.
func DefaultOptions() Options {
	return Options{
		RefusedStatus:  403,
		UnusedSession:  30 * time.Second,
		UnknownSession: 404,
		Idle:           wire.Idle,
		IdleClose:      frame.StatusGoingAway,
	}
}

func (o *Options) flags(f *flag.FlagSet) {
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
	f.BoolVar(&o.Strict, "octave-strict", o.Strict, "refuse what is not documented")
}

// check looks for options that cannot be meant.
func (o *Options) check() error {
	return cmp.Or(
		emulator.CheckStatus("octave-refused-status", o.RefusedStatus), emulator.CheckStatus("octave-unknown-session", o.UnknownSession),
		emulator.CheckCode("octave-idle-close", o.IdleClose))
}
