package wsconn

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// An UpgradeError reports an invalid response with the status 101.
type UpgradeError struct{ text string }

func (e *UpgradeError) Error() string { return e.text }

// checkUpgrade checks a response with the status 101 (RFC 6455, section 4.1): that it
// belongs to this request, and that the server has selected nothing that was not
// offered. The WebSocket library checks most of it as well, but waits 3 s before it
// returns the error.
func checkUpgrade(req *http.Request, resp *http.Response) error {
	if !listed(resp.Header.Values("Connection"), "Upgrade") || !listed(resp.Header.Values("Upgrade"), "websocket") {
		return violated("the server's answer has the status 101, but does not say Upgrade: websocket")
	}
	switch accept := resp.Header.Values("Sec-Websocket-Accept"); {
	case len(accept) == 0:
		return violated("the server's answer has no Sec-WebSocket-Accept header")
	case len(accept) > 1:
		return violated("the server's answer has %d Sec-WebSocket-Accept headers", len(accept))
	case strings.TrimSpace(accept[0]) != acceptFor(req.Header.Get("Sec-Websocket-Key")):
		return violated("the Sec-WebSocket-Accept header of the server's answer does not match the request")
	}
	chosen := resp.Header.Values("Sec-Websocket-Protocol")
	if len(chosen) > 1 {
		return violated("the server chose %d subprotocols", len(chosen))
	}
	if len(chosen) == 1 && !listed(req.Header.Values("Sec-Websocket-Protocol"), chosen[0]) {
		return violated("the server chose the subprotocol %.200q, which was not offered", chosen[0])
	}
	return checkExtensions(req.Header.Values("Sec-Websocket-Extensions"), resp.Header.Values("Sec-Websocket-Extensions"))
}

// acceptFor returns the value of Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC
// 6455, section 4.2.2).
func acceptFor(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// checkExtensions checks the extensions that the server uses. The only one that is
// offered is permessage-deflate, without parameters that allow the server to limit the
// client's window.
func checkExtensions(offered, used []string) error {
	var names []string
	for _, line := range used {
		for extension := range strings.SplitSeq(line, ",") {
			name, parameters, _ := strings.Cut(extension, ";")
			name = strings.TrimSpace(name)
			switch {
			case name == "":
				continue
			case name != "permessage-deflate" || !listed(offered, name):
				return violated("the server uses the extension %.200q, which was not negotiated", name)
			case slices.Contains(names, name):
				return violated("the server uses the extension %s twice", name)
			}
			names = append(names, name)
			if err := checkDeflate(parameters); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkDeflate checks the parameters of permessage-deflate in a response (RFC 7692,
// section 7.1).
func checkDeflate(parameters string) error {
	var seen []string
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, valued := strings.Cut(strings.TrimSpace(parameter), "=")
		name, value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"`)
		if name == "" && !valued {
			continue
		}
		shown := strings.TrimSpace(parameter)
		if slices.Contains(seen, name) {
			return violated("the server gave the parameter %.200q of permessage-deflate twice", name)
		}
		seen = append(seen, name)
		valid := false
		switch name {
		case "client_no_context_takeover", "server_no_context_takeover":
			valid = !valued
		case "server_max_window_bits":
			bits, err := strconv.Atoi(value)
			valid = err == nil && bits >= 8 && bits <= 15 && value[0] != '0' && value[0] != '+'
		}
		if !valid {
			return violated("the server gave the invalid parameter %.200q of permessage-deflate", shown)
		}
	}
	return nil
}

func violated(format string, args ...any) error {
	return &UpgradeError{fmt.Sprintf(format, args...)}
}

// listed reports whether one of the elements of a list in a header, without its
// parameters, is name.
func listed(lines []string, name string) bool {
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			element, _, _ = strings.Cut(element, ";")
			if strings.EqualFold(strings.TrimSpace(element), strings.TrimSpace(name)) {
				return true
			}
		}
	}
	return false
}
