package netdial

import (
	"net/netip"
	"strings"
)

// Loopback reports whether host is this machine: an address of the loopback network,
// localhost, or a name below it (RFC 6761, section 6.3).
func Loopback(host string) bool {
	a, err := netip.ParseAddr(strings.TrimSuffix(host, "."))
	return err == nil && a.Unmap().IsLoopback() || localhostName(host)
}

func localhostName(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// lookedUp is the name by which a host is looked up: no resolver is asked for a name
// below localhost (RFC 6761, section 6.3).
func lookedUp(host string) string {
	if localhostName(host) {
		return "localhost"
	}
	return host
}
