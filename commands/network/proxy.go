package network

import (
	"context"
	"crypto/tls"
	"errors"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto"
)

// proxyFlags select the proxy.
type proxyFlags struct {
	Proxy         string
	proxyUser     string
	noProxy       string
	proxyCA       string
	proxyInsecure bool
}

func (f *proxyFlags) flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "proxy", Essential: true, Secret: true, Aliases: []string{"x"}, Group: program.CatProxy, Value: cmdline.String(&f.Proxy),
			Usage: "connect through the proxy at `URL`", Detail: ", [SCHEME://][USER:PASSWORD@]HOST[:PORT]; schemes: http, https, socks5, socks5h; '' for none"},
		{Name: "proxy-user", Pair: true, Aliases: []string{"U"}, Group: program.CatProxy, Value: cmdline.String(&f.proxyUser),
			Usage: "the credentials of the proxy, `USER:PASSWORD`", Detail: "; the password, or all of it, may be a reference: " + credential.Forms},
		{Name: "noproxy", Group: program.CatProxy, Value: cmdline.String(&f.noProxy),
			Usage: "connect directly to the hosts in `LIST`", Detail: ": names, addresses and networks, separated by commas; * for all"},
		{Name: "proxy-cacert", Group: program.CatProxy, Value: cmdline.String(&f.proxyCA),
			Usage: "trust only the certificate authorities in `FILE` for an https proxy"},
		{Name: "proxy-insecure", Group: program.CatProxy, Value: cmdline.Bool(&f.proxyInsecure),
			Usage: "do not check the certificate of an https proxy"},
	}
}

// choose returns the function that chooses the proxy: --proxy, or the environment.
func (f *proxyFlags) choose(ctx context.Context, line *cmdline.Line, p *program.Program) (func(secure bool, host, port string) (*netdial.Proxy, error), error) {
	bypass := f.noProxy
	if line.GivenAs("noproxy") == "" {
		bypass = netdial.ProxyVariable(p.LookupEnv, "no_proxy")
	}
	user, password, err := f.credentials(ctx, line, p)
	if err != nil {
		return nil, err
	}
	return ChooseProxy(p, line.GivenAs("proxy"), f.Proxy, bypass, user, password)
}

// ChooseProxy returns the function that chooses the proxy: the one at address, if it was
// given as the flag or variable as, or that of the environment. Hosts in bypass are
// connected to directly; user and password take precedence over those in the address.
func ChooseProxy(p *program.Program, as, address, bypass, user, password string) (func(secure bool, host, port string) (*netdial.Proxy, error), error) {
	with := func(proxy *netdial.Proxy) *netdial.Proxy {
		if proxy != nil && user != "" {
			proxy.User, proxy.Password = user, password
		}
		if proxy != nil && proxy.Password != "" {
			p.Say.AddPair(proxy.User, proxy.Password)
		}
		return proxy
	}
	if as != "" {
		proxy, err := parseProxy(as, address)
		if err != nil {
			return nil, err
		}
		return netdial.Through(with(proxy), bypass), nil
	}
	// Which variables apply depends on the address; all are read now, so that an error
	// is found early, if it can matter.
	var found [2]*netdial.Proxy
	for i, name := range []string{"http_proxy", "https_proxy"} {
		value := netdial.ProxyVariable(p.LookupEnv, name)
		if value == "" {
			name = "all_proxy"
			value = netdial.ProxyVariable(p.LookupEnv, name)
		}
		proxy, err := parseProxy(name, value)
		if err != nil {
			return nil, err
		}
		found[i] = with(proxy)
	}
	return netdial.ThroughEither(found[0], found[1], bypass), nil
}

// parseProxy parses the address of a proxy, given by a flag or variable; nil for an
// empty one.
func parseProxy(as, text string) (*netdial.Proxy, error) {
	proxy, err := netdial.ParseProxy(text)
	if errors.Is(err, netdial.ErrProxyAddress) {
		e := cmdline.FlagErrorf(as, ": %v", err)
		e.Advice = "expected [SCHEME://][USER:PASSWORD@]HOST[:PORT]; special characters in user and password are written as %XX"
		return nil, e
	}
	if e, ok := errors.AsType[*netdial.ProxyKindError](err); ok {
		e.Kind = cmdline.Cut(e.Kind, 16)
		return nil, cmdline.FlagErrorf(as, ": %v", e)
	}
	return proxy, nil
}

// credentials returns the credentials of --proxy-user.
func (f *proxyFlags) credentials(ctx context.Context, line *cmdline.Line, p *program.Program) (user, password string, err error) {
	if f.proxyUser == "" {
		return "", "", nil
	}
	ctx, cancel := proto.WithConnectTimeout(ctx, line.Duration("connect-timeout"))
	defer cancel()
	return p.UserPassword(ctx, line.GivenAs("proxy-user"), f.proxyUser)
}

// proxyTLS returns the TLS settings for an https proxy.
func (f *proxyFlags) proxyTLS(ctx context.Context, p *program.Program) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: f.proxyInsecure}
	if f.proxyCA != "" {
		pool, err := Authorities(ctx, p, "--proxy-cacert", f.proxyCA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = pool
	}
	return config, nil
}
