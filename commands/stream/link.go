package stream

import (
	"context"
	"math"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/hark-cli/hark/commands/network"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/proto"
)

// NetworkFlags configure how a connection is opened.
type NetworkFlags = network.Flags

// LinkFlags configure connections and reconnecting.
type LinkFlags struct {
	ConnectTimeout time.Duration
	Retries        int
	retryWindow    time.Duration
	PingInterval   time.Duration
	PingTimeout    time.Duration
	maxMessage     cmdline.Size
	maxFrame       cmdline.Size
	buffer         cmdline.Size
	overflow       overflow
	NetworkFlags
}

// newLinkFlags returns the defaults of the engine.
func newLinkFlags() LinkFlags {
	d := proto.DefaultOptions()
	return LinkFlags{
		ConnectTimeout: d.ConnectTimeout,
		Retries:        d.Retries, retryWindow: d.RetryWindow,
		PingInterval: d.PingInterval, PingTimeout: d.PingTimeout,
		maxMessage: cmdline.Size(d.MaxMessageSize), maxFrame: proto.DefaultMaxFrameSize, buffer: cmdline.Size(d.Buffer),
		NetworkFlags: network.NewFlags(),
	}
}

func (f *LinkFlags) flags() []*cmdline.Flag {
	return append([]*cmdline.Flag{
		{Name: "connect-timeout", Group: program.CatLink, Value: cmdline.Duration(&f.ConnectTimeout),
			Usage: "time limit `D` for one connection attempt", Detail: "; a command that provides a credential has 30s of its own"},
		{Name: "retries", Essential: true, Group: program.CatLink, Value: cmdline.Int(&f.Retries),
			Usage: "retry at most `N` times", Detail: " within --retry-window"},
		{Name: "retry-window", Group: program.CatLink, Value: cmdline.Duration(&f.retryWindow),
			Usage: "window `D` in which retries are counted"},
		{Name: "ping-interval", Group: program.CatLink, Value: cmdline.Duration(&f.PingInterval),
			Usage: "send a WebSocket ping every `D`; 0 to disable"},
		{Name: "ping-timeout", Group: program.CatLink, Value: cmdline.Duration(&f.PingTimeout),
			Usage: "consider the connection lost if no data arrives within `D` of a ping; 0 to disable"},
		{Name: "max-message-size", Group: program.CatLink, Value: &f.maxMessage,
			Usage: "refuse messages larger than `SIZE`", Detail: "; also the memory limit for the values that --jq and assertions see of one"},
		{Name: "max-frame-size", Group: program.CatLink, Value: &f.maxFrame,
			Usage: "send messages larger than `SIZE` in fragments of that size"},
		{Name: "buffer", Group: program.CatLink, Value: &f.buffer,
			Usage: "buffer up to `SIZE` of messages for a slow reader of stdout"},
		{Name: "overflow", Group: program.CatLink, Value: &f.overflow,
			Usage: "when the buffer is full (fail exits 9): `block|drop-oldest|fail`"},
	}, f.NetworkFlags.Flags()...)
}

func (f *LinkFlags) check(ctx context.Context, line *cmdline.Line) error {
	if f.Retries < 0 {
		return cmdline.ValueErrorf(line.GivenAs("retries"), strconv.Itoa(f.Retries), "must not be negative")
	}
	for _, d := range []struct {
		name  string
		value time.Duration
		zero  bool // is allowed
	}{
		{"connect-timeout", f.ConnectTimeout, false}, {"retry-window", f.retryWindow, false},
		{"ping-interval", f.PingInterval, true}, {"ping-timeout", f.PingTimeout, true},
	} {
		if err := program.CheckDuration(line, d.name, d.value, d.zero); err != nil {
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
	return f.NetworkFlags.Check(ctx, line)
}

// Engine sets the engine's options as the flags have them.
func (f *LinkFlags) Engine(o *proto.Options) {
	o.ConnectTimeout = f.ConnectTimeout
	o.Retries, o.RetryWindow = f.Retries, f.retryWindow
	o.PingInterval, o.PingTimeout = f.PingInterval, f.PingTimeout
	o.MaxMessageSize = int64(f.maxMessage)
	o.MaxFrameSize = int(f.maxFrame)
	o.Buffer, o.Overflow = int(f.buffer), proto.Overflow(f.overflow)
}

// leastMemory is the minimum memory limit, in bytes.
const leastMemory = 32 << 20

// growth is the garbage collection target percentage. A stream needs little memory, and
// half of the default has no measurable cost.
const growth = 50

// evaluatingGrowth is growth when gojq evaluates an expression for each event, which is
// mostly making garbage: it takes 1.3 times as long with growth, for 4 MiB less.
const evaluatingGrowth = 200

// Worthwhile is the amount of garbage that triggers a collection, in bytes: after a
// very large message the collector would start too late.
const Worthwhile = 16 << 20

// tuneCollector sets the garbage collection target. GOGC of the user takes precedence.
func (s *Stream) tuneCollector() {
	if _, ok := s.LookupEnv("GOGC"); ok {
		return
	}
	if s.evaluates {
		debug.SetGCPercent(evaluatingGrowth)
	} else {
		debug.SetGCPercent(growth)
	}
}

// boundMemory sets a memory limit for what a stream may need: the buffer, and twice the
// largest message, while one is read and grows. Without it, garbage may double that.
// GOMEMLIMIT of the user takes precedence.
func (s *Stream) boundMemory(buffer int, message int64) {
	s.tuneCollector()
	if _, ok := s.LookupEnv("GOMEMLIMIT"); ok {
		return
	}
	// The collector starts late, and not all memory is subject to it.
	margin := min(message/2, leastMemory)
	debug.SetMemoryLimit(max(int64(buffer)+2*message-margin, leastMemory))
}

// MaxMessage is the size of the largest message, in bytes.
func (f *LinkFlags) MaxMessage() int { return int(min(f.maxMessage, math.MaxInt/2)) }

// valuesLimit returns how much memory the values of an event may need, in bytes: as
// much as the largest message, so that a message that is a single string can always be
// filtered. If the next message is read whether there is room for it or not, the limit
// is lower.
func (f *LinkFlags) valuesLimit() int {
	limit := int(min(f.maxMessage, math.MaxInt/2))
	if f.overflow != overflow(proto.OverflowBlock) {
		limit /= 2
	}
	return limit + 64<<10
}
