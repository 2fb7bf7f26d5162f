package commands

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/proto"
)

// catProxy is the heading of flags about proxies.
const catProxy = "Proxy"

// networkFlags say how a connection is opened; the names are curl's. check makes
// the network of them.
type networkFlags struct {
	headers     []string
	agent       string
	origin      string
	resolve     []string
	connectTo   []string
	unixSocket  string
	ipv4, ipv6  bool
	location    bool
	maxRedirs   int
	insecure    bool // redirects
	compression string
	include     bool

	proxyFlags
	tlsFlags

	// What check has made of them.
	header    http.Header
	spelled   map[string]string // names of headers as they were typed, by their canonical form
	noAgent   bool              // the header User-Agent is not sent
	network   *proto.Network
	redirects int
}

func newNetworkFlags() networkFlags {
	return networkFlags{maxRedirs: 10, compression: "off", tlsFlags: newTLSFlags()}
}

func (f *networkFlags) flags() []*cmdline.Flag {
	return slices.Concat([]*cmdline.Flag{
		{Name: "header", Aliases: []string{"H"}, Group: catLink, Value: cmdline.Strings(&f.headers),
			Usage: "send the header `'NAME: VALUE'` with the handshake; @FILE reads headers from a file, one a line, without those that begin with #"},
		{Name: "user-agent", Aliases: []string{"A"}, Group: catLink, Value: cmdline.String(&f.agent),
			Usage: "send `NAME` as the User-Agent header"},
		{Name: "origin", Group: catLink, Value: cmdline.String(&f.origin),
			Usage: "send `URL` as the Origin header"},
		{Name: "compression", Group: catLink, Value: cmdline.String(&f.compression),
			Usage: "offer the extension permessage-deflate: `on|off`"},
		{Name: "location", Aliases: []string{"L"}, Group: catLink, Value: cmdline.Bool(&f.location),
			Usage: "follow redirects; headers and credentials do not go to another origin"},
		{Name: "max-redirs", Group: catLink, Value: cmdline.Int(&f.maxRedirs),
			Usage: "follow at most `N` redirects"},
		{Name: "allow-insecure-redirect", Group: catLink, Value: cmdline.Bool(&f.insecure),
			Usage: "with -L, also follow a redirect from wss:// to ws://"},
		{Name: "include", Group: catLink, Value: cmdline.Bool(&f.include),
			Usage: "show request and response of the opening handshake on stderr"},
		{Name: "resolve", Group: catLink, Value: cmdline.Strings(&f.resolve),
			Usage: "use these addresses for a host: `HOST:PORT:ADDRESS[,ADDRESS…]`; * is any host"},
		{Name: "connect-to", Group: catLink, Value: cmdline.Strings(&f.connectTo),
			Usage: "connect to another host and port: `HOST:PORT:HOST2:PORT2`; an empty part is any, or the same"},
		{Name: "unix-socket", Group: catLink, Value: cmdline.String(&f.unixSocket),
			Usage: "connect to the Unix domain socket `PATH`"},
		{Name: "ipv4", Aliases: []string{"4"}, Group: catLink, Value: cmdline.Bool(&f.ipv4),
			Usage: "use IPv4 addresses only"},
		{Name: "ipv6", Aliases: []string{"6"}, Group: catLink, Value: cmdline.Bool(&f.ipv6),
			Usage: "use IPv6 addresses only"},
	}, f.proxyFlags.flags(), f.tlsFlags.flags())
}

// requestFlags are the flags of commands that make requests and open no socket.
func requestFlags(f *streamFlags) []*cmdline.Flag {
	socket := []string{"compression", "location", "max-redirs", "allow-insecure-redirect", "include", "origin"}
	return append([]*cmdline.Flag{
		{Name: "connect-timeout", Group: catLink, Value: cmdline.Duration(&f.connectTimeout),
			Usage: "give each request `D`"},
	}, slices.DeleteFunc(f.networkFlags.flags(), func(g *cmdline.Flag) bool { return slices.Contains(socket, g.Name) })...)
}

// check finds values that make no sense, and makes the network.
func (f *networkFlags) check(ctx context.Context, line *cmdline.Line) error {
	p := programOf(ctx)
	if err := f.checkHeaders(ctx, line, p); err != nil {
		return err
	}
	switch {
	case f.compression != "on" && f.compression != "off":
		return cmdline.Usagef("%s %q: expected on or off", line.GivenAs("compression"), f.compression)
	case f.maxRedirs < 0:
		return cmdline.Usagef("%s %d: the number of redirects must not be negative", line.GivenAs("max-redirs"), f.maxRedirs)
	}
	if f.ipv4 && f.ipv6 {
		if err := line.Rivals("ipv4", "ipv6", func(name string) { f.ipv4, f.ipv6 = name != "ipv4", name != "ipv6" }); err != nil {
			return err
		}
	}
	if f.unixSocket != "" && f.proxy != "" {
		err := line.Rivals("unix-socket", "proxy", func(name string) {
			if name == "proxy" {
				f.proxy = ""
			} else {
				f.unixSocket = ""
			}
		})
		if err != nil {
			return err
		}
	}
	if f.location {
		f.redirects = f.maxRedirs
	}
	// One more request per connection is rare, and header bombs are not.
	n := &proto.Network{Socket: f.unixSocket, MaxHeader: 256 << 10, HeaderNames: f.spelled}
	switch {
	case f.ipv4:
		n.Family = "tcp4"
	case f.ipv6:
		n.Family = "tcp6"
	}
	var err error
	if n.Resolve, err = resolving(f.resolve); err != nil {
		return err
	}
	if n.ConnectTo, err = connecting(f.connectTo); err != nil {
		return err
	}
	if n.Proxy, err = f.choose(ctx, line, p); err != nil {
		return err
	}
	if err := f.tlsFlags.configure(ctx, line, p, n); err != nil {
		return err
	}
	if n.ProxyTLS, err = f.proxyTLS(ctx, p); err != nil {
		return err
	}
	f.network = n
	return nil
}

// checkHeaders reads the headers.
func (f *networkFlags) checkHeaders(ctx context.Context, line *cmdline.Line, p *program) error {
	f.header, f.spelled = http.Header{}, make(map[string]string)
	for _, text := range f.headers {
		lines := []string{text}
		if file, ok := strings.CutPrefix(text, "@"); ok {
			b, err := p.readNamed(ctx, "--header", file, bounded.Headers)
			if err != nil {
				return err
			}
			lines = fileHeaders(string(b))
		}
		for _, line := range lines {
			name, value, err := header(line)
			if err != nil {
				return err
			}
			f.header.Add(name, value)
			f.spelled[http.CanonicalHeaderKey(name)] = name
		}
	}
	p.say.Add(sensitiveHeaders(f.header)...)
	for _, h := range []struct{ flag, name, value string }{{"origin", "Origin", f.origin}, {"user-agent", "User-Agent", f.agent}} {
		as := line.GivenAs(h.flag)
		switch {
		case as == "":
			continue
		case !headerValue(h.value):
			return cmdline.Usagef("%s: the value has a control character in it", as)
		case h.value == "" && h.flag == "user-agent":
			f.noAgent = true
		default:
			f.header.Set(h.name, h.value)
		}
	}
	return nil
}

// fileHeaders are the lines of a file that are headers: neither comments, which begin
// with #, nor empty.
func fileHeaders(text string) (lines []string) {
	text = strings.TrimPrefix(text, "\ufeff") // as Windows editors begin files
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

// dial are the wishes of the flags for the opening handshake.
func (f *networkFlags) dial() proto.DialOptions {
	return proto.DialOptions{Header: f.header, Compression: f.compression == "on", MaxRedirects: f.redirects, InsecureRedirects: f.insecure}
}

// resolving makes the function of --resolve.
func resolving(items []string) (func(host, port string) []string, error) {
	if len(items) == 0 {
		return nil, nil
	}
	table := make(map[string][]string)
	for _, item := range items {
		parts := splitColons(item, 3)
		if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
			return nil, cmdline.Usagef("--resolve %q: expected HOST:PORT:ADDRESS[,ADDRESS…]", cmdline.Cut(item, 60))
		}
		if _, err := strconv.ParseUint(parts[1], 10, 16); err != nil {
			return nil, cmdline.Usagef("--resolve %q: %q is no port; only the host may be *", cmdline.Cut(item, 60), cmdline.Cut(parts[1], 20))
		}
		var addresses []string
		for a := range strings.SplitSeq(parts[2], ",") {
			a = strings.Trim(a, "[]")
			if _, err := netip.ParseAddr(a); err != nil {
				return nil, cmdline.Usagef("--resolve %q: %q is no IP address", cmdline.Cut(item, 60), cmdline.Cut(a, 40))
			}
			addresses = append(addresses, a)
		}
		table[hostPort(parts[0], parts[1])] = addresses
	}
	return func(host, port string) []string {
		if a, ok := table[hostPort(host, port)]; ok {
			return a
		}
		return table[hostPort("*", port)]
	}, nil
}

// connecting makes the function of --connect-to. The first that fits counts.
func connecting(items []string) (func(host, port string) (string, string), error) {
	if len(items) == 0 {
		return nil, nil
	}
	var rules [][]string
	for _, item := range items {
		parts := splitColons(item, 4)
		if len(parts) != 4 {
			return nil, cmdline.Usagef("--connect-to %q: expected HOST:PORT:HOST2:PORT2", cmdline.Cut(item, 60))
		}
		rules = append(rules, parts)
	}
	return func(host, port string) (string, string) {
		for _, r := range rules {
			if r[0] != "" && !strings.EqualFold(r[0], host) || r[1] != "" && r[1] != port {
				continue
			}
			if r[2] != "" {
				host = r[2]
			}
			if r[3] != "" {
				port = r[3]
			}
			break
		}
		return host, port
	}, nil
}

func hostPort(host, port string) string { return net.JoinHostPort(strings.ToLower(host), port) }

// splitColons splits s at its first n-1 colons that are not in brackets, and takes
// the brackets of IPv6 addresses off.
func splitColons(s string, n int) []string {
	var parts []string
	depth, from := 0, 0
	for i, c := range s {
		switch {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == ':' && depth == 0 && len(parts) < n-1:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	parts = append(parts, s[from:])
	for i, p := range parts {
		if strings.HasPrefix(p, "[") && strings.HasSuffix(p, "]") {
			parts[i] = p[1 : len(p)-1]
		}
	}
	return parts
}

type programKey struct{}

// programOf is the program that runs an Action, from its context.
func programOf(ctx context.Context) *program {
	p, _ := ctx.Value(programKey{}).(*program)
	return p
}
