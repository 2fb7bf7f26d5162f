// Package serve is "hark serve".
package serve

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/listen"
	"github.com/hark-cli/hark/commands/network"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/hub"
	"github.com/hark-cli/hark/internal/lineedit"
	"github.com/hark-cli/hark/internal/prompt"
	"github.com/hark-cli/hark/output"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	address      string
	echo         bool
	cert, key    string
	count        uint64
	maxTime      time.Duration
	maxMessage   cmdline.Size
	subprotocols []string
	verbose      bool
	commands     bool
	access       listen.Flags
}

// Command is "hark serve".
func Command(p *program.Program) *cmdline.Command {
	o := &serveOptions{maxMessage: 64 << 20}
	return &cmdline.Command{
		Name:  "serve",
		Usage: "run a WebSocket server",
		Examples: `hark serve 0 --echo -m 5s
hark serve 8080 --echo
hark serve :8443 --cert cert.pem --key key.pem
tail -f events.ndjson | hark serve 8080`,
		Args: "ADDR\nADDR\tthe address to listen on: " + listen.Forms + "; port 0 for any free port",
		Description: "Each message goes to stdout as one JSON line, with the number of the client: " +
			`{"client":1,"data":…}; a binary message that is not JSON as {"client":1,"data_base64":"…"}.` + "\n\n" +
			"Each line of stdin goes to all clients; the first line waits for the first client. At the end of stdin " +
			"the server continues. On a terminal, lines that begin with a slash are commands, such as /to N TEXT; /help lists " +
			"them. In a pipe every line is data, unless --commands is given.",
		Flags: append([]*cmdline.Flag{
			{Name: "echo", Value: cmdline.Bool(&o.echo), Usage: "echo each message to its sender"},
			{Name: "cert", Value: cmdline.String(&o.cert), Usage: "serve wss:// with the certificate in `FILE` (PEM)"},
			{Name: "key", Value: cmdline.String(&o.key), Usage: "private key of --cert in `FILE` (PEM)"},
			{Name: "subprotocol", Aliases: []string{"s"}, Value: cmdline.Strings(&o.subprotocols), Usage: "accept the subprotocol `NAME`"},
			{Name: "count", Aliases: []string{"n"}, Value: cmdline.Uint64(&o.count), Usage: "exit after `N` messages"},
			{Name: "max-time", Aliases: []string{"m"}, Value: cmdline.Duration(&o.maxTime), Usage: "exit after `D`"},
			{Name: "max-message-size", Value: &o.maxMessage,
				Usage: "refuse messages larger than `SIZE`"},
			{Name: "commands", Value: cmdline.Bool(&o.commands),
				Usage: "in a pipe, run lines that begin with a slash as commands, except those that read files"},
			{Name: "verbose", Aliases: []string{"v"}, Value: cmdline.Bool(&o.verbose), Usage: "log connections to stderr"},
		}, o.access.Flags()...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			o.address = line.Arg(0)
			switch {
			case (o.cert == "") != (o.key == ""):
				return cmdline.FlagErrorf("--cert", " and --key go together")
			case line.GivenAs("count") != "" && o.count == 0:
				return cmdline.ValueErrorf(line.GivenAs("count"), "0", "must be at least 1")
			case o.maxMessage < 1:
				return cmdline.FlagErrorf("--max-message-size", " must be at least 1")
			}
			if err := program.CheckDuration(line, "max-time", o.maxTime, false); err != nil {
				return err
			}
			if err := o.access.Check(ctx, line); err != nil {
				return err
			}
			for i, s := range o.subprotocols {
				if !network.HeaderToken(s) {
					return network.BadSubprotocol(i + 1)
				}
			}
			return run(ctx, p, o)
		},
	}
}

// listen listens on an address given by the user, and returns its URL.
func (o *serveOptions) listen(ctx context.Context, p *program.Program) (net.Listener, string, error) {
	scheme := "ws"
	var config *tls.Config
	if o.cert != "" {
		certPEM, err := p.ReadNamed(ctx, "--cert", o.cert, bounded.Certificates)
		if err != nil {
			return nil, "", err
		}
		keyPEM, err := p.ReadNamed(ctx, "--key", o.key, bounded.Certificates)
		if err != nil {
			return nil, "", err
		}
		pair, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			return nil, "", cmdline.FlagErrorf("--cert", " and --key: %v", err)
		}
		scheme, config = "wss", &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}
	}
	l, failed := listen.On(o.address)
	if failed != nil {
		return nil, "", failed
	}
	where := scheme + "://" + l.Addr().String()
	if a, ok := l.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		where = fmt.Sprintf("%s://localhost:%d, on all addresses of this machine", scheme, a.Port)
	} else if !ok {
		where = o.address
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	return l, where, nil
}

// A serving is one run of hark serve.
type serving struct {
	*program.Program
	o       *serveOptions
	hub     *hub.Hub
	ed      lineedit.Editor // nil without a terminal
	rescued func()          // removes the rescue of ed
	color   bool
	watched bool
	end     context.CancelCauseFunc

	// Used by event, which is not called concurrently.
	line  []byte
	count uint64
	first chan struct{} // closed when the first client has connected
	there bool
}

// run serves clients until ctx is done or a condition is met.
func run(ctx context.Context, p *program.Program, o *serveOptions) error {
	l, where, err := o.listen(ctx, p)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if o.maxTime > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, o.maxTime, ending.ErrMaxTime)
		defer stop()
	}
	s := &serving{
		Program: p, o: o, end: cancel, first: make(chan struct{}),
		color: p.Colored("auto"), watched: o.verbose || p.StderrTerminal,
	}
	s.hub = hub.New(hub.Options{Echo: o.echo, Subprotocols: o.subprotocols, MaxMessage: int64(o.maxMessage), Event: s.event})
	next := p.StdinLines()
	if p.Editor != nil {
		if err := s.open(); err != nil {
			l.Close()
			return err
		}
		defer s.shut()
		next = s.ed.Line
	} else {
		go p.Hangup(ctx, func() { cancel(output.ErrStdoutClosed) })
	}
	server := &http.Server{Handler: o.access.Guard(p, l, o.address, s.hub), ReadHeaderTimeout: 30 * time.Second, ErrorLog: log.New(s.errors(), "", 0)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	if s.watched || strings.HasSuffix(o.address, ":0") || o.address == "0" {
		p.Say.Note("listening on %s", where)
	}
	go s.read(ctx, next)
	<-ctx.Done()
	l.Close()
	s.hub.Close(2 * time.Second)
	server.Close()
	<-served
	if err := context.Cause(ctx); !errors.Is(err, prompt.ErrQuit) {
		return err
	}
	return nil
}

// open opens the terminal, shut restores it.
func (s *serving) open() error {
	var err error
	s.ed, err = s.Editor(lineedit.Config{Prompt: s.promptText(false), Complete: s.complete})
	if err != nil {
		return fmt.Errorf("opening the prompt: %w", err)
	}
	s.rescued = s.Rescues.Add(func() { s.ed.Close() })
	if s.StderrTerminal {
		s.Say.Redirect(prompt.PostWriter{Editor: s.ed})
	}
	return nil
}

// promptText returns the prompt; more means that the message continues.
func (s *serving) promptText(more bool) string {
	return prompt.Paint(s.color, prompt.Sent, map[bool]string{false: "> ", true: "… "}[more])
}

func (s *serving) shut() {
	s.ed.Close()
	s.rescued()
	if s.StderrTerminal {
		s.Say.Restore()
	}
}

// errors is the error log of the HTTP server: failed handshakes are printed on a
// terminal.
func (s *serving) errors() io.Writer {
	return logWriter(func(b []byte) (int, error) {
		if s.watched {
			s.Say.Warning("%s", strings.TrimSpace(string(b)))
		}
		return len(b), nil
	})
}

type logWriter func([]byte) (int, error)

// Write implements io.Writer.
func (f logWriter) Write(b []byte) (int, error) { return f(b) }

// event prints an event of a client.
func (s *serving) event(e hub.Event) {
	switch e.Kind {
	case hub.Connected:
		if s.watched {
			s.Say.Note("client %d connected from %s, %s", e.Client, strings.ReplaceAll(e.Address, "@", "this machine"), e.Path)
		}
		if !s.there {
			s.there = true
			close(s.first)
		}
	case hub.Gone:
		if e.Missed > 0 {
			s.Say.Warning("client %d did not read: it has missed %s", e.Client, prompt.MessageCount(e.Missed))
		}
		if !s.watched {
			return
		}
		switch {
		case e.Code < 0 && e.Reason != "":
			s.Say.Note("client %d was disconnected: %s", e.Client, e.Reason)
		case e.Code < 0:
			s.Say.Note("client %d is gone without a close frame", e.Client)
		default:
			s.Say.Note("client %d left: %s", e.Client, strings.TrimSpace(fmt.Sprint(e.Code, " ", e.Reason)))
		}
	case hub.Message:
		s.message(e)
	}
}

// message prints a message, up to --count.
func (s *serving) message(e hub.Event) {
	if s.o.count > 0 && s.count >= s.o.count {
		return
	}
	s.count++
	if s.ed != nil {
		mark := prompt.Paint(s.color, prompt.Received, fmt.Sprintf("%d< ", e.Client))
		text := prompt.Visible(string(prompt.ToUTF8(e.Data)))
		if ok, _ := eventjson.Valid(e.Data); e.Binary && !ok {
			text = prompt.Dump(e.Data)
		}
		s.ed.Print([]byte(mark + strings.ReplaceAll(text, "\n", "\n  ") + "\n"))
	} else {
		s.line = appendClientLine(s.line[:0], e)
		if _, err := s.Stdout.Write(s.line); err != nil {
			if errors.Is(err, syscall.EPIPE) {
				s.end(output.ErrStdoutClosed)
			} else {
				s.end(&output.WriteError{Err: err})
			}
		}
	}
	if s.count == s.o.count {
		s.end(output.Ended{Condition: "count"})
	}
}

// appendClientLine appends the record of a message.
func appendClientLine(b []byte, e hub.Event) []byte {
	b = fmt.Appendf(b, `{"client":%d,"data`, e.Client)
	at := len(b)
	b = append(b, `":`...)
	if line, ok := eventjson.AppendLine(b, e.Data); ok {
		b = line
	} else if e.Binary {
		b = append(b[:at], `_base64":"`...)
		b = base64.StdEncoding.AppendEncode(b, e.Data)
		b = append(b, '"')
	} else {
		b = append(b, '"')
		b = append(eventjson.AppendText(b, e.Data), '"')
	}
	return append(b, "}\n"...)
}
