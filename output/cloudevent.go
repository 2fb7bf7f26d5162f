package output

import (
	"encoding/base64"
	"mime"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
)

// Attributes of events that do not say better themselves.
const (
	plainType   = "io.hark.message"
	plainSource = "hark:stream"
)

// appendCloudEvent appends ev as a CloudEvent (CloudEvents 1.0.2, JSON format,
// section 3), not yet on one line, or only its start when it is long: then the rest
// follows. Each attribute that the event does not have gets a value all the same: an
// id that is unique, the time of receipt.
func (w *Writer) appendCloudEvent(dst []byte, ev *proto.Event) (start []byte, rest eventjson.Tail) {
	isJSON, _ := eventjson.Valid(ev.Data)
	var d proto.Description
	if w.opts.Describe != nil {
		d = w.opts.Describe(ev.Message)
	}
	if !isJSON {
		d.Data = nil
	}
	dst = append(dst, `{"specversion":"1.0","id":`...)
	if id := attribute(d.ID); id != "" {
		dst = eventjson.AppendString(dst, id)
	} else {
		dst = append(append(dst, '"'), w.opts.Run...)
		dst = strconv.AppendUint(append(dst, '-'), ev.Seq, 10)
		dst = append(dst, '"')
	}
	if !w.uris.has(d.Source, uri) {
		d.Source = ""
	}
	dst = appendAttribute(dst, "source", d.Source, plainSource)
	dst = appendAttribute(dst, "type", attribute(d.Type), plainType)
	dst = appendAttribute(dst, "subject", attribute(d.Subject), "")
	at := d.Time.UTC()
	if y := at.Year(); d.Time.IsZero() || y < 1 || y > 9999 {
		at = ev.Time.UTC()
	}
	dst = appendTime(dst, "time", at)
	dst = appendTime(dst, "recordedtime", ev.Time.UTC())
	switch {
	case isJSON && d.Data != nil:
		rest = eventjson.Tail{Data: d.Data, Form: eventjson.Verbatim, End: `}`}
	case isJSON && !deepest(ev.Data):
		rest = eventjson.Tail{Data: ev.Data, Form: eventjson.Verbatim, End: `}`}
	case ev.Binary:
		dst = append(dst, `,"datacontenttype":"application/octet-stream","data_base64":"`...)
		rest = eventjson.Tail{Data: ev.Data, Form: eventjson.Base64, End: `"}`}
	default:
		dst = append(dst, `,"datacontenttype":"text/plain","data":"`...)
		rest = eventjson.Tail{Data: ev.Data, Form: eventjson.Quoted, End: `"}`}
	}
	if rest.Form == eventjson.Verbatim && len(rest.Data) > 0 {
		dst = append(dst, `,"datacontenttype":"application/json","data":`...)
	}
	return rest.Finish(dst)
}

// deepest reports whether the JSON in b would be nested too deeply one level down.
func deepest(b []byte) bool { return len(b) >= 2*eventjson.MaxDepth && !eventjson.ValidAt(b, 1) }

func appendAttribute(dst []byte, name, value, missing string) []byte {
	if value == "" {
		value = missing
	}
	if value == "" {
		return dst
	}
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	return eventjson.AppendString(dst, value)
}

func appendTime(dst []byte, name string, t time.Time) []byte {
	dst = append(append(append(dst, `,"`...), name...), `":"`...)
	return append(t.AppendFormat(dst, time.RFC3339Nano), '"')
}

// maxAttribute is how long the value of an attribute may be, in bytes: as long as the
// events that everybody has to take (CloudEvents 1.0.2, section "Size Limits").
const maxAttribute = 64 << 10

// attribute returns s if it may be the value of an attribute, or "" (CloudEvents
// 1.0.2, section "Type System").
func attribute(s string) string {
	if len(s) > maxAttribute || strings.TrimSpace(s) == "" || strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == unicode.ReplacementChar || r&0xFFFE == 0xFFFE || 0xFDD0 <= r && r <= 0xFDEF
	}) {
		return ""
	}
	return s
}

// uri reports whether s is a URI reference.
func uri(s string) bool {
	if attribute(s) == "" {
		return false
	}
	_, err := url.Parse(s)
	return err == nil
}

// mediaType reports whether s is the type of a content (RFC 2045, section 5.1).
func mediaType(s string) bool {
	_, _, err := mime.ParseMediaType(s)
	return err == nil
}

// A verified remembers values that were looked at and found good, because the
// same few come again and again.
type verified map[string]bool

const (
	maxVerified     = 1000 // values are remembered
	maxVerifiedSize = 1000 // bytes long at most
)

// has reports whether good applies to value.
func (v verified) has(value string, good func(string) bool) bool {
	if v[value] {
		return true
	}
	if !good(value) {
		return false
	}
	if len(v) >= maxVerified {
		clear(v)
	}
	if len(value) <= maxVerifiedSize {
		v[strings.Clone(value)] = true
	}
	return true
}

// hasJSON is has for a string in JSON.
func (v verified) hasJSON(value []byte, good func(string) bool) bool {
	if len(value) > maxAttribute {
		return false
	}
	if v[string(value)] {
		return true
	}
	return v.has(string(value), func(string) bool {
		s, ok := eventjson.String(value)
		return ok && good(s)
	})
}

// isCloudEvent reports whether b is a CloudEvent in the JSON format already.
func (w *Writer) isCloudEvent(b []byte) bool {
	const required = 4
	seen, wrong := 0, false
	var data, contentType []byte
	ok := eventjson.Members(b, func(name, value []byte) bool {
		switch string(name) {
		case "specversion":
			seen++
			wrong = string(value) != `"1.0"`
		case "id", "type":
			seen++
			wrong = !isText(value)
		case "source":
			seen++
			wrong = !w.uris.hasJSON(value, uri)
		case "data", "data_base64":
			wrong = data != nil || string(name) == "data_base64" && !isBase64(value)
			data = value
		case "dataschema":
			wrong = !w.uris.hasJSON(value, uri)
		case "datacontenttype":
			wrong = !w.types.hasJSON(value, mediaType)
			contentType = value
		default:
			wrong = !isAttribute(name, value)
		}
		return !wrong
	})
	return ok && !wrong && seen == required && fits(data, contentType)
}

// fits reports whether data may have that type: unless it is JSON, it must be a
// string (CloudEvents 1.0.2, JSON format, section 3.1).
func fits(data, contentType []byte) bool {
	if len(data) == 0 || data[0] == '"' || string(data) == "null" || string(contentType) == `"application/json"` {
		return true
	}
	s, ok := eventjson.String(contentType)
	if !ok {
		return true // there is none
	}
	media, _, _ := mime.ParseMediaType(s)
	_, subtype, _ := strings.Cut(media, "/")
	return subtype == "json" || strings.HasSuffix(subtype, "+json")
}

// isText reports whether value is a string that may be the value of an attribute.
func isText(value []byte) bool {
	plain := len(value) > 2 && value[0] == '"' && value[1] != ' '
	for _, c := range value {
		plain = plain && ' ' <= c && c < 0x7F && c != '\\'
	}
	if plain {
		return true
	}
	if len(value) > maxAttribute {
		return false
	}
	s, ok := eventjson.String(value)
	return ok && attribute(s) != ""
}

// isBase64 reports whether value is a string in Base64, without line breaks. It may be
// very long.
func isBase64(value []byte) bool {
	if len(value) < 2 || value[0] != '"' {
		return false
	}
	var text, data [4 << 10]byte
	for value = value[1 : len(value)-1]; len(value) > 0; {
		n := 0
		for n < len(text) && len(value) > 0 {
			c, size := value[0], 1
			if c == '\\' {
				if c, size = escaped(value); size == 0 {
					return false
				}
			}
			if c == '\r' || c == '\n' {
				return false
			}
			text[n] = c
			n++
			value = value[size:]
		}
		got, err := base64.StdEncoding.Decode(data[:], text[:n])
		if err != nil || len(value) > 0 && got < n/4*3 { // padding, before the end
			return false
		}
	}
	return true
}

// escaped returns the character of Base64 for which the escape sequence stands that
// valid JSON begins with, and the length of that; or 0 when it stands for any other.
func escaped(b []byte) (c byte, size int) {
	switch b[1] {
	case '/':
		return '/', 2
	case 'u':
		r, err := strconv.ParseUint(string(b[2:6]), 16, 16)
		if err == nil && r < utf8.RuneSelf {
			return byte(r), 6
		}
	}
	return 0, 0
}

// isAttribute reports whether name and value are an optional attribute or an
// extension.
func isAttribute(name, value []byte) bool {
	for _, c := range name {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9') {
			return false
		}
	}
	switch string(name) {
	case "":
		return false
	case "subject":
		return isText(value)
	case "time":
		s, ok := eventjson.String(value)
		_, err := time.Parse(time.RFC3339Nano, s)
		return ok && err == nil
	}
	switch value[0] {
	case '"', 't', 'f':
		return true
	}
	if len(value) > len("-2147483648") {
		return false
	}
	_, err := strconv.ParseInt(string(value), 10, 32)
	return err == nil
}
