package network

import (
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/pattern"
)

// handshakeHeaders belong to the handshake itself (RFC 6455, section 4.1).
var handshakeHeaders = pattern.Lazy(`(?i)^(connection|upgrade|sec-websocket-(key|version|extensions|protocol|accept))$`)

// header takes NAME: VALUE apart, as flag has it. The message of an error leaves the value out.
func header(flag, text string) (name, value string, err error) {
	name, value, ok := strings.Cut(text, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	switch {
	case !ok || !HeaderToken(name):
		before, _, found := strings.Cut(text, " ")
		if before = strings.TrimSuffix(before, ":"); !found && !ok || !headerName(before) {
			return "", "", cmdline.FlagErrorf(flag, ": expected 'NAME: VALUE'") // it may be a credential
		}
		return "", "", cmdline.ValueErrorf(flag, cmdline.Cut(before, 16), "expected 'NAME: VALUE'")
	case !HeaderValue(value):
		return "", "", cmdline.FlagErrorf(flag, " %s: the value has a control character in it", name)
	case handshakeHeaders().MatchString(name):
		e := cmdline.FlagErrorf(flag, " %s: the handshake sets this header by itself", name)
		if strings.EqualFold(name, "Sec-WebSocket-Protocol") {
			e.Advice = "use --subprotocol"
		}
		return "", "", e
	}
	return name, value, nil
}

// headerName reports whether s looks like the name of a header rather than a value.
func headerName(s string) bool {
	return s != "" && len(s) <= longestHeaderName && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") == ""
}

// longestHeaderName is the maximum length, in bytes, of names in errors, because a
// value may have been given instead.
const longestHeaderName = 40

// HeaderToken reports whether s is a token, such as the name of a header or a
// subprotocol (RFC 9110, section 5.6.2).
func HeaderToken(s string) bool {
	for _, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// HeaderValue reports whether s may be the value of a header (RFC 9110, section 5.5).
func HeaderValue(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) < 0
}

// BadSubprotocol returns the error for the nth value of --subprotocol, without the
// value.
func BadSubprotocol(n int) error {
	return cmdline.FlagErrorf("--subprotocol", ": value %d is not valid: expected a name without spaces and separators", n)
}
