package stream

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/pattern"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/output/destination"
	"github.com/hark-cli/hark/output/destination/exec"
	"github.com/hark-cli/hark/output/destination/file"
	"github.com/hark-cli/hark/output/destination/webhook"
)

// DeliverFlags define where events are delivered to, instead of being printed.
type DeliverFlags struct {
	to         string
	print      bool
	sync       bool
	inFlight   int
	retryTime  time.Duration
	flushTime  time.Duration
	deadLetter string
	headers    []string
	user       string
	secret     string
	cacert     string
	cert       string
	keyfile    string
	insecure   bool
	through    string // --to-proxy
	id         string
	gaps       bool

	// Set by Check.
	kind   *destinationKind // nil without --to
	header http.Header
	key    []byte
	tls    *tls.Config
	proxy  func(secure bool, host, port string) (*netdial.Proxy, error)
}

func newDeliverFlags() DeliverFlags {
	return DeliverFlags{retryTime: 5 * time.Minute, flushTime: 10 * time.Second}
}

// Flags declares them.
func (f *DeliverFlags) Flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "to", Secret: true, Group: program.CatOutput, Value: cmdline.String(&f.to),
			Usage: "deliver events to `DEST` instead of printing them", Detail: ": " + destinationForms},
		{Name: "print", Rare: true, Group: program.CatDelivery, Value: cmdline.Bool(&f.print),
			Usage: "with --to, also print the events"},
		{Name: "to-id", Rare: true, Group: program.CatDelivery, Value: cmdline.String(&f.id),
			Usage: "the jq expression `EXPR` is the id of an event", Detail: " for DEST, a string or a number; by default the id that the service gives it"},
		{Name: "to-gaps", Rare: true, Group: program.CatDelivery, Value: cmdline.Bool(&f.gaps),
			Usage: "also deliver a CloudEvent of type hark.gap when events may have been lost"},
		{Name: "dead-letter", Rare: true, Group: program.CatDelivery, Value: cmdline.String(&f.deadLetter),
			Usage: "append events that cannot be delivered to `FILE`, and go on", Detail: " instead of exiting with 10"},
		{Name: "sync", Rare: true, Group: program.CatDelivery, Value: cmdline.Bool(&f.sync),
			Usage: "with --to file:, an event is delivered when it is on the disk"},
		{Name: "to-inflight", Rare: true, Group: program.CatDelivery, Value: cmdline.Int(&f.inFlight), Default: "by the destination",
			Usage: "have at most `N` events unacknowledged", Detail: "; with more than one, http does not keep their order"},
		{Name: "to-retry-time", Rare: true, Group: program.CatDelivery, Value: cmdline.Duration(&f.retryTime),
			Usage: "retry the delivery of an event for `D`; 0 for no limit"},
		{Name: "to-flush-time", Rare: true, Group: program.CatDelivery, Value: cmdline.Duration(&f.flushTime),
			Usage: "at the end, wait at most `D` for events that are in flight"},
		{Name: "to-header", Rare: true, Group: program.CatDelivery, Value: cmdline.Strings(&f.headers),
			Usage: "send a header with each request to DEST: `'NAME: VALUE'`", Detail: "; @FILE reads headers from a file"},
		{Name: "to-user", Rare: true, Pair: true, Group: program.CatDelivery, Value: cmdline.String(&f.user),
			Usage: "log in at DEST with `USER:PASSWORD` (Basic)", Detail: "; the password, or all of it, may be a reference: " + credential.Forms},
		{Name: "to-secret", Rare: true, Secret: true, Group: program.CatDelivery, Value: cmdline.String(&f.secret),
			Usage: "sign requests with the `SECRET` of Standard Webhooks, whsec_BASE64", Detail: credential.Forms},
		{Name: "to-cacert", Rare: true, Group: program.CatDelivery, Value: cmdline.String(&f.cacert),
			Usage: "trust only the certificate authorities in `FILE` for DEST"},
		{Name: "to-cert", Rare: true, Group: program.CatDelivery, Value: cmdline.String(&f.cert),
			Usage: "client certificate for DEST in `FILE`, PEM"},
		{Name: "to-keyfile", Rare: true, Group: program.CatDelivery, Value: cmdline.String(&f.keyfile),
			Usage: "the private key of --to-cert, `FILE`, PEM; the file of --to-cert may contain it too"},
		{Name: "to-insecure", Rare: true, Group: program.CatDelivery, Value: cmdline.Bool(&f.insecure),
			Usage: "do not check the certificate of DEST"},
		{Name: "to-proxy", Rare: true, Secret: true, Group: program.CatDelivery, Value: cmdline.String(&f.through),
			Usage: "connect to DEST through the proxy at `URL`", Detail: ", like --proxy; '' for none"},
	}
}

// A destinationKind is one form of --to.
type destinationKind struct {
	schemes []string
	// open makes the destination of rest, what stands behind the scheme. name is what
	// messages call it, without anything secret.
	open func(s *Stream, scheme, rest string) (d destination.Destination, name string, err error)
	// web: the flags about requests have a meaning.
	web bool
}

// destinationForms lists the forms of --to, for help.
const destinationForms = "file:PATH, file-daily:PATH with {date} in it, http:// or https:// (POST), exec:COMMAND"

// destinationKinds is the list of destinations, the only one.
func destinationKinds() []*destinationKind {
	return []*destinationKind{
		{schemes: []string{"file", "file-daily"}, open: openFile},
		{schemes: []string{"http", "https"}, open: openWebhook, web: true},
		{schemes: []string{"exec"}, open: openExec},
	}
}

// webFlags are the flags about requests to the destination.
var webFlags = []string{"to-header", "to-user", "to-secret", "to-cacert", "to-cert", "to-keyfile", "to-insecure", "to-proxy"}

// schemeForm matches what stands in front of the colon of an address.
var schemeForm = pattern.Lazy(`^[a-z][a-z0-9+.-]{0,15}$`)

// Check finds values that make no sense, and looks up what belongs to the destination.
func (f *DeliverFlags) Check(ctx context.Context, line *cmdline.Line) error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"to-retry-time", f.retryTime}, {"to-flush-time", f.flushTime}} {
		if err := program.CheckDuration(line, d.name, d.value, true); err != nil {
			return err
		}
	}
	if as := line.GivenAs("to-inflight"); as != "" && f.inFlight < 1 {
		return cmdline.FlagErrorf(as, " must be at least 1")
	}
	if f.to == "" {
		return f.without(line, "--to", append([]string{"print", "to-id", "to-gaps", "dead-letter", "sync",
			"to-inflight", "to-retry-time", "to-flush-time"}, webFlags...)...)
	}
	if err := once(line, "to"); err != nil {
		return err
	}
	for _, name := range []string{"pretty", "time", "null"} { // they are about lines on stdout
		if as := line.TypedAs(name); as != "" {
			return cmdline.FlagErrorf(as, " cannot be used with --to")
		}
	}
	scheme, rest, ok := strings.Cut(f.to, ":")
	i := slices.IndexFunc(destinationKinds(), func(k *destinationKind) bool { return slices.Contains(k.schemes, scheme) })
	if !ok || i < 0 || rest == "" {
		as := line.GivenAs("to")
		e := cmdline.FlagErrorf(as, ": unknown destination")
		switch {
		case i >= 0 && ok:
			e = cmdline.FlagErrorf(as, ": nothing stands behind %s:", scheme)
		case ok && schemeForm().MatchString(scheme): // anything else may be a credential
			e = cmdline.FlagErrorf(as, ": unknown destination %q", scheme+":")
		}
		e.Advice = "expected " + destinationForms
		return e
	}
	f.kind = destinationKinds()[i]
	if !f.kind.web {
		if err := f.without(line, "--to http:// or https://", webFlags...); err != nil {
			return err
		}
	}
	if scheme != "file" && scheme != "file-daily" {
		if err := f.without(line, "--to file:", "sync"); err != nil {
			return err
		}
	}
	if !f.kind.web {
		return nil
	}
	return f.web(ctx, line, program.Of(ctx))
}

// once refuses a flag that was typed several times, of which all but the last would have no
// effect.
func once(line *cmdline.Line, name string) error {
	n := 0
	for _, s := range line.Settings {
		if s.Flag.Name == name && s.Source == cmdline.Argument {
			n++
		}
	}
	if n < 2 {
		return nil
	}
	e := cmdline.FlagErrorf("--"+name, " was given %d times, and a stream has one destination", n)
	e.Advice = "for several, run hark several times, or deliver to a broker"
	return e
}

// without refuses flags that were typed and have no meaning but with what needs says.
func (f *DeliverFlags) without(line *cmdline.Line, needs string, flags ...string) error {
	for _, name := range flags {
		if as := line.TypedAs(name); as != "" {
			return cmdline.FlagErrorf(as, " requires %s", needs)
		}
	}
	return nil
}

// web looks up what requests to the destination need. None of it is the stream's, so no
// credential of the stream reaches the destination.
func (f *DeliverFlags) web(ctx context.Context, line *cmdline.Line, p *program.Program) error {
	if u, err := url.Parse(f.to); err != nil || u.Host == "" {
		return cmdline.FlagErrorf(line.GivenAs("to"), ": the address is not valid: expected %s//HOST[:PORT][/PATH]", f.to[:strings.IndexByte(f.to, ':')+1])
	}
	p.Say.Add(credential.AddressParts(f.to)...)
	var err error
	if f.header, _, err = readHeaders(ctx, p, "--to-header", f.headers); err != nil {
		return err
	}
	if f.user != "" {
		user, password, err := p.UserPassword(ctx, line.GivenAs("to-user"), f.user)
		if err != nil {
			return err
		}
		p.Say.AddPair(user, password)
		f.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	}
	if src, _, err := p.Source("--to-secret", f.secret); err != nil {
		return err
	} else if src != nil {
		v, err := src(ctx)
		if err != nil {
			return program.CredentialFailure(err)
		}
		if f.key, err = webhook.ParseSecret(v.Reveal()); err != nil {
			return cmdline.FlagErrorf(line.GivenAs("to-secret"), ": %v", err)
		}
	}
	f.tls = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: f.insecure}
	if f.cacert != "" {
		if f.tls.RootCAs, err = authorities(ctx, p, line.GivenAs("to-cacert"), f.cacert); err != nil {
			return err
		}
	}
	if err := f.certificate(ctx, line, p); err != nil {
		return err
	}
	f.proxy, err = chooseProxy(p, line.GivenAs("to-proxy"), f.through, netdial.ProxyVariable(p.LookupEnv, "no_proxy"), "", "")
	return err
}

// certificate reads the client certificate of --to-cert and --to-keyfile.
func (f *DeliverFlags) certificate(ctx context.Context, line *cmdline.Line, p *program.Program) error {
	if f.cert == "" {
		return f.without(line, "--to-cert", "to-keyfile")
	}
	c := certificateFiles{certAs: "--to-cert", cert: f.cert, keyAs: "--to-keyfile", key: f.keyfile,
		encrypted: "decrypt it first, as with: openssl pkey -in KEY -out PLAIN"}
	pair, err := c.read(ctx, p)
	if err != nil {
		return err
	}
	f.tls.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	return nil
}

// extractID returns what finds the id of an event with --to-id, nil without.
func (f *DeliverFlags) extractID(vars jq.Vars) (*output.Extract, error) {
	if f.id == "" {
		return nil, nil
	}
	filter, err := jq.Compile("--to-id", f.id, vars)
	if err != nil {
		return nil, err
	}
	return output.NewExtract(filter), nil
}

func openFile(s *Stream, scheme, path string) (destination.Destination, string, error) {
	o := file.Options{
		Path: path, Daily: scheme == "file-daily", Sync: s.Flags.sync,
		Torn: func(path string, bytes int64) {
			s.Warn("%s: the last line was not complete, and was cut off (%s)", path, program.Plural(int(bytes), "byte"))
		},
	}
	d, err := file.New(o)
	if err != nil {
		return nil, "", cmdline.FlagErrorf("--to", " %s:%s: %v", scheme, cmdline.Cut(path, 60), err)
	}
	return d, scheme + ":" + path, nil
}

// webhookTimeout limits one request to a web server.
const webhookTimeout = 30 * time.Second

func openWebhook(s *Stream, scheme, rest string) (destination.Destination, string, error) {
	f := &s.Flags.DeliverFlags
	n := &netdial.Network{TLS: f.tls, Proxy: f.proxy}
	address := scheme + ":" + rest
	u, err := url.Parse(address)
	if err != nil {
		return nil, "", err // check has parsed it
	}
	header := f.header
	if s.Flags.Raw && header.Get("Content-Type") == "" {
		header = header.Clone()
		header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	return &webhook.Destination{
		URL: address,
		Client: &http.Client{
			Transport:     UserAgent{plaintextGuard{netdial.NewTransport(n), s}, false},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Header: header, Key: f.key, Timeout: webhookTimeout,
		CloudEvents: s.Flags.Format == string(output.FormatCloudEvents), OwnID: f.id != "",
		Attempted: s.attempted("POST"),
	}, scheme + "://" + u.Host, nil // paths of webhooks are credentials as often as not
}

// attempted returns what prints a line for each attempt to deliver an event, for a person
// who develops the other end; nil if stderr is not a terminal.
func (s *Stream) attempted(by string) func(destination.Attempt) {
	if !s.Watched || !s.StderrTerminal {
		return nil
	}
	return func(a destination.Attempt) {
		s.Say.Note("%s", attemptText(by, a, time.Now()))
	}
}

// attemptText is the line for an attempt that has ended.
func attemptText(by string, a destination.Attempt, now time.Time) string {
	what := cmp.Or(a.Record.Type, a.Record.ID, "event")
	took := a.Took.Round(time.Millisecond)
	if took == 0 {
		took = a.Took.Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%s %s %s: %s in %s", now.Format(time.TimeOnly), by, cmdline.Cut(what, 60), a.Result, took)
}

func openExec(s *Stream, _, command string) (destination.Destination, string, error) {
	return &exec.Destination{Command: command, Environ: s.Environ(), Output: s.Stderr, Rescue: s.Rescues.Add, Attempted: s.attempted("exec")}, "exec", nil
}
