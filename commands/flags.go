package commands

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
	"github.com/urfave/cli/v2"
)

// Headings of flags in help texts.
const (
	catEnd     = "When to end"
	catOutput  = "Output"
	catLink    = "Connection"
	catService = "Service"
)

// streamFlags are the flags of every command that streams.
type streamFlags struct {
	count   uint64
	until   string
	idle    time.Duration
	maxTime time.Duration

	format  string
	jq      string
	args    []string
	jsons   []string
	raw     bool
	jqError string

	connectTimeout time.Duration
	retries        int
	retryWindow    time.Duration
	pingInterval   time.Duration
	pingTimeout    time.Duration
	maxMessage     size
	buffer         size

	verbose bool
	quiet   bool
}

// newStreamFlags has the defaults of the engine.
func newStreamFlags() *streamFlags {
	d := proto.DefaultOptions()
	return &streamFlags{
		format: "message", jqError: "continue",
		connectTimeout: d.ConnectTimeout,
		retries:        d.Retries, retryWindow: d.RetryWindow,
		pingInterval: d.PingInterval, pingTimeout: d.PingTimeout,
		maxMessage: size(d.MaxMessageSize), buffer: size(d.Buffer),
	}
}

// flags declares them. Their values are read from the struct.
func (f *streamFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.Uint64Flag{Name: "count", Aliases: []string{"n"}, Category: catEnd, Destination: &f.count,
			Usage: "end after `N` events were printed"},
		&cli.StringFlag{Name: "until", Category: catEnd, Destination: &f.until,
			Usage: "end after the event for which the jq expression `EXPR` is true; it is printed"},
		&cli.DurationFlag{Name: "idle", Category: catEnd, Destination: &f.idle,
			Usage: "end when no event has come for `D`"},
		&cli.DurationFlag{Name: "max-time", Aliases: []string{"m"}, Category: catEnd, Destination: &f.maxTime,
			Usage: "end after `D` in any case"},

		&cli.StringFlag{Name: "jq", Category: catOutput, Destination: &f.jq,
			Usage: "print what the jq expression `EXPR` makes of each event"},
		&cli.StringSliceFlag{Name: "arg", Category: catOutput,
			Usage: "set the jq variable $NAME to a string: `NAME=VALUE`"},
		&cli.StringSliceFlag{Name: "argjson", Category: catOutput,
			Usage: "set the jq variable $NAME to a JSON value: `NAME=JSON`"},
		&cli.BoolFlag{Name: "raw-output", Aliases: []string{"r"}, Category: catOutput, Destination: &f.raw,
			Usage: "print strings that --jq makes without quotes"},
		&cli.StringFlag{Name: "jq-error", Category: catOutput, Destination: &f.jqError, Value: f.jqError,
			Usage: "what an error inside an expression does: `continue|fail`"},
		&cli.StringFlag{Name: "format", Category: catOutput, Destination: &f.format, Value: f.format,
			Usage: "what is printed for an event: `message` prints what the service sent, on one line"},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Category: catOutput, Destination: &f.verbose,
			Usage: "tell on stderr what happens, heartbeats and acknowledgements included"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Category: catOutput, Destination: &f.quiet,
			Usage: "no warnings on stderr, only errors"},

		&cli.DurationFlag{Name: "connect-timeout", Category: catLink, Destination: &f.connectTimeout, Value: f.connectTimeout,
			Usage: "give an attempt to connect `D`"},
		&cli.IntFlag{Name: "retries", Category: catLink, Destination: &f.retries, Value: f.retries,
			Usage: "try again at most `N` times within --retry-window"},
		&cli.DurationFlag{Name: "retry-window", Category: catLink, Destination: &f.retryWindow, Value: f.retryWindow,
			Usage: "the time in which retries are counted, `D`"},
		&cli.DurationFlag{Name: "ping-interval", Category: catLink, Destination: &f.pingInterval, Value: f.pingInterval,
			Usage: "send a WebSocket ping every `D`; 0 for never"},
		&cli.DurationFlag{Name: "ping-timeout", Category: catLink, Destination: &f.pingTimeout, Value: f.pingTimeout,
			Usage: "take the connection for dead when nothing comes for `D` after a ping; 0 for never"},
		&cli.GenericFlag{Name: "max-message-size", Category: catLink, Value: &f.maxMessage, DefaultText: f.maxMessage.String(),
			Usage: "refuse messages larger than `SIZE`"},
		&cli.GenericFlag{Name: "buffer", Category: catLink, Value: &f.buffer, DefaultText: f.buffer.String(),
			Usage: "let `SIZE` of messages wait for a slow reader of stdout before reading less"},
	}
}

// check finds values that make no sense.
func (f *streamFlags) check(c *cli.Context) error {
	f.args, f.jsons = c.StringSlice("arg"), c.StringSlice("argjson")
	if as := givenAs(c, "count"); as != "" && f.count == 0 {
		return usagef("%s 0: the number of events must be at least 1", as)
	}
	if f.retries < 0 {
		return usagef("%s %d: the number of retries must not be negative", givenAs(c, "retries"), f.retries)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
		zero  bool // is allowed
	}{
		{"idle", f.idle, false}, {"max-time", f.maxTime, false},
		{"connect-timeout", f.connectTimeout, false}, {"retry-window", f.retryWindow, false},
		{"ping-interval", f.pingInterval, true}, {"ping-timeout", f.pingTimeout, true},
	} {
		as := givenAs(c, d.name)
		if as != "" && (d.value < 0 || d.value == 0 && !d.zero) {
			return usagef("%s %s: the duration must be positive", as, d.value)
		}
	}
	if f.maxMessage < 1 {
		return usagef("--max-message-size must be at least 1")
	}
	if f.buffer < 1 {
		return usagef("--buffer must be at least 1")
	}
	if f.jqError != "continue" && f.jqError != "fail" {
		return usagef("%s %q: expected continue or fail", givenAs(c, "jq-error"), f.jqError)
	}
	if _, err := output.ParseFormat(f.format); err != nil {
		return usagef("%s %q: %v", givenAs(c, "format"), f.format, err)
	}
	if f.raw && f.jq == "" {
		return usagef("%s prints the strings that --jq makes; it needs --jq", givenAs(c, "raw-output"))
	}
	return nil
}

// engine are the engine's options as the flags have them.
func (f *streamFlags) engine() proto.Options {
	o := proto.DefaultOptions()
	o.ConnectTimeout = f.connectTimeout
	o.Retries, o.RetryWindow = f.retries, f.retryWindow
	o.PingInterval, o.PingTimeout = f.pingInterval, f.pingTimeout
	o.MaxMessageSize = int64(f.maxMessage)
	o.Buffer = int(f.buffer)
	o.Idle = f.idle
	return o
}

// variables are what --arg and --argjson define.
func (f *streamFlags) variables() ([]output.Var, error) {
	var out []output.Var
	for _, list := range []struct {
		flag  string
		items []string
		make  func(name, text string) (output.Var, error)
	}{{"--arg", f.args, output.Arg}, {"--argjson", f.jsons, output.ArgJSON}} {
		for _, item := range list.items {
			name, text, ok := strings.Cut(item, "=")
			if !ok {
				return nil, usagef("%s %q: expected NAME=VALUE", list.flag, cut(item, 24))
			}
			v, err := list.make(name, text)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
	}
	return out, nil
}

// A size is a number of bytes, as a flag: 1024, 64KiB, 10MB.
type size int64

var sizeUnits = []struct {
	name   string
	factor float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9},
	{"k", 1 << 10}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"B", 1},
}

// Set implements flag.Value.
func (s *size) Set(text string) error {
	number, factor := strings.TrimSpace(text), 1.0
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, factor = strings.TrimSpace(n), u.factor
			break
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f*factor > 1<<50 {
		return fmt.Errorf("expected a size such as 65536, 64KiB or 10MB")
	}
	*s = size(f * factor)
	return nil
}

// String implements flag.Value.
func (s *size) String() string {
	for _, u := range []struct {
		name   string
		factor size
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if *s >= u.factor && *s%u.factor == 0 {
			return strconv.FormatInt(int64(*s/u.factor), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}
