package commands

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/proto"
)

// connectOptions are what the flags of connect say.
type connectOptions struct {
	url          string
	subprotocols []string
	user         string
	send         []string
	sendFiles    []string
	reconnect    bool
	address      string // --connect
	wscatOptions

	// What check has made of them.
	plain *proto.Plain
	stdin bool // it is read for messages
}

func connectService() service {
	return service{
		name: "connect", title: "any WebSocket",
		command:   func(p *program) *cmdline.Command { return p.connect().run(p) },
		stream:    (*program).connect,
		arguments: []string{"ws://127.0.0.1:1"},
		player:    &proto.Plain{},
		topics:    []cmdline.Topic{{Name: "wscat", Summary: "for those who come from wscat", Text: wscatTopic}},
		attributes: &attributes{
			"run-number", "the address,\nwithout its query", "io.hark.message", "", "of receipt", "the message",
		},
		ready: "as soon as any other socket is open",
		examples: "hark emulate drogue -- sh -c 'hark doctor $HARK_DROGUE_ENDPOINT/public-app'\n" +
			"hark doctor ws://localhost:8080/events\nhark doctor wss://stream.example.com --json --wait 30s",
	}
}

func (p *program) connect() *streaming {
	o, f := &connectOptions{}, newStreamFlags()
	return &streaming{flags: f, command: &cmdline.Command{
		Name: "connect", TakesURL: true,
		Usage: "stream what comes from any WebSocket, or talk to it",
		Examples: `hark emulate drogue -- sh -c 'hark connect $HARK_DROGUE_ENDPOINT/public-app -n 5'
hark connect ws://localhost:8080/events
hark connect wss://stream.example.com -H 'Authorization: Bearer TOKEN' --send '{"subscribe":"orders"}'
seq 3 | hark connect ws://localhost:8080/echo --send - -n 3`,
		Args: "[URL]\nURL\tthe address of the WebSocket: ws:// or wss://",
		Description: "On a terminal it opens a prompt: what you type is sent, and /help lists what else there is. " +
			"Elsewhere, and with --send -, it streams: every message is an event.\n\n" +
			"stdin is not read, unless --send - or -i asks for it. With --send - each line is a message, and the " +
			"end of stdin means that there is no more to send; with -i lines are carried out as at the prompt, " +
			"and the end of stdin ends hark after --linger.\n\n" +
			"The flags of wscat work here, under the same names and letters but for two: -x is the proxy, as for curl, " +
			"and -n counts events, so wscat's are --execute and --no-check; see 'hark help wscat'.",
		Flags: wscatFlags(o, append([]*cmdline.Flag{
			{Name: "connect", Aliases: []string{"c"}, Group: catPrompt, Value: cmdline.String(&o.address),
				Usage: "the address, for those who are used to write it as `URL` of a flag"},
			{Name: "execute", Group: catPrompt, Value: cmdline.Strings(&f.execute),
				Usage: "carry out `LINE` as at the prompt instead of asking for lines, and end after --linger or --hold"},
			{Name: "subprotocol", Essential: true, Aliases: []string{"s"}, Group: catLink, Value: cmdline.Strings(&o.subprotocols),
				Usage: "offer the subprotocol `NAME`; one with a credential in it may be env:NAME, file:PATH, cmd:COMMAND or keyring:SERVICE/NAME"},
			{Name: "user", Essential: true, Pair: true, Aliases: []string{"u"}, Group: catLink, Value: cmdline.String(&o.user),
				Usage: "log in with `USER:PASSWORD` (Basic); the password, or all of it, may be a reference", Detail: credential.Forms},
			{Name: "send", Essential: true, Group: catLink, Value: cmdline.Strings(&o.send),
				Usage: "send `TEXT` once connected, and again after each reconnect; - sends the lines of stdin"},
			{Name: "send-file", Essential: true, Group: catLink, Value: cmdline.Strings(&o.sendFiles),
				Usage: "send the content of `FILE` as one message, as --send does and after it; binary when it is not UTF-8"},
			{Name: "reconnect", Essential: true, Group: catLink, Value: cmdline.Bool(&o.reconnect),
				Usage: "connect again when the connection is lost"},
		}, f.flags()...)),
	},
		check: func(ctx context.Context, line *cmdline.Line) error {
			f.auto = true
			if err := o.checkWscat(line, f); err != nil {
				return err
			}
			if err := f.check(ctx, line); err != nil {
				return err
			}
			if o.host != "" {
				f.header.Set("Host", o.host)
			}
			if err := o.target(line.Arg(0)); err != nil {
				return err
			}
			if !o.reconnect {
				if as := line.TypedAs("retries"); as != "" {
					return cmdline.FlagErrorf(as, " needs --reconnect")
				}
				f.retries = 0
			}
			return o.check(ctx, line, p, f)
		},
		open: func(ctx context.Context, _ *cmdline.Line, s *stream) (*opened, error) {
			if !o.stdin {
				s.sendable = true
				return &opened{Service: o.plain, place: o.plain.URL}, nil
			}
			s.lingering = f.lingers()
			return &opened{Service: o.plain, place: o.plain.URL, input: p.lines(ctx)}, nil
		},
		hint: wscatHint,
	}
}

// check makes the service of the options, and looks up its credentials.
func (o *connectOptions) check(ctx context.Context, line *cmdline.Line, p *program, f *streamFlags) error {
	svc, stdin, err := o.service(ctx)
	if err != nil {
		return err
	}
	p.say.Add(credential.AddressParts(svc.URL)...)
	if err := o.login(ctx, line, p, f.header, svc); err != nil {
		return err
	}
	if svc.Subprotocols, err = p.offered(ctx, o.subprotocols); err != nil {
		return err
	}
	if stdin && (f.interactive || len(f.execute) > 0) {
		return cmdline.FlagErrorf("--send", " - and %s exclude each other: both are about who is read", map[bool]string{true: "--interactive", false: "--execute"}[f.interactive])
	}
	if stdin {
		f.auto = false
	}
	o.plain, o.stdin = svc, stdin
	return nil
}

// target is the address: the argument, or that of --connect.
func (o *connectOptions) target(argument string) error {
	switch {
	case o.address != "" && argument != "":
		return cmdline.FlagErrorf("--connect", " and the argument are both an address; give one")
	case o.address == "" && argument == "":
		e := cmdline.Usagef("hark connect needs URL")
		e.Advice = "for example: hark connect wss://stream.example.com"
		return e
	case argument == "" && !strings.Contains(o.address, "://"):
		o.address = "ws://" + o.address // as wscat has it
	}
	o.url = argument + o.address
	return nil
}

// sendFileLimit bounds a message out of a file, which is in memory as a whole, in bytes.
const sendFileLimit = 64 << 20

// service makes the service of the options; stdin tells that --send - was given.
func (o *connectOptions) service(ctx context.Context) (svc *proto.Plain, stdin bool, err error) {
	svc = &proto.Plain{Header: http.Header{}}
	if svc.URL, err = checkEndpoint(o.url); err != nil {
		return nil, false, err
	}
	for _, s := range o.send {
		if s == "-" {
			stdin = true
			continue
		}
		svc.Greeting = append(svc.Greeting, proto.Text([]byte(s)))
	}
	for _, file := range o.sendFiles {
		b, err := bounded.File(ctx, file, sendFileLimit)
		if err != nil {
			return nil, false, cmdline.FlagErrorf("--send-file", ": %v", err)
		}
		svc.Greeting = append(svc.Greeting, frameOf(b, false))
	}
	return svc, stdin, nil
}

// handshakeHeaders belong to the handshake itself (RFC 6455, section 4.1).
var handshakeHeaders = pattern(`(?i)^(connection|upgrade|sec-websocket-(key|version|extensions|protocol|accept))$`)

// header takes NAME: VALUE apart. The message of an error leaves the value out.
func header(text string) (name, value string, err error) {
	name, value, ok := strings.Cut(text, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	switch {
	case !ok || !headerToken(name):
		before, _, found := strings.Cut(text, " ")
		if before = strings.TrimSuffix(before, ":"); !found && !ok || !headerName(before) {
			return "", "", cmdline.FlagErrorf("--header", ": expected 'NAME: VALUE'") // it may be a credential
		}
		return "", "", cmdline.FlagErrorf("--header", " %q: expected 'NAME: VALUE'", cmdline.Cut(before, 16))
	case !headerValue(value):
		return "", "", cmdline.FlagErrorf("--header", " %s: the value has a control character in it", name)
	case handshakeHeaders().MatchString(name):
		e := cmdline.FlagErrorf("--header", " %s: the handshake sets this header by itself", name)
		if strings.EqualFold(name, "Sec-WebSocket-Protocol") {
			e.Advice = "use --subprotocol"
		}
		return "", "", e
	}
	return name, value, nil
}

// headerName reports whether s looks like the name of a header, and not like a value.
func headerName(s string) bool {
	return s != "" && len(s) <= longestHeaderName && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") == ""
}

// longestHeaderName is the length in bytes of names that are shown where a mistake may
// have put a value in their place.
const longestHeaderName = 40

// headerToken tells whether s is a token, as the names of headers and of
// subprotocols are (RFC 9110, section 5.6.2).
func headerToken(s string) bool {
	for _, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// headerValue tells whether s may be the value of a header (RFC 9110, section 5.5).
func headerValue(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) < 0
}

// serviceEndpoint reads the address of a service, to which a path is added. It
// returns it without a slash at its end.
func serviceEndpoint(address string) (string, error) {
	if strings.Contains(address, "?") {
		return "", cmdline.FlagErrorf("--endpoint", " has a query (?…); give the address up to it")
	}
	address, err := checkEndpoint(address)
	return strings.TrimRight(address, "/"), err
}

// checkEndpoint reads an address. Its messages leave out what may be a credential.
func checkEndpoint(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil && !strings.Contains(address, "://"), err == nil && u.Scheme == "", err == nil && !strings.Contains(address, "://"):
		e := cmdline.Usagef("address%s has no scheme", cmdline.Mention(address))
		if cmdline.Mention(address) != "" {
			e.Advice = schemeAdvice(address)
		}
		return "", e
	case err != nil:
		// The reason would quote a part of the address.
		e := cmdline.Usagef("address cannot be read")
		e.Advice = "check host and port; in user names, passwords and paths, special characters are written as %XX"
		return "", e
	case u.Scheme != "ws" && u.Scheme != "wss" && u.Scheme != "http" && u.Scheme != "https":
		return "", cmdline.Usagef("address begins with %s://: expected ws:// or wss://", cmdline.Cut(u.Scheme, 16))
	case u.Hostname() == "":
		return "", cmdline.Usagef("address has no host name")
	case !validPort(u.Port()):
		return "", cmdline.Usagef("address has the port %s: expected 1 to 65535", cmdline.Cut(u.Port(), 12))
	case u.Fragment != "" || strings.Contains(address, "#"):
		return "", cmdline.Usagef("address has a fragment (#…), which a WebSocket address must not have")
	}
	return address, nil
}

// validPort reports whether a port, which url.Parse has found to be digits, is one of
// TCP; none is.
func validPort(port string) bool {
	n, err := strconv.Atoi(port)
	return port == "" || err == nil && n > 0 && n < 1<<16
}

// schemeAdvice is what an address without a scheme may have been meant to be.
func schemeAdvice(address string) string {
	for _, scheme := range []string{"wss", "ws", "https", "http"} {
		rest, found := strings.CutPrefix(address, scheme)
		if !found {
			continue
		}
		if rest, found = strings.CutPrefix(rest, ":"); !found {
			rest, found = strings.CutPrefix(rest, "/")
		}
		if rest = strings.TrimLeft(rest, ":/"); found && rest != "" {
			return "did you mean " + scheme + "://" + rest + "?"
		}
	}
	if name, found := strings.CutPrefix(address, "env:"); found {
		return "references are for credentials; for an address the shell has \"$" + name + "\""
	}
	if strings.HasPrefix(address, "file:") || strings.HasPrefix(address, "cmd:") {
		return "references are for credentials; for an address the shell has \"$(COMMAND)\""
	}
	return "did you mean ws://" + address + " or wss://" + address + "?"
}

// login adds the credentials of --user.
func (o *connectOptions) login(ctx context.Context, line *cmdline.Line, p *program, header http.Header, svc *proto.Plain) error {
	if o.user == "" {
		return nil
	}
	as := line.GivenAs("user")
	if header.Get("Authorization") != "" {
		return cmdline.FlagErrorf(as, " and the header Authorization exclude each other")
	}
	ctx, cancel := proto.WithConnectTimeout(ctx, line.Duration("connect-timeout"))
	defer cancel()
	user, password, err := p.userPassword(ctx, as, o.user)
	if err != nil {
		return err
	}
	p.say.AddPair(user, password)
	svc.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	return nil
}

// offered are the subprotocols of --subprotocol, references looked up, and their
// credentials withheld from now on.
func (p *program) offered(ctx context.Context, list []string) ([]string, error) {
	var out []string
	for _, s := range list {
		if credential.IsReference(s) {
			src, _, err := p.source("--subprotocol", s)
			if err != nil {
				return nil, err
			}
			v, err := src(ctx)
			if err != nil {
				return nil, credentialFailure(err)
			}
			s = v.Reveal()
		}
		out = append(out, s)
		p.say.Add(credential.Subprotocols(out)...)
		if !headerToken(s) { // it may be a credential
			return nil, badSubprotocol(len(out))
		}
	}
	return out, nil
}

// badSubprotocol is the error for the nth value of --subprotocol, which is not shown.
func badSubprotocol(n int) error {
	return cmdline.FlagErrorf("--subprotocol", ": value %d is not valid: expected a name without spaces and separators", n)
}

// lines gives each line of stdin as a text message. Its goroutine cannot be
// joined: nothing can interrupt a read of stdin.
func (p *program) lines(ctx context.Context) <-chan proto.Frame {
	out := make(chan proto.Frame)
	go func() {
		defer close(out)
		r := bufio.NewReader(p.Stdin)
		for n := 1; ; n++ {
			line, err := r.ReadBytes('\n')
			if len(line) > 0 {
				line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
				if !utf8.Valid(line) {
					p.say.warning("line %d of stdin is not UTF-8, as a text message must be; the wrong bytes are sent as U+FFFD", n)
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
					p.say.warning("stdin: %v; nothing more is sent", err)
				}
				return
			}
		}
	}()
	return out
}
