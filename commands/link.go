package commands

import (
	"context"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/proto"
)

// linkFlags say how a connection is made and kept.
type linkFlags struct {
	connectTimeout time.Duration
	retries        int
	retryWindow    time.Duration
	pingInterval   time.Duration
	pingTimeout    time.Duration
	maxMessage     cmdline.Size
	maxFrame       cmdline.Size
	buffer         cmdline.Size
	overflow       overflow
	networkFlags
}

// newLinkFlags has the defaults of the engine.
func newLinkFlags() linkFlags {
	d := proto.DefaultOptions()
	return linkFlags{
		connectTimeout: d.ConnectTimeout,
		retries:        d.Retries, retryWindow: d.RetryWindow,
		pingInterval: d.PingInterval, pingTimeout: d.PingTimeout,
		maxMessage: cmdline.Size(d.MaxMessageSize), maxFrame: proto.DefaultMaxFrameSize, buffer: cmdline.Size(d.Buffer),
		networkFlags: newNetworkFlags(),
	}
}

func (f *linkFlags) flags() []*cmdline.Flag {
	return append([]*cmdline.Flag{
		{Name: "connect-timeout", Group: catLink, Value: cmdline.Duration(&f.connectTimeout),
			Usage: "give an attempt to connect `D`; a command that gives the credential has 30s of its own"},
		{Name: "retries", Essential: true, Group: catLink, Value: cmdline.Int(&f.retries),
			Usage: "try again at most `N` times within --retry-window"},
		{Name: "retry-window", Group: catLink, Value: cmdline.Duration(&f.retryWindow),
			Usage: "the time in which retries are counted, `D`"},
		{Name: "ping-interval", Group: catLink, Value: cmdline.Duration(&f.pingInterval),
			Usage: "send a WebSocket ping every `D`; 0 for never"},
		{Name: "ping-timeout", Group: catLink, Value: cmdline.Duration(&f.pingTimeout),
			Usage: "take the connection for dead when nothing comes for `D` after a ping; 0 for never"},
		{Name: "max-message-size", Group: catLink, Value: &f.maxMessage,
			Usage: "refuse messages larger than `SIZE`; the values that --jq and conditions see of one may take as much memory"},
		{Name: "max-frame-size", Group: catLink, Value: &f.maxFrame,
			Usage: "send messages larger than `SIZE` in fragments of that size"},
		{Name: "buffer", Group: catLink, Value: &f.buffer,
			Usage: "let `SIZE` of messages wait for a slow reader of stdout"},
		{Name: "overflow", Group: catLink, Value: &f.overflow,
			Usage: "when the buffer is full, read no more, drop events, or end with 9: `block|drop-oldest|fail`"},
	}, f.networkFlags.flags()...)
}

func (f *linkFlags) check(ctx context.Context, line *cmdline.Line) error {
	if f.retries < 0 {
		return cmdline.FlagErrorf(line.GivenAs("retries"), " %d: the number of retries must not be negative", f.retries)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
		zero  bool // is allowed
	}{
		{"connect-timeout", f.connectTimeout, false}, {"retry-window", f.retryWindow, false},
		{"ping-interval", f.pingInterval, true}, {"ping-timeout", f.pingTimeout, true},
	} {
		if err := checkDuration(line, d.name, d.value, d.zero); err != nil {
			return err
		}
	}
	if f.maxMessage < 1 {
		return cmdline.FlagErrorf("--max-message-size", " must be at least 1")
	}
	if f.maxFrame < 1 {
		return cmdline.FlagErrorf("--max-frame-size", " must be at least 1")
	}
	if f.buffer < 1 {
		return cmdline.FlagErrorf("--buffer", " must be at least 1")
	}
	return f.networkFlags.check(ctx, line)
}

// engine sets the engine's options as the flags have them.
func (f *linkFlags) engine(o *proto.Options) {
	o.ConnectTimeout = f.connectTimeout
	o.Retries, o.RetryWindow = f.retries, f.retryWindow
	o.PingInterval, o.PingTimeout = f.pingInterval, f.pingTimeout
	o.MaxMessageSize = int64(f.maxMessage)
	o.MaxFrameSize = int(f.maxFrame)
	o.Buffer, o.Overflow = int(f.buffer), proto.Overflow(f.overflow)
}
