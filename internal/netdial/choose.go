package netdial

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// Through returns the Proxy of a Network that uses p, except for the hosts of bypass;
// see Bypassed.
func Through(p *Proxy, bypass string) func(secure bool, host, port string) (*Proxy, error) {
	return func(_ bool, host, port string) (*Proxy, error) {
		if p == nil || Bypassed(bypass, host, port) {
			return nil, nil
		}
		return p, nil
	}
}

// ThroughEither is Through for the proxies of the environment: plain is for ws and
// http, secure for wss and https, either may be nil, and localhost is connected to
// directly.
func ThroughEither(plain, secure *Proxy, bypass string) func(secure bool, host, port string) (*Proxy, error) {
	return func(encrypted bool, host, port string) (*Proxy, error) {
		switch {
		case Loopback(host) || Bypassed(bypass, host, port):
			return nil, nil
		case encrypted:
			return secure, nil
		}
		return plain, nil
	}
}

// ProxyVariable returns a variable shared with other programs, in lower or upper case:
// http_proxy, https_proxy, all_proxy or no_proxy. HTTP_PROXY is ignored in a CGI
// program, where a client can set it.
func ProxyVariable(lookup func(name string) (string, bool), name string) string {
	if v, ok := lookup(name); ok && v != "" {
		return v
	}
	if _, cgi := lookup("REQUEST_METHOD"); cgi && name == "http_proxy" {
		return ""
	}
	v, _ := lookup(strings.ToUpper(name))
	return v
}

// ErrProxyAddress means that the address of a proxy is invalid.
var ErrProxyAddress = errors.New("the address of the proxy cannot be read")

// A ProxyKindError reports an address of a proxy with an unknown scheme.
type ProxyKindError struct{ Kind string }

func (e *ProxyKindError) Error() string {
	return "proxies of the kind " + e.Kind + ":// are not known: expected http, https, socks5 or socks5h"
}

// ParseProxy parses the address of a proxy, [SCHEME://][USER:PASSWORD@]HOST[:PORT],
// where schemes and default ports are curl's; nil for an empty one. The error is
// ErrProxyAddress or a *ProxyKindError.
func ParseProxy(text string) (*Proxy, error) {
	if text == "" {
		return nil, nil
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return nil, ErrProxyAddress
	}
	proxy := &Proxy{Kind: strings.ToLower(u.Scheme), Host: u.Hostname(), Port: u.Port()}
	switch proxy.Kind {
	case "http", "https", "socks5", "socks5h":
	case "socks":
		proxy.Kind = "socks5h"
	default:
		return nil, &ProxyKindError{proxy.Kind}
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

// Bypassed reports whether a host matches a list in the syntax of NO_PROXY: names,
// which include names below them, addresses, networks, each also with a port.
func Bypassed(list, host, port string) bool {
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
