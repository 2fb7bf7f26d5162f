package network

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/netdial"
)

// An Includer is a RoundTripper that shows opening handshakes on stderr, without
// their credentials: --include.
type Includer struct {
	Base http.RoundTripper
	Say  *console.Printer
	Name func(string) string // the spelling of a header name
}

// RoundTrip implements http.RoundTripper.
func (i Includer) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get("Upgrade") == "" {
		return i.Base.RoundTrip(req)
	}
	lines := []string{fmt.Sprintf("> GET %s HTTP/1.1", credential.MaskTarget(req.URL)), "> Host: " + netdial.HostHeader(req)}
	i.Say.Plain(append(lines, headerLines(">", req.Header, i.Name)...))
	resp, err := i.Base.RoundTrip(req)
	if err == nil {
		lines := []string{fmt.Sprintf("< %s %s", resp.Proto, resp.Status)}
		i.Say.Plain(append(lines, headerLines("<", resp.Header, new(netdial.Network).HeaderName)...))
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
