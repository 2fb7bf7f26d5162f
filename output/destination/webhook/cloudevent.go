package webhook

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"strings"
)

// structuredType is the type of a whole CloudEvent in JSON format (CloudEvents HTTP binding
// 1.0.2, section 3.2).
const structuredType = "application/cloudevents+json; charset=utf-8"

// binaryMode takes a CloudEvent apart: its attributes go into header, its data is the
// body (CloudEvents HTTP binding 1.0.2, section 3.1). What is not a CloudEvent, because an
// expression has made something else of it, stays as it is.
func binaryMode(data []byte, header http.Header) (body []byte, contentType string) {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil || string(members["specversion"]) != `"1.0"` {
		return data, "application/json"
	}
	attributes := http.Header{}
	for name, value := range members {
		switch name {
		case "data", "data_base64":
			continue
		}
		text := string(value)
		if json.Unmarshal(value, &text) != nil && strings.ContainsAny(text[:1], `{[n`) {
			return data, structuredType // it has no place in a header
		}
		if name == "datacontenttype" {
			contentType = text
			continue
		}
		attributes.Set("Ce-"+name, printable(text))
	}
	switch value, encoded := members["data"], members["data_base64"]; {
	case encoded != nil:
		var text string
		if json.Unmarshal(encoded, &text) == nil {
			if b, err := base64.StdEncoding.DecodeString(text); err == nil {
				body = b
				break
			}
		}
		return data, structuredType
	case value == nil:
	case isJSON(contentType):
		body = value
	default:
		var text string
		if json.Unmarshal(value, &text) == nil {
			body = []byte(text)
		} else {
			body = value
		}
	}
	maps.Copy(header, attributes)
	return body, contentType
}

// isJSON reports whether a media type is one of JSON; without one, data is
// (CloudEvents JSON format 1.0.2, section 3.1).
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && (t == "application/json" || strings.HasSuffix(t, "+json") || strings.HasSuffix(t, "/json"))
}

// printable returns text as the value of a header (CloudEvents HTTP binding 1.0.2,
// section 3.1.3.2): whatever is not printable ASCII is percent-encoded, as are
// the space, the quote and the percent sign.
func printable(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' || c == '"' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
