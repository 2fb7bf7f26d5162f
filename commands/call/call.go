// Package call is "hark call": requests and their answers over a WebSocket.
package call

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/network"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/plain"
	"github.com/hark-cli/hark/proto/rpc"
)

// options are what the flags of call say.
type options struct {
	maxTime       time.Duration
	jobs          int
	devTools      bool
	notifications bool
	expressions   rpc.Expressions
	stream.SocketFlags

	// What check has made of them.
	dialect *rpc.Dialect
	service *plain.Service
	one     *call // nil when they are lines of stdin
}

// defaultMaxTime is how long an answer is waited for.
const defaultMaxTime = 30 * time.Second

// programLimits bound the expressions for requests and answers.
var programLimits = jq.Options{Timeout: 10 * time.Second, MaxOutputs: 1000, MaxValue: 64 << 20}

// inapplicable are the flags of streams that a call does not have.
var inapplicable = []string{
	"count", "until", "expect", "fail-if", "idle", "max-time", "on-ready", "ready-file", "ready-only", "ready-delay",
	"format", "time", "report", "on-gap", "sequence", "sequence-by", "retries", "retry-window", "buffer", "overflow",
	"interactive", "linger", "hold", "slash", "allow-files", "show-ping-pong",
}

// Command is "hark call".
func Command(p *program.Program) *cmdline.Command {
	o, f := &options{jobs: 1}, stream.NewFlags()
	f.MaxTime = defaultMaxTime
	return &cmdline.Command{
		Name: "call", TakesURL: true,
		Usage: "call a method over a WebSocket and print its result",
		Examples: `hark call wss://rpc.example.com/ws eth_blockNumber
hark call ws://localhost:8080/rpc add '[1, 2]' --jq .sum
hark call --cdp ws://127.0.0.1:9222/devtools/browser/ID Target.getTargets
hark call ws://localhost:8080/rpc - --jobs 8 <calls.txt`,
		Args: "URL METHOD [PARAMS]\nURL\tthe address of the WebSocket: ws:// or wss://\n" +
			"METHOD\tthe method to call; - reads calls from stdin, METHOD [PARAMS] on each line\nPARAMS\tthe parameters, as JSON",
		Description: "Sends one request, waits for the message that answers it, and prints the result. By default " +
			"the protocol is JSON-RPC 2.0; --request, --match and --error are for any other that has an id.\n\n" +
			"It exits 6 if the answer is an error, which goes to stderr, 7 if none came within -m, and 8 if the " +
			"connection was lost. Calls of stdin share one connection; their results are printed in the order of the lines, and the " +
			"exit code is that of the first call that failed.",
		Flags: append([]*cmdline.Flag{
			{Name: "max-time", Essential: true, Aliases: []string{"m"}, Group: program.CatEnd, Value: cmdline.Duration(&f.MaxTime),
				Usage: "wait at most `D` for each answer", Detail: ", connecting included"},
			{Name: "jobs", Essential: true, Group: program.CatEnd, Value: cmdline.Int(&o.jobs),
				Usage: "have up to `N` calls of stdin in flight"},
			{Name: "cdp", Essential: true, Group: program.CatService, Value: cmdline.Bool(&o.devTools),
				Usage: "speak the Chrome DevTools Protocol", Detail: ", which is JSON-RPC without the member jsonrpc"},
			{Name: "request", Essential: true, Group: program.CatService, Value: cmdline.String(&o.expressions.Request),
				Usage: "make the request from $id, $method and $params with the jq expression `EXPR`"},
			{Name: "match", Essential: true, Group: program.CatService, Value: cmdline.String(&o.expressions.Match),
				Usage: "the message for which the jq expression `EXPR` is true answers $id", Detail: "; it is the result"},
			{Name: "error", Essential: true, Group: program.CatService, Value: cmdline.String(&o.expressions.Fault),
				Usage: "the answer is an error if the jq expression `EXPR` yields one"},
			{Name: "notifications", Essential: true, Group: program.CatOutput, Value: cmdline.Bool(&o.notifications),
				Usage: "also print messages that answer no call"},
		}, append(o.SocketFlags.Flags(), f.Without(inapplicable...)...)...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			if err := f.Check(ctx, line); err != nil {
				return err
			}
			o.maxTime, f.MaxTime = f.MaxTime, 0 // it is not the limit of a stream
			if err := o.check(line); err != nil {
				return err
			}
			p.Say.Add(credential.AddressParts(o.service.URL)...)
			if err := o.Login(ctx, line, p, f.Header, o.service.Header); err != nil {
				return err
			}
			var err error
			if o.service.Subprotocols, err = o.Offered(ctx, p); err != nil {
				return err
			}
			return o.run(ctx, p, f)
		},
	}
}

// check finds what is wrong on the command line.
func (o *options) check(line *cmdline.Line) error {
	if o.jobs < 1 {
		return cmdline.FlagErrorf(line.GivenAs("jobs"), " must be at least 1")
	}
	o.dialect = rpc.JSONRPC()
	if o.devTools {
		o.dialect = rpc.DevTools()
	}
	if o.devTools && o.expressions.Request != "" {
		return cmdline.FlagErrorf("--cdp", " cannot be used with --request")
	}
	if err := o.dialect.Customize(o.expressions, programLimits); err != nil {
		return err
	}
	address, err := network.CheckEndpoint(line.Arg(0))
	if err != nil {
		return err
	}
	o.service = &plain.Service{URL: address, Header: http.Header{}}
	method, params := line.Arg(1), line.Arg(2)
	if method == "-" {
		if params != "" {
			return cmdline.Usagef("unexpected argument %q: with -, calls are lines of stdin", cmdline.Cut(params, 40))
		}
		return nil
	}
	o.one = &call{method: method, params: []byte(params)}
	if err := o.one.check(); err != nil {
		return cmdline.Usagef("%v", err)
	}
	return nil
}

// run makes the calls.
func (o *options) run(ctx context.Context, p *program.Program, f *stream.Flags) error {
	s := stream.New(p, f)
	defer s.Close()
	return s.Follow(ctx, o.service, func(ctx context.Context, w *output.Writer, opts proto.Options) error {
		s.Engine(&opts)
		opts.Retries = 0
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		status := opts.Trace.Status
		opts.Trace.Status = func(st proto.Status) {
			if _, ok := st.State.(proto.Unconfirmed); !ok { // answers tell what has arrived
				status(st)
			}
		}
		requests := make(chan proto.Frame)
		opts.Input = requests
		c := &calls{o: o, s: s, w: w, ctx: ctx, requests: requests, done: cancel, slots: make(chan struct{}, o.jobs)}
		go c.feed()
		err := proto.Run(ctx, o.service, c, opts)
		return ending.WithHint(c.end(err), f.TLSFlags.Hint(err))
	})
}

// A call is one request and its result.
type call struct {
	line   int // of stdin; 0 for the call of the command line
	id     int
	method string
	params []byte

	timer  *time.Timer
	over   bool
	result []byte // nil if it failed
	err    error
}

// check finds parameters that are not JSON.
func (c *call) check() error {
	if c.method == "" {
		return cmdline.Usagef("missing argument: METHOD")
	}
	if len(c.params) == 0 {
		return nil
	}
	if ok, _ := eventjson.Valid(c.params); !ok {
		return cmdline.Usagef("PARAMS is not JSON: %s", cmdline.Cut(string(c.params), 60))
	}
	return nil
}

// parse reads a line of stdin: METHOD [PARAMS].
func parse(number int, text []byte) *call {
	method, params, _ := bytes.Cut(bytes.TrimSpace(text), []byte(" "))
	if i := bytes.IndexByte(method, '\t'); i >= 0 {
		method, params, _ = bytes.Cut(bytes.TrimSpace(text), []byte("\t"))
	}
	return &call{line: number, method: string(method), params: bytes.TrimSpace(params)}
}
