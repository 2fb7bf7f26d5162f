package transcript

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/hark-cli/hark/internal/eventjson"
)

// A Framing says how messages lie in WebSocket messages.
type Framing struct {
	// Text: they are texts, even if they look like JSON.
	Text bool
	// Separator is behind each message in a text frame; empty if a frame is a message.
	Separator string
}

// Split returns the messages in a frame.
func (f Framing) Split(data []byte, binary bool) [][]byte {
	if f.Separator == "" || binary {
		return [][]byte{data}
	}
	return bytes.Split(bytes.TrimSuffix(data, []byte(f.Separator)), []byte(f.Separator))
}

// Frame returns a message as it is sent.
func (f Framing) Frame(data []byte, binary bool) []byte {
	if f.Separator == "" || binary {
		return data
	}
	return append(bytes.Clone(data), f.Separator...)
}

// Value returns a message as the predicates see it.
func (f Framing) Value(data []byte, binary bool) any {
	if f.Text && !binary {
		return strings.ToValidUTF8(string(data), "\uFFFD")
	}
	return Value(data, binary)
}

// Value returns an event as the predicates see it, with the types of eventjson.Decoder:
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
