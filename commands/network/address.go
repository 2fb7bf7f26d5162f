package network

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
)

// ServiceEndpoint parses the address of a service, to which a path is added. It returns
// it without a trailing slash.
func ServiceEndpoint(address string) (string, error) {
	if strings.Contains(address, "?") {
		return "", cmdline.FlagErrorf("--endpoint", " has a query (?…); give the address up to it")
	}
	address, err := CheckEndpoint(address)
	return strings.TrimRight(address, "/"), err
}

// CheckEndpoint parses an address. Its errors do not contain possible credentials.
func CheckEndpoint(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil && !strings.Contains(address, "://"), err == nil && u.Scheme == "", err == nil && !strings.Contains(address, "://"):
		e := cmdline.Usagef("address%s has no scheme", cmdline.Mention(address))
		if cmdline.Mention(address) != "" {
			e.Advice = schemeAdvice(address)
		}
		return "", e
	case err != nil:
		// The error would quote a part of the address.
		e := cmdline.Usagef("address cannot be read")
		e.Advice = "check host and port; in user names, passwords and paths, special characters are written as %XX"
		return "", e
	case u.Scheme != "ws" && u.Scheme != "wss" && u.Scheme != "http" && u.Scheme != "https":
		return "", cmdline.Usagef("address begins with %s://: expected ws:// or wss://", cmdline.Cut(u.Scheme, 16))
	case u.Hostname() == "":
		return "", cmdline.Usagef("address has no host name")
	case !validPort(u.Port()):
		return "", cmdline.Usagef("address has the port %s: expected 1 to 65535", cmdline.Cut(u.Port(), 12))
	case u.Fragment != "" || strings.Contains(address, "#"):
		return "", cmdline.Usagef("address has a fragment (#…), which a WebSocket address must not have")
	}
	return address, nil
}

// validPort reports whether a port, which url.Parse has found to be digits, is valid
// for TCP; "" is.
func validPort(port string) bool {
	n, err := strconv.Atoi(port)
	return port == "" || err == nil && n > 0 && n < 1<<16
}

// schemeAdvice returns the hint for an address without a scheme.
func schemeAdvice(address string) string {
	for _, scheme := range []string{"wss", "ws", "https", "http"} {
		rest, found := strings.CutPrefix(address, scheme)
		if !found {
			continue
		}
		if rest, found = strings.CutPrefix(rest, ":"); !found {
			rest, found = strings.CutPrefix(rest, "/")
		}
		if rest = strings.TrimLeft(rest, ":/"); found && rest != "" {
			return "did you mean " + scheme + "://" + rest + "?"
		}
	}
	if name, found := strings.CutPrefix(address, "env:"); found {
		return "references are for credentials; for an address the shell has \"$" + name + "\""
	}
	if strings.HasPrefix(address, "file:") || strings.HasPrefix(address, "cmd:") {
		return "references are for credentials; for an address the shell has \"$(COMMAND)\""
	}
	return "did you mean ws://" + address + " or wss://" + address + "?"
}

// IsHTTP reports whether an address has the scheme http or https.
func IsHTTP(address string) bool {
	return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
}
