package netdial

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// An ItemError reports an invalid item of a list. Part is the invalid part, "" for the
// whole item.
type ItemError struct{ Item, Part, Problem string }

func (e *ItemError) Error() string {
	if e.Part != "" {
		return fmt.Sprintf("%q: %q %s", e.Item, e.Part, e.Problem)
	}
	return fmt.Sprintf("%q: %s", e.Item, e.Problem)
}

// Resolving returns the Resolve of a Network for items of the form
// HOST:PORT:ADDRESS[,ADDRESS…]; the host * is any. The error is an *ItemError.
func Resolving(items []string) (func(host, port string) []string, error) {
	if len(items) == 0 {
		return nil, nil
	}
	table := make(map[string][]string)
	for _, item := range items {
		parts := splitColons(item, 3)
		if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
			return nil, &ItemError{Item: item, Problem: "expected HOST:PORT:ADDRESS[,ADDRESS…]"}
		}
		if _, err := strconv.ParseUint(parts[1], 10, 16); err != nil {
			return nil, &ItemError{Item: item, Part: parts[1], Problem: "is not a port; only the host may be *"}
		}
		var addresses []string
		for a := range strings.SplitSeq(parts[2], ",") {
			a = strings.Trim(a, "[]")
			if _, err := netip.ParseAddr(a); err != nil {
				return nil, &ItemError{Item: item, Part: a, Problem: "is not an IP address"}
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

// Connecting returns the ConnectTo of a Network for items of the form
// HOST:PORT:HOST2:PORT2, of which the first match applies; an empty part is any, or the
// same. The error is an *ItemError.
func Connecting(items []string) (func(host, port string) (string, string), error) {
	if len(items) == 0 {
		return nil, nil
	}
	var rules [][]string
	for _, item := range items {
		parts := splitColons(item, 4)
		if len(parts) != 4 {
			return nil, &ItemError{Item: item, Problem: "expected HOST:PORT:HOST2:PORT2"}
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

// splitColons splits s at its first n-1 colons that are not in brackets, and removes
// the brackets of IPv6 addresses.
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
