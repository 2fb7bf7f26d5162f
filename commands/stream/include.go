package stream

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/netdial"
)

// An includer is a RoundTripper that shows opening handshakes on stderr, without
// their credentials: --include.
type includer struct {
	base http.RoundTripper
	say  *console.Printer
	name func(string) string // the spelling of a header name
}

// RoundTrip implements http.RoundTripper.
func (i includer) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get("Upgrade") == "" {
		return i.base.RoundTrip(req)
	}
	lines := []string{fmt.Sprintf("> GET %s HTTP/1.1", credential.MaskTarget(req.URL)), "> Host: " + netdial.HostHeader(req)}
	i.say.Plain(append(lines, headerLines(">", req.Header, i.name)...))
	resp, err := i.base.RoundTrip(req)
	if err == nil {
		lines := []string{fmt.Sprintf("< %s %s", resp.Proto, resp.Status)}
		i.say.Plain(append(lines, headerLines("<", resp.Header, new(netdial.Network).HeaderName)...))
	}
	return resp, err
}

// headerLines returns the lines of a header, sorted, with Mask for credentials.
func headerLines(mark string, header http.Header, as func(string) string) []string {
	var lines []string
	for name, values := range header {
		for _, v := range values {
			if v == "" && name == "User-Agent" { // -A '': it is not sent
				continue
			}
			lines = append(lines, mark+" "+as(name)+": "+credential.MaskHeader(name, v))
		}
	}
	slices.Sort(lines)
	return append(lines, mark)
}
