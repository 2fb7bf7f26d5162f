package commands

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/secret"
)

// An includer is a RoundTripper that shows opening handshakes on stderr, without
// their credentials: --include.
type includer struct {
	base http.RoundTripper
	say  *printer
	name func(string) string // how a header is written on the wire
}

// RoundTrip implements http.RoundTripper.
func (i includer) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get("Upgrade") == "" {
		return i.base.RoundTrip(req)
	}
	lines := []string{fmt.Sprintf("> GET %s HTTP/1.1", harmlessTarget(req.URL)), "> Host: " + netdial.HostHeader(req)}
	i.say.plain(append(lines, headerLines(">", req.Header, i.name)...))
	resp, err := i.base.RoundTrip(req)
	if err == nil {
		lines := []string{fmt.Sprintf("< %s %s", resp.Proto, resp.Status)}
		i.say.plain(append(lines, headerLines("<", resp.Header, new(netdial.Network).HeaderName)...))
	}
	return resp, err
}

// headerLines are the lines of a header, sorted, with Mask for credentials.
func headerLines(mark string, header http.Header, as func(string) string) []string {
	var lines []string
	for name, values := range header {
		for _, v := range values {
			if v == "" && name == "User-Agent" { // -A '': it is not sent
				continue
			}
			lines = append(lines, mark+" "+as(name)+": "+harmlessHeader(name, v))
		}
	}
	slices.Sort(lines)
	return append(lines, mark)
}

// harmlessHeader is the value of a header without credentials.
func harmlessHeader(name, value string) string {
	switch {
	case strings.EqualFold(name, "Location"):
		u, err := url.Parse(value)
		if err != nil {
			return secret.Mask
		}
		if u.User != nil {
			u.User = url.User(secret.Mask)
		}
		target := harmlessTarget(u)
		if u.Host == "" {
			return target
		}
		return u.Scheme + "://" + u.Host + target
	case strings.EqualFold(name, "Set-Cookie"):
		cookie, _, _ := strings.Cut(value, "=")
		return cookie + "=" + secret.Mask
	case !credential.Header(name):
		return value
	}
	if scheme, _, ok := strings.Cut(value, " "); ok && strings.HasSuffix(strings.ToLower(name), "authorization") {
		return scheme + " " + secret.Mask
	}
	return secret.Mask
}

// harmlessTarget is path and query of an address, without the values of
// parameters that are credentials by their names.
func harmlessTarget(u *url.URL) string {
	target := u.EscapedPath()
	if target == "" {
		target = "/"
	}
	if u.RawQuery == "" {
		return target
	}
	var parts []string
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, ok := strings.Cut(part, "=")
		if decoded, err := url.QueryUnescape(name); ok && (err != nil || credential.Query(decoded, value)) {
			part = name + "=" + secret.Mask
		}
		parts = append(parts, part)
	}
	return target + "?" + strings.Join(parts, "&")
}

// shortestCookie is the length below which a cookie is a wish rather than a
// credential: "dark" would be withheld wherever it stands.
const shortestCookie = 8

// cookieValues are the values of a header Cookie that may be credentials.
func cookieValues(header string) (out []string) {
	for pair := range strings.SplitSeq(header, ";") {
		if _, value, _ := strings.Cut(strings.TrimSpace(pair), "="); len(value) >= shortestCookie {
			out = append(out, strings.Trim(value, `"`))
		}
	}
	return out
}

// shortestHeader is the length in bytes below which the value of a header is not looked
// for elsewhere: "1" or "admin" would be withheld wherever it stands.
const shortestHeader = 6

// sensitiveHeaders are the values of a header that must not be shown.
func sensitiveHeaders(header http.Header) []string {
	var out []string
	for name, values := range header {
		if !credential.Header(name) {
			continue
		}
		for _, v := range values {
			scheme, rest, _ := strings.Cut(v, " ")
			for _, value := range []string{v, rest} {
				if len(value) >= shortestHeader {
					out = append(out, value)
				}
			}
			if strings.EqualFold(scheme, "Basic") {
				pair, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
				if _, password, ok := strings.Cut(string(pair), ":"); ok {
					out = append(out, password)
				}
			}
			if name == "Cookie" {
				out = append(out, cookieValues(v)...)
			}
		}
	}
	return out
}
