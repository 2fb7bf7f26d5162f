package proto

import (
	"fmt"
	"net/url"
	"strings"
)

// BareAddress returns an address without the parts that may be secret: user, query and
// fragment. When there is an @ further on, host and path may be the parts of a password
// with a slash in it.
func BareAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(unreadable address)"
	}
	path, query := u.EscapedPath(), ""
	if u.User == nil && strings.Contains(address, "@") {
		return u.Scheme + "://…"
	}
	if u.RawQuery != "" {
		query = "?…"
	}
	return u.Scheme + "://" + u.Host + path + query
}

// SocketURL returns a URL with the scheme ws for http, and wss for https.
func SocketURL(endpoint string) (string, error) {
	for _, p := range [][2]string{{"https://", "wss://"}, {"http://", "ws://"}, {"wss://", "wss://"}, {"ws://", "ws://"}} {
		if rest, ok := strings.CutPrefix(endpoint, p[0]); ok {
			return p[1] + strings.TrimRight(rest, "/"), nil
		}
	}
	return "", fmt.Errorf("address %q has none of the schemes http, https, ws, wss", BareAddress(endpoint))
}
