package commands

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/proto"
)

// proxyFlags say which proxy is used for what.
type proxyFlags struct {
	proxy         string
	proxyUser     string
	noProxy       string
	proxyCA       string
	proxyInsecure bool
}

func (f *proxyFlags) flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "proxy", Secret: true, Aliases: []string{"x"}, Group: catProxy, Value: cmdline.String(&f.proxy),
			Usage: "connect through the proxy `[SCHEME://][USER:PASSWORD@]HOST[:PORT]`: http, https, socks5 or socks5h; '' for none"},
		{Name: "proxy-user", Pair: true, Aliases: []string{"U"}, Group: catProxy, Value: cmdline.String(&f.proxyUser),
			Usage: "the credentials of the proxy, `USER:PASSWORD`; the password, or all of it, may be a reference", Detail: secretForms},
		{Name: "noproxy", Group: catProxy, Value: cmdline.String(&f.noProxy),
			Usage: "connect directly to these hosts: `LIST` of names, addresses and networks with commas; * for all"},
		{Name: "proxy-cacert", Group: catProxy, Value: cmdline.String(&f.proxyCA),
			Usage: "trust the authorities in `FILE` for an https proxy, and no others"},
		{Name: "proxy-insecure", Group: catProxy, Value: cmdline.Bool(&f.proxyInsecure),
			Usage: "do not check the certificate of an https proxy"},
	}
}

// choose makes the function that chooses the proxy: --proxy, or the environment.
func (f *proxyFlags) choose(ctx context.Context, line *cmdline.Line, p *program) (func(secure bool, host, port string) (*proto.Proxy, error), error) {
	bypass := f.noProxy
	if line.GivenAs("noproxy") == "" {
		bypass = p.proxyVariable("no_proxy")
	}
	user, password, err := f.credentials(ctx, line, p)
	if err != nil {
		return nil, err
	}
	with := func(proxy *proto.Proxy) *proto.Proxy {
		if proxy != nil && user != "" {
			proxy.User, proxy.Password = user, password
		}
		if proxy != nil && proxy.Password != "" {
			p.say.AddPair(proxy.User, proxy.Password)
		}
		return proxy
	}
	if as := line.GivenAs("proxy"); as != "" {
		proxy, err := parseProxy(as, f.proxy)
		if err != nil {
			return nil, err
		}
		proxy = with(proxy)
		return func(_ bool, host, port string) (*proto.Proxy, error) {
			if proxy == nil || bypassed(bypass, host, port) {
				return nil, nil
			}
			return proxy, nil
		}, nil
	}
	// Which variables matter is known when an address is; all are read now, so
	// that a mistake is found now, if it can matter.
	table := make(map[bool]*proto.Proxy)
	for _, secure := range []bool{false, true} {
		name := "http_proxy"
		if secure {
			name = "https_proxy"
		}
		value := p.proxyVariable(name)
		if value == "" {
			name = "all_proxy"
			value = p.proxyVariable(name)
		}
		proxy, err := parseProxy(name, value)
		if err != nil {
			return nil, err
		}
		table[secure] = with(proxy)
	}
	return func(secure bool, host, port string) (*proto.Proxy, error) {
		if proto.Loopback(host) || bypassed(bypass, host, port) {
			return nil, nil
		}
		return table[secure], nil
	}, nil
}

// proxyVariable reads a variable that other programs share, in lower or upper
// case. HTTP_PROXY is left alone in a CGI program, where a client can set it.
func (p *program) proxyVariable(name string) string {
	if v, ok := p.LookupEnv(name); ok && v != "" {
		return v
	}
	if _, cgi := p.LookupEnv("REQUEST_METHOD"); cgi && name == "http_proxy" {
		return ""
	}
	v, _ := p.LookupEnv(strings.ToUpper(name))
	return v
}

// credentials are those of --proxy-user.
func (f *proxyFlags) credentials(ctx context.Context, line *cmdline.Line, p *program) (user, password string, err error) {
	if f.proxyUser == "" {
		return "", "", nil
	}
	ctx, cancel := proto.WithConnectTimeout(ctx, line.Duration("connect-timeout"))
	defer cancel()
	return p.userPassword(ctx, line.GivenAs("proxy-user"), f.proxyUser)
}

// parseProxy reads the address of a proxy, as it was given by a flag or variable;
// nil for an empty one.
func parseProxy(as, text string) (*proto.Proxy, error) {
	if text == "" {
		return nil, nil
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		e := cmdline.Usagef("%s: the address of the proxy cannot be read", as)
		e.Advice = "expected [SCHEME://][USER:PASSWORD@]HOST[:PORT]; special characters in user and password are written as %XX"
		return nil, e
	}
	proxy := &proto.Proxy{Kind: strings.ToLower(u.Scheme), Host: u.Hostname(), Port: u.Port()}
	switch proxy.Kind {
	case "http", "https", "socks5", "socks5h":
	case "socks":
		proxy.Kind = "socks5h"
	default:
		return nil, cmdline.Usagef("%s: proxies of the kind %s:// are not known: expected http, https, socks5 or socks5h", as, cmdline.Cut(proxy.Kind, 16))
	}
	if proxy.Port == "" {
		proxy.Port = "1080" // as for curl
		if proxy.Kind == "https" {
			proxy.Port = "443"
		}
	}
	if u.User != nil {
		proxy.User = u.User.Username()
		proxy.Password, _ = u.User.Password()
	}
	return proxy, nil
}

// proxyTLS are the TLS settings for an https proxy.
func (f *proxyFlags) proxyTLS(ctx context.Context, p *program) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: f.proxyInsecure}
	if f.proxyCA != "" {
		pool, err := p.authorities(ctx, "--proxy-cacert", f.proxyCA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = pool
	}
	return config, nil
}

// bypassed tells whether a host is one of a list as NO_PROXY has it: names, which
// stand for what is below them too, addresses, networks, each also with a port.
func bypassed(list, host, port string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	address, addressErr := netip.ParseAddr(host)
	for entry := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		entry = strings.ToLower(entry)
		if entry == "*" {
			return true
		}
		if network, err := netip.ParsePrefix(entry); err == nil {
			if addressErr == nil && network.Contains(address.Unmap()) {
				return true
			}
			continue
		}
		if h, p, err := net.SplitHostPort(entry); err == nil {
			if p != port {
				continue
			}
			entry = h
		}
		entry = strings.Trim(entry, "[]")
		if a, err := netip.ParseAddr(entry); err == nil {
			if addressErr == nil && a.Unmap() == address.Unmap() {
				return true
			}
			continue
		}
		entry = strings.TrimPrefix(strings.TrimPrefix(entry, "*"), ".")
		if entry = strings.TrimSuffix(entry, "."); entry != "" && addressErr != nil && (host == entry || strings.HasSuffix(host, "."+entry)) {
			return true
		}
	}
	return false
}
