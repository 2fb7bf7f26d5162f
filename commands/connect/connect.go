// Package connect is "hark connect": any WebSocket.
package connect

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hark-cli/hark/commands/network"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/prompt"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/plain"
)

// options are the flags of connect.
type options struct {
	url       string
	send      []string
	sendFiles []string
	reconnect bool
	address   string // --connect
	stream.SocketFlags
	ruleFlags
	wscatOptions

	// Set by check.
	plain *plain.Service
	stdin bool // it is read for messages
}

// Service returns the entry for any WebSocket in the list of services.
func Service() stream.Service {
	return stream.Service{
		Name: "connect", Title: "any WebSocket",
		Command:   func(p *program.Program) *cmdline.Command { return newStream(p).Run(p) },
		Stream:    newStream,
		Arguments: []string{"ws://127.0.0.1:1"},
		Player:    &plain.Service{},
		Topics:    []cmdline.Topic{{Name: "wscat", Summary: "migrating from wscat", Text: wscatTopic}},
		Attributes: &stream.Attributes{
			ID: "run-number", Source: "the address,\nwithout its query", Kind: "io.hark.message",
			Time: "of receipt", Data: "the message",
		},
		Ready: "as soon as any other socket is open",
		Examples: "hark emulate drogue -- sh -c 'hark doctor $HARK_DROGUE_ENDPOINT/public-app'\n" +
			"hark doctor ws://localhost:8080/events\nhark doctor wss://stream.example.com --json --wait 30s",
	}
}

func newStream(p *program.Program) *stream.Streaming {
	o, f := &options{ruleFlags: ruleFlags{ackTimeout: 10 * time.Second}}, stream.NewFlags()
	return &stream.Streaming{Flags: f, NoCursor: "a plain WebSocket has no positions; a recipe with [cursor] has, see docs/recipes.md", Command: &cmdline.Command{
		Name: "connect", TakesURL: true,
		Usage: "stream from any WebSocket, or talk to it",
		Examples: `hark emulate drogue -- sh -c 'hark connect $HARK_DROGUE_ENDPOINT/public-app -n 5'
hark connect ws://localhost:8080/events
hark connect wss://stream.example.com -H 'Authorization: Bearer TOKEN' --send '{"subscribe":"orders"}'
seq 3 | hark connect ws://localhost:8080/echo --send - -n 3`,
		Args: "[URL]\nURL\tthe address of the WebSocket: ws:// or wss://",
		Description: "On a terminal it opens a prompt: what you type is sent, and /help lists what else there is. " +
			"Elsewhere, and with --send -, it streams: every message is an event.\n\n" +
			"stdin is not read, unless --send - or -i asks for it. With --send - each line is a message, and the " +
			"end of stdin means that there is no more to send; with -i lines are run as at the prompt, " +
			"and hark exits --linger after the end of stdin.\n\n" +
			"The flags of wscat work here, under the same names and letters but for two: -x is the proxy, as for curl, " +
			"and -n counts events, so wscat's are --execute and --no-check; see 'hark help wscat'.",
		Flags: wscatFlags(o, append([]*cmdline.Flag{
			{Name: "connect", Aliases: []string{"c"}, Group: program.CatPrompt, Value: cmdline.String(&o.address),
				Usage: "the address, given as the `URL` of a flag"},
			{Name: "execute", Group: program.CatPrompt, Value: cmdline.Strings(&f.Execute),
				Usage: "run `LINE` as at the prompt", Detail: " instead of reading lines, and exit after --linger or --hold"},
			{Name: "send", Essential: true, Group: program.CatLink, Value: cmdline.Strings(&o.send),
				Usage: "send `TEXT` once connected", Detail: ", and again after each reconnect; - sends the lines of stdin"},
			{Name: "send-file", Essential: true, Group: program.CatLink, Value: cmdline.Strings(&o.sendFiles),
				Usage: "send the content of `FILE` as one message", Detail: ", as --send does and after it; binary when it is not UTF-8"},
			{Name: "reconnect", Essential: true, Group: program.CatLink, Value: cmdline.Bool(&o.reconnect),
				Usage: "reconnect when the connection is lost"},
		}, append(append(o.SocketFlags.Flags(), o.ruleFlags.flags()...), f.Flags()...)...)),
	},
		LaterFlags: []string{"reconnect"},
		Check: func(ctx context.Context, line *cmdline.Line) error {
			f.Auto = true
			if err := o.checkWscat(line, f); err != nil {
				return err
			}
			if err := f.Check(ctx, line); err != nil {
				return err
			}
			if o.host != "" {
				f.Header.Set("Host", o.host)
			}
			if err := o.target(line.Arg(0)); err != nil {
				return err
			}
			if !o.reconnect {
				if as := line.TypedAs("retries"); as != "" {
					return cmdline.FlagErrorf(as, " requires --reconnect")
				}
				f.Retries = 0
			}
			return o.check(ctx, line, p, f)
		},
		Complete: func() error { return o.print(p) },
		Open: func(ctx context.Context, _ *cmdline.Line, s *stream.Stream) (*stream.Opened, error) {
			if o.recipe != nil {
				opened, err := o.ruleFlags.open(s)
				if err != nil {
					return nil, err
				}
				if opened.Place = o.plain.URL; o.stdin {
					s.Lingering, opened.Input = f.Lingers(), lines(ctx, p)
				}
				return opened, nil
			}
			if !o.stdin {
				s.Sendable = true
				return &stream.Opened{Service: o.plain, Place: o.plain.URL}, nil
			}
			s.Lingering = f.Lingers()
			return &stream.Opened{Service: o.plain, Place: o.plain.URL, Input: lines(ctx, p)}, nil
		},
		Hint: wscatHint,
	}
}

// check validates the options, and looks up credentials.
func (o *options) check(ctx context.Context, line *cmdline.Line, p *program.Program, f *stream.Flags) error {
	svc, stdin, err := o.service(ctx)
	if err != nil {
		return err
	}
	p.Say.Add(credential.AddressParts(svc.URL)...)
	if err := o.Login(ctx, line, p, f.Header, svc.Header); err != nil {
		return err
	}
	if svc.Subprotocols, err = o.Offered(ctx, p); err != nil {
		return err
	}
	if stdin && (f.Interactive || len(f.Execute) > 0) {
		return cmdline.FlagErrorf("--send", " - cannot be used with %s: both read stdin", map[bool]string{true: "--interactive", false: "--execute"}[f.Interactive])
	}
	if stdin {
		f.Auto = false
	}
	o.plain, o.stdin = svc, stdin
	return o.makeRecipe(ctx, line, p, svc.Subprotocols, svc.Header.Get("Authorization"))
}

// target returns the address: the argument, or the value of --connect.
func (o *options) target(argument string) error {
	switch {
	case o.address != "" && argument != "":
		return cmdline.FlagErrorf("--connect", " and the argument are both an address; give one")
	case o.address == "" && argument == "":
		e := cmdline.Usagef("missing argument: URL")
		e.Advice = "for example: hark connect wss://stream.example.com"
		return e
	case argument == "" && !strings.Contains(o.address, "://"):
		o.address = "ws://" + o.address // as wscat has it
	}
	o.url = argument + o.address
	return nil
}

// sendFileLimit is the maximum size of a file for --send-file, which is read into
// memory, in bytes.
const sendFileLimit = 64 << 20

// service returns the service of the options; stdin means that --send - was given.
func (o *options) service(ctx context.Context) (svc *plain.Service, stdin bool, err error) {
	svc = &plain.Service{Header: http.Header{}}
	if svc.URL, err = network.CheckEndpoint(o.url); err != nil {
		return nil, false, err
	}
	for _, s := range o.send {
		if s == "-" {
			stdin = true
			continue
		}
		svc.FirstFrames = append(svc.FirstFrames, proto.Text([]byte(s)))
	}
	for _, file := range o.sendFiles {
		b, err := bounded.File(ctx, file, sendFileLimit)
		if err != nil {
			return nil, false, cmdline.FlagErrorf("--send-file", ": %v", err)
		}
		svc.FirstFrames = append(svc.FirstFrames, prompt.FrameOf(b, false))
	}
	return svc, stdin, nil
}

// lines sends each line of stdin as a text message to a channel. Its goroutine cannot
// be joined, because a read of stdin cannot be interrupted.
func lines(ctx context.Context, p *program.Program) <-chan proto.Frame {
	out := make(chan proto.Frame)
	go func() {
		defer close(out)
		r := bufio.NewReader(p.Stdin)
		for n := 1; ; n++ {
			line, err := r.ReadBytes('\n')
			if len(line) > 0 {
				line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
				if !utf8.Valid(line) {
					p.Say.Warning("line %d of stdin is not UTF-8, as a text message must be; the wrong bytes are sent as U+FFFD", n)
					line = bytes.ToValidUTF8(line, []byte("\uFFFD"))
				}
				select {
				case out <- proto.Text(line):
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				if err != io.EOF {
					p.Say.Warning("stdin: %v; nothing more is sent", err)
				}
				return
			}
		}
	}()
	return out
}
