package doshii

import (
	"cmp"
	"flag"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/doshii/wire"
	"github.com/hark-cli/hark/proto/frame"
)

// Options configure behavior that Doshii does not document.
type Options struct {
	// Idle is how long the client may be silent. Default 35 s; 0 for no limit.
	Idle time.Duration
	// IdleClose is the code of the close frame for that. Default 1005, an empty
	// close frame; 1006 drops the connection without one.
	IdleClose int
	// FirstPing is the time limit for the first heartbeat. Default 0: no limit.
	FirstPing time.Duration
	// RefuseBy is how invalid credentials are refused: "status" (the default: 401)
	// or "close" (the upgrade succeeds and a close frame with 1008 follows).
	RefuseBy string
	// UnknownDevice is the HTTP status for an unknown deviceId. Default 400.
	UnknownDevice int
	// LenientAuth also accepts auth in URL-safe or unpadded base64.
	LenientAuth bool
	// Pong is the content of a pong: "echo" (the default: the number of the ping),
	// "clock" (the emulator's time) or "bare" (the number, without a version).
	Pong string
	// Envelope of events: "emit" (the default), "type", "event".
	Envelope string
	// ServerPing is how often the server pings an app. Default 0: never.
	ServerPing time.Duration
	// HealthCheck is how often the server checks a point of sale. Default 0:
	// never.
	HealthCheck time.Duration
	// ReplayPOS is how long events are kept for a disconnected point of sale, to be
	// sent when it reconnects. Default 10 min, as documented for venues.
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
	f.DurationVar(&o.Idle, "doshii-idle", o.Idle, "close connections whose client sends nothing for `DURATION`; 0 for never. The limit of the service is not published")
	f.IntVar(&o.IdleClose, "doshii-idle-close", o.IdleClose, "status code `N` for closing idle connections; 1005 for an empty close frame, 1006 for none")
	f.DurationVar(&o.FirstPing, "doshii-first-ping", o.FirstPing, "require the first heartbeat within `DURATION`; 0 for no limit")
	f.StringVar(&o.RefuseBy, "doshii-refuse-by", o.RefuseBy, "refuse invalid credentials by `status` (HTTP 401) or by close (1008)")
	f.IntVar(&o.UnknownDevice, "doshii-unknown-device", o.UnknownDevice, "refuse an unknown device with HTTP status `N`")
	f.BoolVar(&o.LenientAuth, "doshii-lenient-auth", o.LenientAuth, "also accept auth in URL-safe or unpadded base64")
	f.StringVar(&o.Pong, "doshii-pong", o.Pong, "`STYLE` of pongs: echo (number of the ping), clock (current time) or bare (number without version)")
	f.StringVar(&o.Envelope, "doshii-envelope", o.Envelope, "`STYLE` of the JSON envelope of events: emit, type or event")
	f.DurationVar(&o.ServerPing, "doshii-server-ping", o.ServerPing, "send a ping to apps every `DURATION`; 0 for never")
	f.DurationVar(&o.HealthCheck, "doshii-health-check", o.HealthCheck, "send a health check to points of sale every `DURATION`; 0 for never")
	f.DurationVar(&o.ReplayPOS, "doshii-replay-pos", o.ReplayPOS, "keep events for a disconnected point of sale for `DURATION`")
	f.DurationVar(&o.ReplayApp, "doshii-replay-app", o.ReplayApp, "keep events for a disconnected app for `DURATION`")
	f.IntVar(&o.Malformed, "doshii-malformed", o.Malformed, "on a message that is not JSON, close with status code `N`; 0 to ignore it")
}

// check returns an error for an invalid option.
func (o *Options) check() error {
	return cmp.Or(
		emulator.CheckStatus("doshii-unknown-device", o.UnknownDevice),
		emulator.CheckCode("doshii-idle-close", o.IdleClose), emulator.CheckCode("doshii-malformed", o.Malformed),
		emulator.CheckChoice("doshii-refuse-by", o.RefuseBy, "status", "close"),
		emulator.CheckChoice("doshii-pong", o.Pong, "echo", "clock", "bare"),
		emulator.CheckChoice("doshii-envelope", o.Envelope, "emit", "type", "event"))
}
