package credential

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/hark-cli/hark/internal/secret"
)

// MaskHeader returns the value of a header without credentials.
func MaskHeader(name, value string) string {
	switch {
	case strings.EqualFold(name, "Location"):
		u, err := url.Parse(value)
		if err != nil {
			return secret.Mask
		}
		if u.User != nil {
			u.User = url.User(secret.Mask)
		}
		target := MaskTarget(u)
		if u.Host == "" {
			return target
		}
		return u.Scheme + "://" + u.Host + target
	case strings.EqualFold(name, "Set-Cookie"):
		cookie, _, _ := strings.Cut(value, "=")
		return cookie + "=" + secret.Mask
	case !Header(name):
		return value
	}
	if scheme, _, ok := strings.Cut(value, " "); ok && strings.HasSuffix(strings.ToLower(name), "authorization") {
		return scheme + " " + secret.Mask
	}
	return secret.Mask
}

// MaskTarget returns path and query of an address, without the values of
// parameters that are credentials by their names.
func MaskTarget(u *url.URL) string {
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
		if decoded, err := url.QueryUnescape(name); ok && (err != nil || Query(decoded, value)) {
			part = name + "=" + secret.Mask
		}
		parts = append(parts, part)
	}
	return target + "?" + strings.Join(parts, "&")
}

// shortestCookie is the length below which a cookie is taken for a preference rather
// than a credential: "dark" would be removed from all output.
const shortestCookie = 8

// cookieValues returns the values of a header Cookie that may be credentials.
func cookieValues(header string) (out []string) {
	for pair := range strings.SplitSeq(header, ";") {
		if _, value, _ := strings.Cut(strings.TrimSpace(pair), "="); len(value) >= shortestCookie {
			out = append(out, strings.Trim(value, `"`))
		}
	}
	return out
}

// shortestHeader is the length in bytes below which the value of a header is not
// removed elsewhere: "1" or "admin" would be removed from all output.
const shortestHeader = 6

// HeaderValues returns the values of a header that must not be shown.
func HeaderValues(header http.Header) []string {
	var out []string
	for name, values := range header {
		if !Header(name) {
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

// longUser is the length above which a user name without a password is taken for a
// token: wss://TOKEN@stream.example.com.
const longUser = 16

// AddressParts returns the parts of an address that must not be shown, decoded and as
// written: more or fewer characters may be percent-encoded than required.
func AddressParts(address string) []string {
	var out []string
	u, err := url.Parse(address)
	if err != nil {
		return out
	}
	_, rest, _ := strings.Cut(address, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	written := strings.TrimSuffix(rest[:strings.LastIndexByte(rest, '@')+1], "@")
	if password, ok := u.User.Password(); ok && password != "" {
		_, written, _ = strings.Cut(written, ":")
		out = append(out, password, written)
	} else if user := u.User.Username(); !ok && len(user) >= longUser {
		out = append(out, user, written)
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if value == "" || !Query(name, value) {
			continue
		}
		out = append(out, value)
		if plain, err := url.QueryUnescape(value); err == nil && plain != value {
			out = append(out, plain)
		}
	}
	return out
}

// InRequest reports whether a request contains credentials: in its header, its address,
// a subprotocol, or a form.
func InRequest(req *http.Request) bool {
	for name, values := range req.Header {
		if Header(name) && strings.Join(values, "") != "" {
			return true
		}
	}
	var offered []string
	for s := range strings.SplitSeq(strings.Join(req.Header.Values("Sec-WebSocket-Protocol"), ","), ",") {
		offered = append(offered, strings.TrimSpace(s))
	}
	return len(Subprotocols(offered)) > 0 || len(AddressParts(req.URL.String())) > 0 ||
		req.Header.Get("Content-Type") == "application/x-www-form-urlencoded"
}
