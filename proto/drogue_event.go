package proto

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"mime"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/jsontext"
	"github.com/hark-cli/hark/proto/wire"
)

// A DrogueFilter narrows the events by their CloudEvents attributes. An event
// passes when it has each value that is not empty.
type DrogueFilter struct {
	Device string // device: what the data is about
	Sender string // sender: who was connected
	Type   string // type
}

// match tells whether an event passes. A message that is no event does not.
func (f *DrogueFilter) match(d *jsontext.Decoder, data []byte) bool {
	v, err := d.Decode(data)
	if err != nil {
		return false
	}
	event, ok := v.(map[string]any)
	if !ok {
		return false
	}
	for _, want := range []struct{ attribute, value string }{
		{wire.DrogueDevice, f.Device}, {wire.DrogueSender, f.Sender}, {"type", f.Type},
	} {
		if want.value != "" && event[want.attribute] != want.value {
			return false
		}
	}
	return true
}

// DrogueDecode returns an event with data in the place of data_base64 when the
// content type says that it is text, and event itself otherwise: text becomes a
// string, JSON a value. Nothing else in the event changes.
func DrogueDecode(event []byte) []byte {
	if !bytes.Contains(event, []byte(`"data_base64"`)) {
		return event
	}
	e, ok := scanCloudEvent(event)
	if !ok {
		return event
	}
	text, err := base64.StdEncoding.DecodeString(e.base64)
	if err != nil || !utf8.Valid(text) {
		return event
	}
	isJSON, isText := textual(e.contentType)
	if !isText {
		return event
	}
	out := append(slices.Clone(event[:e.from]), `"data":`...)
	if isJSON {
		if out, ok = jsontext.AppendLine(out, text); !ok {
			return event
		}
	} else {
		out = jsontext.AppendString(out, text)
	}
	return append(out, event[e.to:]...)
}

// A binaryEvent is what DrogueDecode has to know of an event.
type binaryEvent struct {
	contentType string
	base64      string
	from, to    int // of the member data_base64, name and value
}

// scanCloudEvent finds the members of an event; false when there is no
// data_base64, or more than one payload.
func scanCloudEvent(event []byte) (e binaryEvent, ok bool) {
	d := json.NewDecoder(bytes.NewReader(event))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return e, false
	}
	payloads := 0
	for d.More() {
		from := int(d.InputOffset())
		t, err := d.Token()
		if err != nil {
			return e, false
		}
		from += bytes.IndexByte(event[from:], '"') // a comma and white space stand before it
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return e, false
		}
		switch t {
		case "data":
			payloads++
		case "data_base64":
			payloads++
			e.from, e.to = from, int(d.InputOffset())
			if json.Unmarshal(value, &e.base64) != nil {
				return e, false
			}
		case "datacontenttype":
			if json.Unmarshal(value, &e.contentType) != nil {
				return e, false
			}
		}
	}
	return e, payloads == 1 && e.to > 0
}

// textTypes are the media types that are text although they do not begin with
// text/ nor end with a suffix that says so (RFC 6839).
var textTypes = []string{
	"application/xml", "application/yaml", "application/toml", "application/sql", "application/graphql",
	"application/javascript", "application/x-ndjson", "application/x-www-form-urlencoded",
}

// textual tells whether a content type is text in UTF-8, and whether it is JSON.
func textual(contentType string) (isJSON, isText bool) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false, false
	}
	switch strings.ToLower(params["charset"]) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
	default:
		return false, false
	}
	switch {
	case media == "application/json", media == "text/json", strings.HasSuffix(media, "+json"):
		return true, true
	case strings.HasPrefix(media, "text/"), strings.HasSuffix(media, "+xml"), strings.HasSuffix(media, "+yaml"),
		slices.Contains(textTypes, media):
		return false, true
	}
	return false, false
}
