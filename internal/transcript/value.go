package transcript

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/hark-cli/hark/internal/eventjson"
)

// Value returns a message as the predicates see it, with the types of eventjson.Decoder:
// the value of its JSON, its text, or {"data_base64":…}.
func Value(data []byte, binary bool) any {
	var d eventjson.Decoder // of its own: its maps live as long as the value
	v, err := d.Decode(data)
	switch {
	case err == nil:
		return v
	case binary:
		return map[string]any{"data_base64": base64.StdEncoding.EncodeToString(data)}
	}
	return strings.ToValidUTF8(string(data), "\uFFFD")
}

// OpenValue returns an opening handshake as the predicates of # open see it.
func OpenValue(url string, header http.Header, subprotocols []string) any {
	v := map[string]any{"url": url, "header": headerValue(header), "subprotocol": nil}
	if len(subprotocols) > 0 {
		v["subprotocol"] = strings.Join(subprotocols, ", ")
	}
	return v
}

// RequestValue returns a request as the predicates of > request see it.
func RequestValue(method, url string, header http.Header, body []byte) any {
	v := map[string]any{"method": method, "url": url, "header": headerValue(header), "body": nil}
	if len(body) > 0 {
		v["body"] = Value(body, false)
	}
	return v
}

// headerValue is a header as an object of strings.
func headerValue(h http.Header) map[string]any {
	v := make(map[string]any, len(h))
	for name, values := range h {
		v[name] = strings.Join(values, ", ")
	}
	return v
}
