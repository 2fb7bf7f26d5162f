package network

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto"
)

// Flags configure how a connection is opened; the names are curl's.
type Flags struct {
	headers     []string
	agent       string
	origin      string
	resolve     []string
	connectTo   []string
	UnixSocket  string
	ipv4, ipv6  bool
	location    bool
	maxRedirs   int
	insecure    bool // redirects
	compression string
	Include     bool // show opening handshakes

	proxyFlags
	TLSFlags

	// Set by Check.
	Header    http.Header
	spelled   map[string]string // names of headers as they were typed, by their canonical form
	NoAgent   bool              // the header User-Agent is not sent
	Network   *netdial.Network
	redirects int
}

// NewFlags returns flags with their defaults.
func NewFlags() Flags {
	return Flags{maxRedirs: 10, compression: "off", TLSFlags: newTLSFlags()}
}

// Flags declares them.
func (f *Flags) Flags() []*cmdline.Flag {
	return slices.Concat([]*cmdline.Flag{
		{Name: "header", Essential: true, Aliases: []string{"H"}, Group: program.CatLink, Value: cmdline.Strings(&f.headers),
			Usage: "send a header with the handshake: `'NAME: VALUE'`", Detail: "; @FILE reads headers from a file, one per line, except lines that begin with #"},
		{Name: "user-agent", Aliases: []string{"A"}, Group: program.CatLink, Value: cmdline.String(&f.agent),
			Usage: "send `NAME` as the User-Agent header"},
		{Name: "origin", Group: program.CatLink, Value: cmdline.String(&f.origin),
			Usage: "send `URL` as the Origin header"},
		{Name: "compression", Group: program.CatLink, Value: cmdline.String(&f.compression),
			Usage: "offer the extension permessage-deflate: `on|off`"},
		{Name: "location", Aliases: []string{"L"}, Group: program.CatLink, Value: cmdline.Bool(&f.location),
			Usage: "follow redirects", Detail: "; headers and credentials are not sent to another origin"},
		{Name: "max-redirs", Group: program.CatLink, Value: cmdline.Int(&f.maxRedirs),
			Usage: "follow at most `N` redirects"},
		{Name: "allow-insecure-redirect", Group: program.CatLink, Value: cmdline.Bool(&f.insecure),
			Usage: "with -L, also follow a redirect from wss:// to ws://"},
		{Name: "include", Group: program.CatLink, Value: cmdline.Bool(&f.Include),
			Usage: "show request and response of the opening handshake on stderr"},
		{Name: "resolve", Group: program.CatLink, Value: cmdline.Strings(&f.resolve),
			Usage: "resolve a host to these addresses: `HOST:PORT:ADDRESS[,ADDRESS…]`", Detail: "; * is any host"},
		{Name: "connect-to", Group: program.CatLink, Value: cmdline.Strings(&f.connectTo),
			Usage: "connect to another host and port: `HOST:PORT:HOST2:PORT2`", Detail: "; an empty part is any, or the same"},
		{Name: "unix-socket", Group: program.CatLink, Value: cmdline.String(&f.UnixSocket),
			Usage: "connect to the Unix domain socket `PATH`"},
		{Name: "ipv4", Aliases: []string{"4"}, Group: program.CatLink, Value: cmdline.Bool(&f.ipv4),
			Usage: "use IPv4 addresses only"},
		{Name: "ipv6", Aliases: []string{"6"}, Group: program.CatLink, Value: cmdline.Bool(&f.ipv6),
			Usage: "use IPv6 addresses only"},
	}, f.proxyFlags.flags(), f.TLSFlags.flags())
}

// Check finds values that make no sense, and makes the network.
func (f *Flags) Check(ctx context.Context, line *cmdline.Line) error {
	p := program.Of(ctx)
	if err := f.checkHeaders(ctx, line, p); err != nil {
		return err
	}
	switch {
	case f.compression != "on" && f.compression != "off":
		return cmdline.ValueErrorf(line.GivenAs("compression"), f.compression, "expected on or off")
	case f.maxRedirs < 0:
		return cmdline.ValueErrorf(line.GivenAs("max-redirs"), strconv.Itoa(f.maxRedirs), "must not be negative")
	}
	if f.ipv4 && f.ipv6 {
		if err := line.Rivals("ipv4", "ipv6", func(name string) { f.ipv4, f.ipv6 = name != "ipv4", name != "ipv6" }); err != nil {
			return err
		}
	}
	if f.UnixSocket != "" && f.Proxy != "" {
		err := line.Rivals("unix-socket", "proxy", func(name string) {
			if name == "proxy" {
				f.Proxy = ""
			} else {
				f.UnixSocket = ""
			}
		})
		if err != nil {
			return err
		}
	}
	if f.location {
		f.redirects = f.maxRedirs
	}
	// The default limit of net/http for headers is too large for a small client.
	n := &netdial.Network{Socket: f.UnixSocket, MaxHeader: 256 << 10, HeaderNames: f.spelled}
	switch {
	case f.ipv4:
		n.Family = "tcp4"
	case f.ipv6:
		n.Family = "tcp6"
	}
	var err error
	if n.Resolve, err = netdial.Resolving(f.resolve); err != nil {
		return badItem("--resolve", err)
	}
	if n.ConnectTo, err = netdial.Connecting(f.connectTo); err != nil {
		return badItem("--connect-to", err)
	}
	if n.Proxy, err = f.choose(ctx, line, p); err != nil {
		return err
	}
	if err := f.TLSFlags.configure(ctx, line, p, n); err != nil {
		return err
	}
	if n.ProxyTLS, err = f.proxyTLS(ctx, p); err != nil {
		return err
	}
	f.Network = n
	return nil
}

// ReadHeaders reads the values of a flag: 'NAME: VALUE', or @FILE with one on each line.
// Credentials in them are withheld from now on. spelled are the names as they were typed,
// by their canonical form.
func ReadHeaders(ctx context.Context, p *program.Program, flag string, values []string) (h http.Header, spelled map[string]string, err error) {
	h, spelled = http.Header{}, make(map[string]string)
	for _, text := range values {
		lines := []string{text}
		if file, ok := strings.CutPrefix(text, "@"); ok {
			b, err := p.ReadNamed(ctx, flag, file, bounded.Headers)
			if err != nil {
				return nil, nil, err
			}
			lines = fileHeaders(string(b))
		}
		for _, line := range lines {
			name, value, err := header(flag, line)
			if err != nil {
				return nil, nil, err
			}
			h.Add(name, value)
			spelled[http.CanonicalHeaderKey(name)] = name
		}
	}
	p.Say.Add(credential.HeaderValues(h)...)
	return h, spelled, nil
}

// checkHeaders parses the headers.
func (f *Flags) checkHeaders(ctx context.Context, line *cmdline.Line, p *program.Program) error {
	var err error
	if f.Header, f.spelled, err = ReadHeaders(ctx, p, "--header", f.headers); err != nil {
		return err
	}
	for _, h := range []struct{ flag, name, value string }{{"origin", "Origin", f.origin}, {"user-agent", "User-Agent", f.agent}} {
		as := line.GivenAs(h.flag)
		switch {
		case as == "":
			continue
		case !HeaderValue(h.value):
			return cmdline.FlagErrorf(as, ": the value has a control character in it")
		case h.value == "" && h.flag == "user-agent":
			f.NoAgent = true
		default:
			f.Header.Set(h.name, h.value)
		}
	}
	return nil
}

// fileHeaders returns the lines of a file that are headers: neither comments, which
// begin with #, nor empty.
func fileHeaders(text string) (lines []string) {
	text = strings.TrimPrefix(text, "\ufeff") // which Windows editors write
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

// Dial returns the settings of the flags for the opening handshake.
func (f *Flags) Dial() proto.DialOptions {
	return proto.DialOptions{Header: f.Header, Compression: f.compression == "on", MaxRedirects: f.redirects, InsecureRedirects: f.insecure}
}

// badItem returns the usage error for an item of a list given to flag.
func badItem(flag string, err error) error {
	if e, ok := errors.AsType[*netdial.ItemError](err); ok {
		e.Item, e.Part = cmdline.Cut(e.Item, 60), cmdline.Cut(e.Part, 40)
	}
	return cmdline.FlagErrorf(flag, " %v", err)
}
