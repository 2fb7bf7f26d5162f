package netdial

import (
	"net/netip"
	"strings"
)

// Loopback reports whether host is localhost: an address of the loopback network,
// localhost, or a name below it (RFC 6761, section 6.3).
func Loopback(host string) bool {
	a, err := netip.ParseAddr(strings.TrimSuffix(host, "."))
	return err == nil && a.Unmap().IsLoopback() || localhostName(host)
}

func localhostName(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// lookedUp returns the name that is looked up for a host: names below localhost are not
// resolved (RFC 6761, section 6.3).
func lookedUp(host string) string {
	if localhostName(host) {
		return "localhost"
	}
	return host
}
