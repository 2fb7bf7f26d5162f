package drogue

import (
	"bytes"
	"encoding/base64"
	"mime"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/drogue/wire"
)

// A Filter selects events by their CloudEvents attributes. An event passes if it has
// all values that are not empty.
type Filter struct {
	Device string // device: the device of the data
	Sender string // sender: the device that was connected
	Type   string // type
}

// match reports whether an event passes. A message that is not an event does not.
func (f *Filter) match(data []byte) bool {
	wanted := [...]struct {
		attribute, value string
		has              bool
	}{
		{attribute: wire.Device, value: f.Device}, {attribute: wire.Sender, value: f.Sender}, {attribute: "type", value: f.Type},
	}
	ok := eventjson.Members(data, func(name, value []byte) bool {
		for i := range wanted {
			if w := &wanted[i]; string(name) == w.attribute {
				w.has = isString(value, w.value)
			}
		}
		return true
	})
	for _, w := range wanted {
		ok = ok && (w.value == "" || w.has)
	}
	return ok
}

// isString reports whether a JSON value is the given string.
func isString(value []byte, s string) bool {
	if len(value) > len(`""`)+len(`\u0000`)*len(s) {
		return false
	}
	got, ok := eventjson.String(value)
	return ok && got == s
}

// Decode returns an event with data instead of data_base64 if its content type is text,
// otherwise event itself: text becomes a string, JSON a value. Nothing else in the
// event changes. A large event that would become much larger, because its text has many
// control characters, is not changed either.
func Decode(event []byte) []byte {
	if !bytes.Contains(event, []byte(`"data_base64"`)) {
		return event
	}
	e, ok := scanCloudEvent(event)
	if !ok {
		return event
	}
	isJSON, isText := textual(e.contentType)
	if !isText {
		return event
	}
	text, err := base64.StdEncoding.AppendDecode(nil, e.base64)
	if err != nil || !utf8.Valid(text) {
		return event
	}
	data := eventjson.Tail{Data: text, Form: eventjson.Quoted, End: `"`}
	if isJSON {
		var breaks bool
		if ok, breaks = eventjson.Valid(text); !ok {
			return event
		}
		if breaks {
			text = eventjson.TrimBreaks(text)
			eventjson.FoldBreaks(text)
		}
		data = eventjson.Tail{Data: text, Form: eventjson.Verbatim}
	}
	const open = `"data":`
	size := e.from + len(open) + 1 + data.Len() + len(event) - e.to
	if size > largeEvent && size > 2*len(event) {
		return event
	}
	out := append(append(make([]byte, 0, size), event[:e.from]...), open...)
	if !isJSON {
		out = append(out, '"')
	}
	return append(data.AppendAll(out), event[e.to:]...)
}

// largeEvent is the size above which an event may not become twice as large, in bytes.
const largeEvent = 1 << 20

// A binaryEvent has the members of an event that Decode uses.
type binaryEvent struct {
	contentType string
	base64      []byte
	from, to    int // of the member data_base64, name and value
}

// scanCloudEvent finds the members of an event; false if there is no data_base64, or
// more than one payload.
func scanCloudEvent(event []byte) (e binaryEvent, ok bool) {
	payloads, text := 0, true
	offset := func(part []byte) int { return cap(event) - cap(part) }
	ok = eventjson.Members(event, func(name, value []byte) bool {
		switch string(name) {
		case "data":
			payloads++
		case "data_base64":
			payloads++
			e.from, e.to = offset(name)-len(`"`), offset(value)+len(value)
			e.base64, text = stringText(value)
		case "datacontenttype":
			e.contentType, text = eventjson.String(value)
		}
		return text
	})
	return e, ok && text && payloads == 1 && e.to > 0
}

// stringText returns the text of the JSON string in b, which may be very long and
// rarely has an escape sequence.
func stringText(b []byte) (text []byte, ok bool) {
	if len(b) < 2 || b[0] != '"' {
		return nil, false
	}
	if bytes.IndexByte(b, '\\') < 0 {
		return b[1 : len(b)-1], true
	}
	s, ok := eventjson.String(b)
	return []byte(s), ok
}

// textTypes are the media types that are text although they neither begin with text/
// nor end with a suffix of a text format (RFC 6839).
var textTypes = []string{
	"application/xml", "application/yaml", "application/toml", "application/sql", "application/graphql",
	"application/javascript", "application/x-ndjson", "application/x-www-form-urlencoded",
}

// textual reports whether a content type is text in UTF-8, and whether it is JSON.
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

// Describe implements Describer. Events of Drogue Cloud are CloudEvents already; this
// describes other messages.
func (d *Service) Describe(proto.Message) proto.Description {
	return proto.Description{Source: "drogue://" + url.PathEscape(d.Application), Subject: d.Channel}
}

// Summary implements proto.Summarizer: the channel, or the type of what has none, the
// device, and the payload.
func (d *Service) Summary(m proto.Message) (s proto.Summary) {
	var kind string
	eventjson.Members(m.Data, func(name, value []byte) bool {
		switch string(name) {
		case "subject":
			s.What, _ = eventjson.String(value)
		case "type":
			kind, _ = eventjson.String(value)
		case "device":
			s.From, _ = eventjson.String(value)
		case "data", "data_base64":
			s.Data = value
		}
		return true
	})
	if s.What == "" {
		s.What = kind
	}
	if s.Data == nil && kind != "" { // an event without a payload
		s.Data = []byte{}
	}
	return s
}
