package emulator

import (
	"flag"
	"fmt"
	"slices"
	"strings"
)

// Flags returns the options of the services as flags, each with its usage and,
// as default, the value that it has in o; setting a flag sets the option. Names
// begin with the service. Rate, Seed and Faults are not among them.
func (o *Options) Flags() *flag.FlagSet {
	f := flag.NewFlagSet("", flag.ContinueOnError)
	o.Octave.flags(f)
	o.Drogue.flags(f)
	o.Doshii.flags(f)
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
