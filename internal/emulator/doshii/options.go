package doshii

import (
	"cmp"
	"flag"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/doshii/wire"
	"github.com/hark-cli/hark/proto/frame"
)

// Options are what is not known of Doshii.
type Options struct {
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

// DefaultOptions returns the behavior that the documents suggest.
func DefaultOptions() Options {
	return Options{
		Idle:          wire.Idle,
		IdleClose:     frame.StatusNone,
		RefuseBy:      "status",
		UnknownDevice: 400,
		Pong:          "echo",
		Envelope:      "emit",
		ReplayPOS:     10 * time.Minute,
	}
}

func (o *Options) flags(f *flag.FlagSet) {
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
	return cmp.Or(
		emulator.CheckStatus("doshii-unknown-device", o.UnknownDevice),
		emulator.CheckCode("doshii-idle-close", o.IdleClose), emulator.CheckCode("doshii-malformed", o.Malformed),
		emulator.CheckChoice("doshii-refuse-by", o.RefuseBy, "status", "close"),
		emulator.CheckChoice("doshii-pong", o.Pong, "echo", "clock", "bare"),
		emulator.CheckChoice("doshii-envelope", o.Envelope, "emit", "type", "event"))
}
