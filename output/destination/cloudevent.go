package destination

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"strings"
)

// StructuredType is the media type of a whole CloudEvent in JSON format (CloudEvents HTTP
// binding 1.0.2, section 3.2; Kafka binding 1.0.2, section 3.3).
const StructuredType = "application/cloudevents+json; charset=utf-8"

// BinaryMode takes a CloudEvent in JSON format apart, as the binary mode of the protocol
// bindings has it: attributes without datacontenttype, which is contentType, and the data
// as the body. What is not a CloudEvent, because an expression has made something else of
// it, stays as it is and has no attributes; nor has an event that is sent as a whole, because
// an attribute or its data has no place in the binary mode.
func BinaryMode(data []byte) (attributes map[string]string, body []byte, contentType string) {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil || string(members["specversion"]) != `"1.0"` {
		return nil, data, "application/json"
	}
	attributes = make(map[string]string)
	for name, value := range members {
		switch name {
		case "data", "data_base64":
			continue
		}
		text := string(value)
		if json.Unmarshal(value, &text) != nil && strings.ContainsAny(text[:1], `{[n`) {
			return nil, data, StructuredType // it has no place in a header
		}
		if name == "datacontenttype" {
			contentType = text
			continue
		}
		attributes[name] = text
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
		return nil, data, StructuredType
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
	return attributes, body, contentType
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
