package octave

import (
	"cmp"
	"flag"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/octave/wire"
)

// Options configure behavior that Octave does not document.
type Options struct {
	// RefusedStatus is the HTTP status for invalid credentials; the predecessor of
	// Octave responds with 400 to a session request. Default 403.
	RefusedStatus int
	// IgnoreUser: a restricted token is accepted even with X-Auth-User.
	IgnoreUser bool
	// NoRestrictedREST: the REST interface does not accept the restricted token.
	NoRestrictedREST bool
	// UnusedSession is how long a session without a socket is valid. Default 30 s;
	// 0 for no limit.
	UnusedSession time.Duration
	// Grace is how long a session and the events published meanwhile are kept after its
	// socket is closed. Default 0: not at all.
	Grace time.Duration
	// UnknownSession is the HTTP status of an upgrade with an unknown session
	// id. Default 404.
	UnknownSession int
	// Idle is how long the client may be silent. Default 60 s; 0 for no limit.
	Idle time.Duration
	// IdleClose is the code of the close frame for that. Default 1001; 1006
	// drops the connection without one.
	IdleClose int
	// HeartbeatReply is sent in reply to a heartbeat. Default "": no reply.
	HeartbeatReply string
	// NeedMsgID: requests without msgId get no acknowledgment.
	NeedMsgID bool
	// Strict refuses what no document describes: a second socket for a session, and
	// requests other than subscribe, unsubscribe and heartbeat (close 1008).
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
	f.IntVar(&o.RefusedStatus, "octave-refused-status", o.RefusedStatus, "refuse invalid credentials for a session with HTTP status `N`")
	f.BoolVar(&o.IgnoreUser, "octave-ignore-user", o.IgnoreUser, "accept a restricted token even with a user")
	f.BoolVar(&o.NoRestrictedREST, "octave-no-restricted-rest", o.NoRestrictedREST, "do not accept the restricted token at the REST interface")
	f.DurationVar(&o.UnusedSession, "octave-unused-session", o.UnusedSession, "expire a session without a socket after `DURATION`; 0 for never")
	f.DurationVar(&o.Grace, "octave-grace", o.Grace, "keep a session for `DURATION` after its socket is closed")
	f.IntVar(&o.UnknownSession, "octave-unknown-session", o.UnknownSession, "refuse an unknown session with HTTP status `N`")
	f.DurationVar(&o.Idle, "octave-idle", o.Idle, "close connections whose client sends nothing for `DURATION`; 0 for never")
	f.IntVar(&o.IdleClose, "octave-idle-close", o.IdleClose, "status code `N` for closing idle connections; 1006 for no close frame")
	f.StringVar(&o.HeartbeatReply, "octave-heartbeat-reply", o.HeartbeatReply, "reply to heartbeats with `TEXT`; empty for no reply")
	f.BoolVar(&o.NeedMsgID, "octave-need-msgid", o.NeedMsgID, "do not acknowledge requests without a msgId")
	f.BoolVar(&o.Strict, "octave-strict", o.Strict, "refuse undocumented requests")
}

// check returns an error for an invalid option.
func (o *Options) check() error {
	return cmp.Or(
		emulator.CheckStatus("octave-refused-status", o.RefusedStatus), emulator.CheckStatus("octave-unknown-session", o.UnknownSession),
		emulator.CheckCode("octave-idle-close", o.IdleClose))
}
