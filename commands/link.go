package commands

import (
	"time"

	"github.com/hark-cli/hark/proto"
	"github.com/urfave/cli/v2"
)

// linkFlags say how a connection is made and kept.
type linkFlags struct {
	connectTimeout time.Duration
	retries        int
	retryWindow    time.Duration
	pingInterval   time.Duration
	pingTimeout    time.Duration
	maxMessage     size
	maxFrame       size
	buffer         size
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
		maxMessage: size(d.MaxMessageSize), maxFrame: proto.DefaultMaxFrameSize, buffer: size(d.Buffer),
		networkFlags: newNetworkFlags(),
	}
}

func (f *linkFlags) flags() []cli.Flag {
	return append([]cli.Flag{
		&cli.DurationFlag{Name: "connect-timeout", Category: catLink, Destination: &f.connectTimeout, Value: f.connectTimeout,
			Usage: "give an attempt to connect `D`; a command that gives the credential has 30s of its own"},
		&cli.IntFlag{Name: "retries", Category: catLink, Destination: &f.retries, Value: f.retries,
			Usage: "try again at most `N` times within --retry-window"},
		&cli.DurationFlag{Name: "retry-window", Category: catLink, Destination: &f.retryWindow, Value: f.retryWindow,
			Usage: "the time in which retries are counted, `D`"},
		&cli.DurationFlag{Name: "ping-interval", Category: catLink, Destination: &f.pingInterval, Value: f.pingInterval,
			Usage: "send a WebSocket ping every `D`; 0 for never"},
		&cli.DurationFlag{Name: "ping-timeout", Category: catLink, Destination: &f.pingTimeout, Value: f.pingTimeout,
			Usage: "take the connection for dead when nothing comes for `D` after a ping; 0 for never"},
		&cli.GenericFlag{Name: "max-message-size", Category: catLink, Value: &f.maxMessage, DefaultText: f.maxMessage.String(),
			Usage: "refuse messages larger than `SIZE`; the values that --jq and conditions see of one may take as much memory"},
		&cli.GenericFlag{Name: "max-frame-size", Category: catLink, Value: &f.maxFrame, DefaultText: f.maxFrame.String(),
			Usage: "send messages larger than `SIZE` in fragments of that size"},
		&cli.GenericFlag{Name: "buffer", Category: catLink, Value: &f.buffer, DefaultText: f.buffer.String(),
			Usage: "let `SIZE` of messages wait for a slow reader of stdout"},
		&cli.GenericFlag{Name: "overflow", Category: catLink, Value: &f.overflow, DefaultText: f.overflow.String(),
			Usage: "when the buffer is full, read no more, drop events, or end with 9: `block|drop-oldest|fail`"},
	}, f.networkFlags.flags()...)
}

func (f *linkFlags) check(c *cli.Context) error {
	if f.retries < 0 {
		return usagef("%s %d: the number of retries must not be negative", givenAs(c, "retries"), f.retries)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
		zero  bool // is allowed
	}{
		{"connect-timeout", f.connectTimeout, false}, {"retry-window", f.retryWindow, false},
		{"ping-interval", f.pingInterval, true}, {"ping-timeout", f.pingTimeout, true},
	} {
		if err := checkDuration(c, d.name, d.value, d.zero); err != nil {
			return err
		}
	}
	if f.maxMessage < 1 {
		return usagef("--max-message-size must be at least 1")
	}
	if f.maxFrame < 1 {
		return usagef("--max-frame-size must be at least 1")
	}
	if f.buffer < 1 {
		return usagef("--buffer must be at least 1")
	}
	return f.networkFlags.check(c)
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
