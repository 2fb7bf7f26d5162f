package wsserver

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// Accept is Upgrade for a request that was not checked (RFC 6455, section 4.2.1). It
// accepts the first subprotocol that the client offers and that is in subprotocols. For
// a request that is not an opening handshake it sends an error response and returns a
// *HandshakeError.
func Accept(w http.ResponseWriter, r *http.Request, subprotocols []string, rules Rules) (*Conn, error) {
	if e := checkHandshake(r); e != nil {
		switch e.Status {
		case http.StatusUpgradeRequired:
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
		case http.StatusBadRequest:
			w.Header().Set("Sec-WebSocket-Version", "13")
		}
		http.Error(w, e.Text, e.Status)
		return nil, e
	}
	return Upgrade(w, r, agreed(r.Header, subprotocols), rules)
}

// A HandshakeError reports a request that is not an opening handshake, with the status
// of the response.
type HandshakeError struct {
	Status int
	Text   string
}

func (e *HandshakeError) Error() string { return e.Text }

func checkHandshake(r *http.Request) *HandshakeError {
	keys := r.Header.Values("Sec-WebSocket-Key")
	switch {
	case !HeaderHas(r.Header, "Connection", "upgrade") || !HeaderHas(r.Header, "Upgrade", "websocket"):
		return &HandshakeError{http.StatusUpgradeRequired, "this is a WebSocket"}
	case r.Method != http.MethodGet:
		return &HandshakeError{http.StatusMethodNotAllowed, "an opening handshake is a GET request"}
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return &HandshakeError{http.StatusBadRequest, "the version of the WebSocket protocol is 13"}
	case len(keys) != 1:
		return &HandshakeError{http.StatusBadRequest, "an opening handshake has one Sec-WebSocket-Key header"}
	}
	if key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(keys[0])); err != nil || len(key) != 16 {
		return &HandshakeError{http.StatusBadRequest, "the Sec-WebSocket-Key header is not 16 bytes in base64"}
	}
	return nil
}

// agreed returns the first of the subprotocols that a client offers, "" for none.
func agreed(h http.Header, subprotocols []string) string {
	for _, s := range subprotocols {
		if HeaderHas(h, "Sec-WebSocket-Protocol", s) {
			return s
		}
	}
	return ""
}

// HeaderHas reports whether a list in a header has an element, whatever its case.
func HeaderHas(h http.Header, name, element string) bool {
	for _, line := range h.Values(name) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), element) {
				return true
			}
		}
	}
	return false
}
