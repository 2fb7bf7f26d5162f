package deliver

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/network"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/pattern"
	"github.com/hark-cli/hark/output/destination/webhook"
)

// Flags define where events are delivered to, instead of being printed.
type Flags struct {
	// Print: they are printed, too. Gaps: gaps are delivered, too.
	Print, Gaps bool
	// InFlight is how many records may be unacknowledged, 0 for what the destination says.
	InFlight             int
	RetryTime, FlushTime time.Duration
	// DeadLetter is the file for records that cannot be delivered, "" for none.
	DeadLetter string

	to       string
	sync     bool
	headers  []string
	user     string
	bearer   string // --to-token
	credFile string // --to-creds
	sasl     string
	secret   string
	cacert   string
	cert     string
	keyfile  string
	insecure bool
	through  string // --to-proxy
	id, key  string

	// Set by Check.
	kind    *kind // nil without --to
	place   place
	header  http.Header
	login   struct{ user, password string }
	token   func(context.Context) (string, error) // nil without --to-token
	creds   []byte                                // the contents of --to-creds
	signing []byte                                // the key of --to-secret
	tls     *tls.Config
	proxy   func(secure bool, host, port string) (*netdial.Proxy, error)
}

// NewFlags returns flags with their defaults.
func NewFlags() Flags {
	return Flags{RetryTime: 5 * time.Minute, FlushTime: 10 * time.Second}
}

// Given reports whether there is a destination.
func (f *Flags) Given() bool { return f.kind != nil }

// Flags declares them.
func (f *Flags) Flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "to", Secret: true, Group: program.CatOutput, Value: cmdline.String(&f.to),
			Usage: "deliver events to `DEST` instead of printing them", Detail: ": " + Forms()},
		{Name: "print", Rare: true, Group: program.CatDelivery, Value: cmdline.Bool(&f.Print),
			Usage: "with --to, also print the events"},
		{Name: "to-id", Rare: true, Group: program.CatDelivery, Value: cmdline.String(&f.id),
			Usage: "the jq expression `EXPR` is the id of an event", Detail: " for DEST, a string or a number; by default the id that the service gives it"},
		{Name: "to-key", Rare: true, Group: program.CatDelivery, Value: cmdline.String(&f.key),
			Usage: "the jq expression `EXPR` is the key of an event at a broker", Detail: ", a string or a number; the order is kept for each key"},
		{Name: "to-gaps", Rare: true, Group: program.CatDelivery, Value: cmdline.Bool(&f.Gaps),
			Usage: "also deliver a CloudEvent of type hark.gap when events may have been lost"},
		{Name: "dead-letter", Rare: true, Group: program.CatDelivery, Value: cmdline.String(&f.DeadLetter),
			Usage: "append events that cannot be delivered to `FILE`, and go on", Detail: " instead of exiting with 10"},
		{Name: "sync", Rare: true, Group: program.CatDelivery, Value: cmdline.Bool(&f.sync),
			Usage: "with --to file:, an event is delivered when it is on the disk"},
		{Name: "to-inflight", Rare: true, Group: program.CatDelivery, Value: cmdline.Int(&f.InFlight), Default: "by the destination",
			Usage: "have at most `N` events unacknowledged", Detail: "; with more than one, http does not keep their order"},
		{Name: "to-retry-time", Rare: true, Group: program.CatDelivery, Value: cmdline.Duration(&f.RetryTime),
			Usage: "retry the delivery of an event for `D`; 0 for no limit"},
		{Name: "to-flush-time", Rare: true, Group: program.CatDelivery, Value: cmdline.Duration(&f.FlushTime),
			Usage: "at the end, wait at most `D` for events that are in flight"},
		{Name: "to-header", Rare: true, Group: program.CatDelivery, Value: cmdline.Strings(&f.headers),
			Usage: "send a header with each request to DEST: `'NAME: VALUE'`", Detail: "; @FILE reads headers from a file"},
		{Name: "to-user", Rare: true, Pair: true, Group: program.CatDelivery, Value: cmdline.String(&f.user),
			Usage: "log in at DEST with `USER:PASSWORD`", Detail: "; the password, or all of it, may be a reference: " + credential.Forms},
		{Name: "to-token", Rare: true, Secret: true, Group: program.CatDelivery, Value: cmdline.String(&f.bearer),
			Usage: "log in at a broker with a `TOKEN`", Detail: credential.Forms},
		{Name: "to-creds", Rare: true, Group: program.CatDelivery, Value: cmdline.String(&f.credFile),
			Usage: "log in at NATS with the credentials in `FILE`, a .creds file"},
		{Name: "to-sasl", Rare: true, Group: program.CatDelivery, Value: cmdline.String(&f.sasl),
			Usage: "log in at Kafka with the SASL `MECHANISM`", Detail: ": plain, scram-sha-256 or scram-sha-512 with --to-user, oauthbearer with --to-token"},
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

// Check finds values that make no sense, and looks up what belongs to the destination.
func (f *Flags) Check(ctx context.Context, line *cmdline.Line) error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"to-retry-time", f.RetryTime}, {"to-flush-time", f.FlushTime}} {
		if err := program.CheckDuration(line, d.name, d.value, true); err != nil {
			return err
		}
	}
	if as := line.GivenAs("to-inflight"); as != "" && f.InFlight < 1 {
		return cmdline.FlagErrorf(as, " must be at least 1")
	}
	if f.to == "" {
		return without(line, "--to", append([]string{"print", "to-id", "to-gaps", "dead-letter",
			"to-inflight", "to-retry-time", "to-flush-time"}, ownFlags...)...)
	}
	if err := once(line, "to"); err != nil {
		return err
	}
	for _, name := range []string{"pretty", "time", "null"} { // they are about lines on stdout
		if as := line.TypedAs(name); as != "" {
			return cmdline.FlagErrorf(as, " cannot be used with --to")
		}
	}
	if err := f.parse(line); err != nil {
		return err
	}
	for _, name := range ownFlags {
		if as := line.TypedAs(name); as != "" && !slices.Contains(f.kind.flags, name) {
			return cmdline.FlagErrorf(as, " requires --to %s", formsWith(name))
		}
	}
	if f.Gaps && f.place.varies() {
		return cmdline.FlagErrorf("--to-gaps", " cannot be used with an expression in --to: a gap is not an event")
	}
	if !slices.Contains(f.kind.flags, "to-cacert") {
		return nil
	}
	return f.lookUp(ctx, line, program.Of(ctx))
}

// schemeForm matches what stands in front of the colon of an address.
var schemeForm = pattern.Lazy(`^[a-z][a-z0-9+.-]{0,15}$`)

// parse takes --to apart.
func (f *Flags) parse(line *cmdline.Line) error {
	scheme, rest, ok := strings.Cut(f.to, ":")
	k := kindOf(scheme)
	as := line.GivenAs("to")
	if ok && k != nil && rest != "" {
		f.kind = k
		f.place = place{scheme: scheme, rest: rest}
		if k.parse == nil {
			return nil
		}
		var err error
		if f.place, err = k.parse(scheme, rest); err != nil {
			return cmdline.FlagErrorf(as, ": %v", err)
		}
		return nil
	}
	e := cmdline.FlagErrorf(as, ": unknown destination")
	switch {
	case k != nil && ok:
		e = cmdline.FlagErrorf(as, ": nothing stands behind %s:", scheme)
	case ok && schemeForm().MatchString(scheme): // anything else may be a credential
		e = cmdline.FlagErrorf(as, ": unknown destination %q", scheme+":")
	}
	e.Advice = "expected " + Forms()
	return e
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
func without(line *cmdline.Line, needs string, flags ...string) error {
	for _, name := range flags {
		if as := line.TypedAs(name); as != "" {
			return cmdline.FlagErrorf(as, " requires %s", needs)
		}
	}
	return nil
}

// lookUp looks up what connections to the destination need. None of it is the stream's, so
// no credential of the stream reaches the destination.
func (f *Flags) lookUp(ctx context.Context, line *cmdline.Line, p *program.Program) error {
	p.Say.Add(credential.AddressParts(f.to)...)
	var err error
	if f.header, _, err = network.ReadHeaders(ctx, p, "--to-header", f.headers); err != nil {
		return err
	}
	if f.user != "" {
		user, password, err := p.UserPassword(ctx, line.GivenAs("to-user"), f.user)
		if err != nil {
			return err
		}
		p.Say.AddPair(user, password)
		f.login.user, f.login.password = user, password
		f.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	}
	if err := f.checkLogin(line); err != nil {
		return err
	}
	if src, _, err := p.Source("--to-token", f.bearer); err != nil {
		return err
	} else if src != nil {
		f.token = func(ctx context.Context) (string, error) {
			v, err := src(ctx)
			if err != nil {
				return "", program.CredentialFailure(err)
			}
			return v.Reveal(), nil
		}
	}
	if f.credFile != "" {
		if f.creds, err = p.ReadNamed(ctx, line.GivenAs("to-creds"), f.credFile, maxCredentials); err != nil {
			return err
		}
		for line := range strings.Lines(string(f.creds)) {
			if line = strings.TrimSpace(line); len(line) >= 32 && !strings.ContainsAny(line, " -") || strings.Count(line, ".") == 2 {
				p.Say.Add(line) // the JWT or the seed
			}
		}
	}
	if src, _, err := p.Source("--to-secret", f.secret); err != nil {
		return err
	} else if src != nil {
		v, err := src(ctx)
		if err != nil {
			return program.CredentialFailure(err)
		}
		if f.signing, err = webhook.ParseSecret(v.Reveal()); err != nil {
			return cmdline.FlagErrorf(line.GivenAs("to-secret"), ": %v", err)
		}
	}
	f.tls = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: f.insecure}
	if f.cacert != "" {
		if f.tls.RootCAs, err = network.Authorities(ctx, p, line.GivenAs("to-cacert"), f.cacert); err != nil {
			return err
		}
	}
	if err := f.certificate(ctx, line, p); err != nil {
		return err
	}
	f.proxy, err = network.ChooseProxy(p, line.GivenAs("to-proxy"), f.through, netdial.ProxyVariable(p.LookupEnv, "no_proxy"), "", "")
	return err
}

// maxCredentials is how large the file of --to-creds may be, in bytes.
const maxCredentials = 64 << 10

// certificate reads the client certificate of --to-cert and --to-keyfile.
func (f *Flags) certificate(ctx context.Context, line *cmdline.Line, p *program.Program) error {
	if f.cert == "" {
		return without(line, "--to-cert", "to-keyfile")
	}
	c := network.CertificateFiles{CertAs: "--to-cert", Cert: f.cert, KeyAs: "--to-keyfile", Key: f.keyfile,
		Encrypted: "decrypt it first, as with: openssl pkey -in KEY -out PLAIN"}
	pair, err := c.Read(ctx, p)
	if err != nil {
		return err
	}
	f.tls.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	return nil
}
